/**
 * Lazy Xen under a PV guest, operation by operation.
 *
 * States are `rTS/vTS/D/C`: TS on the processor, TS as the guest set it, fpu_dirtied, TS in Linux' cached CR0.
 */
import { CR0_EM, CR0_TS, program, sse, syscall, type Hypervisor, type Kernel } from '@fpulab/core';
import { given } from '@fpulab/core/testing';
import { xenPv } from '../../src';
import { deschedule, guestMoments, hypervisorSteps, plainGuest, pvState, vcpuIn, type VcpuState } from '../guest';

const real = (k: Kernel): number => (k as Hypervisor).realCr0;
const withTs = (k: Kernel): number => real(k) | CR0_TS;
const withoutTs = (k: Kernel): number => real(k) & ~CR0_TS;

/** What the states are. The invariant of a running vCPU: rTS = vTS or not D. */
describe('xen-pv: states of a running vCPU', () => {
  it.each<[VcpuState, string]>([
    ['boot', '1/1/0/1'],
    ['live', '0/0/1/1'],
    ['set', '1/1/1/1'],
    ['out', '1/0/0/1'],
    ['set-out', '1/1/0/1'],
  ])('%s is %s', (state, expected) => {
    expect(pvState(vcpuIn(state, xenPv(), () => {}).observe())).toBe(expected);
  });
});

const after = (state: VcpuState, operation: (k: Kernel) => void, platform = xenPv()): string => {
  const run = vcpuIn(state, platform, operation);
  return pvState(run.until('A: operation'));
};

/** Clearing makes rTS 0 only if D; the load is left to #NM. C follows write_cr0() alone. */
const SETS: readonly (readonly [VcpuState, string])[] = [
  ['boot', '1/1/0/1'],
  ['live', '1/1/1/1'],
  ['set', '1/1/1/1'],
  ['out', '1/1/0/1'],
  ['set-out', '1/1/0/1'],
];
const CLEARS: readonly (readonly [VcpuState, string])[] = [
  ['boot', '1/0/0/1'],
  ['live', '0/0/1/1'],
  ['set', '0/0/1/1'],
  ['out', '1/0/0/1'],
  ['set-out', '1/0/0/1'],
];

describe.each<[string, (k: Kernel) => void]>([
  ['stts(): fpu_taskswitch(1)', (k) => k.stts()],
  ['MOV to CR0 with TS', (k) => k.executeMovToCr0(withTs(k))],
])('xen-pv: the guest sets TS by %s', (_, operation) => {
  it.each(SETS)('from %s: %s', (state, expected) => expect(after(state, operation)).toBe(expected));
});

describe.each<[string, (k: Kernel) => void]>([
  ['clts(): fpu_taskswitch(0)', (k) => k.clts()],
  ['CLTS', (k) => k.executeClts()],
  ['MOV to CR0 without TS', (k) => k.executeMovToCr0(withoutTs(k))],
])('xen-pv: the guest clears TS by %s', (_, operation) => {
  it.each(CLEARS)('from %s: %s', (state, expected) => expect(after(state, operation)).toBe(expected));
});

describe('xen-pv: the cached CR0 of a pvops guest', () => {
  it('write_cr0() keeps it, whether TS goes on or off', () => {
    expect(after('live', (k) => k.writeCr0(withoutTs(k)))).toBe('0/0/1/0');
    expect(after('live', (k) => k.writeCr0(withTs(k)))).toBe('1/1/1/1');
  });

  it('clts() does not: read_cr0() says TS = 1 from the first stts() on', () => {
    let read = 0;
    const run = vcpuIn('set', xenPv(), (k) => {
      k.clts();
      read = k.readCr0();
    });
    expect(pvState(run.until('A: operation'))).toBe('0/0/1/1');
    expect(read & CR0_TS).toBe(CR0_TS);
  });

  it('instructions and #NM do not know of it', () => {
    const run = vcpuIn('live', xenPv(), (k) => {
      k.writeCr0(withoutTs(k));
      k.executeMovToCr0(withTs(k));
    });
    expect(pvState(run.until('A: operation'))).toBe('1/1/1/0');
    expect(pvState(run.untilAsked('trap-nm', { task: 'A' }))).toBe('0/0/1/0');
  });
});

describe('xen-pv: LMSW', () => {
  it.each<VcpuState>(['boot', 'live', 'set', 'out'])(
    'raises #GP from %s and changes nothing, in every Xen version that was read',
    (state) => {
      const run = vcpuIn(state, xenPv(), (k) => k.executeLmsw(withoutTs(k)));
      const before = pvState(run.observe());
      expect(pvState(run.until('A: operation'))).toBe(before);
      run.until('A: schedule, never to return');
      expect(run.moments).toContain('A: general_protection/die');
    },
  );

  it.each(SETS)("with lmsw: 'emulated' it sets TS like MOV to CR0: from %s: %s", (state, expected) => {
    expect(after(state, (k) => k.executeLmsw(withTs(k)), xenPv({ lmsw: 'emulated' }))).toBe(expected);
  });

  it.each(CLEARS)("with lmsw: 'emulated' it clears TS like MOV to CR0: from %s: %s", (state, expected) => {
    expect(after(state, (k) => k.executeLmsw(withoutTs(k)), xenPv({ lmsw: 'emulated' }))).toBe(expected);
  });
});

describe('xen-pv: reading CR0', () => {
  const answers = (state: VcpuState): Readonly<Record<'smsw' | 'mov' | 'cached', number>> => {
    const platform = xenPv();
    let seen = { smsw: -1, mov: -1, cached: -1 };
    const run = vcpuIn(state, platform, (k) => {
      const bit = (value: number): number => (value & CR0_TS ? 1 : 0);
      const mov = platform.cr0.insn.movFrom(k as Hypervisor);
      seen = { smsw: bit(k.executeSmsw()), mov: bit(mov), cached: bit(k.readCr0()) };
    });
    run.until('A: operation');
    return seen;
  };

  it.each<[VcpuState, number, number]>([
    ['boot', 1, 1],
    ['live', 0, 0],
    ['set', 1, 1],
    ['out', 1, 0],
  ])('from %s: SMSW is not intercepted and shows rTS %i, MOV is emulated and shows vTS %i', (state, smsw, mov) => {
    expect(answers(state)).toEqual({ smsw, mov, cached: 1 });
  });
});

describe('xen-pv: MOV to CR0 that changes another bit than TS', () => {
  it.each<[string, (k: Kernel) => number]>([
    ['EM', (k) => real(k) ^ CR0_EM],
    ['EM and TS', (k) => (real(k) ^ CR0_EM) & ~CR0_TS],
  ])('%s: #GP, and nothing has changed', (_, value) => {
    const run = vcpuIn('set', xenPv(), (k) => k.executeMovToCr0(value(k)));
    const before = run.observe();
    const seen = run.until('A: operation');
    expect({ ...seen, masks: before.masks }).toEqual(before);
    run.until('A: schedule, never to return');
    expect(run.moments).toContain('A: general_protection/die');
  });
});

describe('xen-pv: #NM', () => {
  const SILENT = ['clts', 'load vCPU image', 'fpu_dirtied = 1', 'return to guest'];

  it('vTS = 0: real clts, load, D = 1, no bounce; the instruction is retried and the guest sees nothing', () => {
    const run = vcpuIn('out', xenPv(), () => {});
    expect(run.until('A: operation')).toMatchObject({ fpregs: expect.stringContaining('other-guest') });
    const from = run.moments.length;
    expect(pvState(run.until('A: compute'))).toBe('0/0/1/1');
    expect(hypervisorSteps(run, from)).toEqual(SILENT);
    expect(guestMoments(run, from)).toEqual(['A: #NM', 'A: sys_kernel_fpu/kernel FPU section/compute']);
    expect(run.observe()['vcpu.image']).toBe('sse=A:1');
  });

  it.each<[VcpuState, string]>([
    ['boot', 'clts, load vCPU image, fpu_dirtied = 1, bounce #NM to the guest, clear guest TS, return to guest'],
    ['set', 'clts, bounce #NM to the guest, clear guest TS, return to guest'],
  ])('vTS = 1, from %s, in this order: %s', (state, steps) => {
    const run = vcpuIn(state, xenPv(), () => {});
    run.until('A: operation');
    const from = run.moments.length;
    const entry = run.untilAsked('trap-nm', { task: 'A' });
    expect(hypervisorSteps(run, from).join(', ')).toBe(steps);
    expect(pvState(entry)).toBe('0/0/1/1');
    expect(entry.masks).toMatch(/^exception irqs-off/);
  });

  it('goes the same way for user code: there is no test of the privilege level', () => {
    const run = given({ platform: xenPv(), policies: [plainGuest()], tasks: { A: program(sse.write()) } });
    const entry = run.untilAsked('trap-nm', { task: 'A' });
    expect(pvState(entry)).toBe('0/0/1/1');
    expect(entry.masks).toBe('exception irqs-off');
    expect(hypervisorSteps(run, 0).slice(-3)).toEqual(['bounce #NM to the guest', 'clear guest TS', 'return to guest']);
  });

  it('between the steps: vTS is still 1 when the registers are loaded, and cleared after the bounce is set up', () => {
    const run = vcpuIn('boot', xenPv(), () => {});
    run.until('A: operation');
    expect(pvState(run.until('A: clts'))).toBe('0/1/0/1');
    expect(pvState(run.until('A: load vCPU image'))).toBe('0/1/0/1');
    expect(pvState(run.until('A: fpu_dirtied = 1'))).toBe('0/1/1/1');
    expect(run.until('A: bounce #NM to the guest')).toMatchObject({ trap_bounce: 1, guest_ts: 1 });
    expect(run.until('A: clear guest TS')).toMatchObject({ trap_bounce: 1, guest_ts: 0, TS: 0 });
    expect(run.until('A: return to guest')).toMatchObject({
      trap_bounce: 0,
      masks: expect.stringMatching(/^exception/),
    });
  });

  it('a vCPU descheduled between the bounce and the handler: rTS is 1 at handler entry, vTS is 0', () => {
    const run = vcpuIn('boot', xenPv(), () => {});
    run.until('A: return to guest');
    deschedule(run);
    expect(pvState(run.untilAsked('trap-nm', { task: 'A' }))).toBe('1/0/0/1');
    run.until('A: compute');
    expect(run.violations.filter((violation) => !violation.startsWith('unexpected'))).toEqual([]);
  });
});

describe('xen-pv: vCPU out and in', () => {
  const SAVE = 'clts, save vCPU image, fpu_dirtied = 0, stts';

  it.each<[VcpuState, string, string]>([
    ['boot', 'stts', '1/1/0/1'],
    ['live', SAVE, '1/0/0/1'],
    ['set', SAVE, '1/1/0/1'],
    ['out', 'stts', '1/0/0/1'],
  ])('from %s: %s; rTS is 1 afterwards and vTS is what it was: %s', (state, steps, expected) => {
    const run = vcpuIn(state, xenPv(), () => {});
    const from = run.moments.length;
    expect(pvState(deschedule(run))).toBe(expected);
    expect(hypervisorSteps(run, from).join(', ')).toBe(`${steps}, another vCPU runs, vCPU runs again`);
  });

  it('saves with TS clear on the processor, although the guest had set it', () => {
    const run = vcpuIn('set', xenPv(), () => {});
    run.inject('vcpu');
    expect(run.until('A: clts')).toMatchObject({ TS: 0, guest_ts: 1 });
    expect(run.until('A: save vCPU image')).toMatchObject({ 'vcpu.image': 'sse=A:1', guest_ts: 1 });
  });

  it('brings no register of another guest to this one: the task reads what it wrote', () => {
    const run = given({
      platform: xenPv(),
      policies: [plainGuest()],
      tasks: { A: program(sse.write(), sse.read(), syscall('getpid')) },
      interference: { vcpu: true },
    });
    run.until('A: sse.write');
    expect(deschedule(run).fpregs).toMatch(/sse=other-guest:1/);
    expect(run.until('A: sse.read').fpregs).toBe('sse=A:1');
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });

  it('halt takes the vCPU off its CPU, too', () => {
    const run = given({
      platform: xenPv(),
      policies: [plainGuest()],
      tasks: { A: program(sse.write(), syscall('nanosleep'), sse.read()) },
      interference: { idle: true },
      pick: ['idle0', 'A', 'idle0'],
    });
    run.until('A: sse.write');
    expect(pvState(run.until('idle0: vCPU runs again'))).toBe('1/0/0/1');
    run.until('A: sse.read');
    expect(run.observe().fpregs).toBe('sse=A:1');
  });
});
