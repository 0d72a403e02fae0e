/**
 * Lazy Xen under an HVM guest (VMX), operation by operation.
 *
 * States are `rTS/vTS/D/I`: GUEST_CR0.TS, which the processor obeys; TS in the guest's read shadow; fpu_dirtied; #NM
 * intercepted.
 */
import { CR0_EM, CR0_PE, CR0_TS, program, sse, syscall, type Hypervisor, type Kernel } from '@fpulab/core';
import { given } from '@fpulab/core/testing';
import { xenHvm } from '../../src';
import { deschedule, guestMoments, hvmState, hypervisorSteps, plainGuest, vcpuIn, type VcpuState } from '../guest';

const after = (state: VcpuState, operation: (k: Kernel) => void): string =>
  hvmState(vcpuIn(state, xenHvm(), operation).until('A: operation'));

describe('xen-hvm: states of a running vCPU', () => {
  it.each<[VcpuState, string]>([
    ['boot', '1/1/0/1'],
    ['live', '0/0/1/0'],
    ['set', '1/1/1/0'],
    ['out', '1/0/0/1'],
    // The guest has TS set: nothing can be used before its CLTS, which exits. The intercept is left as it is.
    ['set-out', '1/1/0/0'],
  ])('%s is %s', (state, expected) => {
    expect(hvmState(vcpuIn(state, xenHvm(), () => {}).observe())).toBe(expected);
  });
});

describe.each<[string, (k: Kernel) => void]>([
  ['write_cr0()', (k) => k.stts()],
  ['MOV to CR0', (k) => k.executeMovToCr0(k.readCr0() | CR0_TS)],
  ['LMSW', (k) => k.executeLmsw(k.readCr0() | CR0_TS)],
])('xen-hvm: the guest sets TS by %s', (_, operation) => {
  it.each<[VcpuState, string]>([
    ['boot', '1/1/0/1'],
    ['live', '1/1/1/0'],
    ['set', '1/1/1/0'],
    ['out', '1/1/0/1'],
    ['set-out', '1/1/0/0'],
  ])('from %s: %s; D and intercept unchanged', (state, expected) => expect(after(state, operation)).toBe(expected));
});

describe.each<[string, (k: Kernel) => void]>([
  ['CLTS', (k) => k.executeClts()],
  ['clts()', (k) => k.clts()],
  ['MOV to CR0', (k) => k.executeMovToCr0(k.readCr0() & ~CR0_TS)],
  ['LMSW', (k) => k.executeLmsw(k.readCr0() & ~CR0_TS)],
])('xen-hvm: the guest clears TS by %s', (_, operation) => {
  it.each<[VcpuState, string, boolean]>([
    ['boot', '0/0/1/0', true],
    ['set', '0/0/1/0', false],
    ['set-out', '0/0/1/0', true],
    ['live', '0/0/1/0', false],
    // No bit differs from the read shadow: no exit, and nothing is loaded yet.
    ['out', '1/0/0/1', false],
  ])('from %s: %s; registers loaded at once: %s', (state, expected, loads) => {
    const run = vcpuIn(state, xenHvm(), operation);
    let loaded = false;
    run.machine.events$.subscribe(({ type }) => (loaded ||= type === 'fpregs.restored'));
    expect(hvmState(run.until('A: operation'))).toBe(expected);
    expect(loaded).toBe(loads);
  });
});

describe('xen-hvm: reading and writing CR0', () => {
  it.each<[VcpuState, number]>([
    ['boot', 1],
    ['live', 0],
    ['set', 1],
    ['out', 0],
  ])('from %s: SMSW, MOV and read_cr0() all show the read shadow: TS %i', (state, expected) => {
    const platform = xenHvm();
    const seen: number[] = [];
    const run = vcpuIn(state, platform, (k) => {
      seen.push(k.executeSmsw(), platform.cr0.insn.movFrom(k as Hypervisor), k.readCr0());
    });
    run.until('A: operation');
    expect(seen.map((value) => (value & CR0_TS ? 1 : 0))).toEqual([expected, expected, expected]);
  });

  it('another bit than TS may change, unlike under PV', () => {
    const run = vcpuIn('set', xenHvm(), (k) => k.executeMovToCr0(k.readCr0() | CR0_EM));
    expect(Number(run.until('A: operation').cr0_read_shadow) & CR0_EM).toBe(CR0_EM);
    expect(run.moments).not.toContain('A: general_protection/die');
  });

  it('LMSW cannot clear PE', () => {
    const run = vcpuIn('set', xenHvm(), (k) => k.executeLmsw(0));
    expect(Number(run.until('A: operation').cr0_read_shadow) & (CR0_PE | CR0_TS)).toBe(CR0_PE);
  });
});

describe('xen-hvm: #NM', () => {
  const LOAD = 'load vCPU image, fpu_dirtied = 1, stop intercepting #NM';

  it('registers not loaded, vTS = 0: consumed in Xen: load, TS cleared, retried; the guest sees nothing', () => {
    const run = vcpuIn('out', xenHvm(), () => {});
    run.until('A: operation');
    const from = run.moments.length;
    expect(hvmState(run.until('A: compute'))).toBe('0/0/1/0');
    expect(hypervisorSteps(run, from).join(', ')).toBe(`${LOAD}, clear GUEST_CR0.TS, resume guest`);
    expect(guestMoments(run, from)).toEqual(['A: #NM', 'A: sys_kernel_fpu/kernel FPU section/compute']);
  });

  it('registers not loaded, vTS = 1, intercepted: load, TS stays; the retried instruction traps into the guest', () => {
    const run = vcpuIn('boot', xenHvm(), () => {});
    run.until('A: operation');
    const from = run.moments.length;
    const entry = run.untilAsked('trap-nm', { task: 'A' });
    expect(hypervisorSteps(run, from).join(', ')).toBe(`${LOAD}, resume guest`);
    expect(guestMoments(run, from).filter((moment) => moment === 'A: #NM')).toHaveLength(2);
    expect(hvmState(entry)).toBe('1/1/1/0');
  });

  it.each<[string, VcpuState, string]>([
    ['registers loaded, vTS = 1', 'set', '1/1/1/0'],
    ['registers not loaded, vTS = 1, not intercepted', 'set-out', '1/1/0/0'],
  ])('%s: hardware delivers it to the guest, no exit; TS is sticky', (_, state, expected) => {
    const run = vcpuIn(state, xenHvm(), () => {});
    run.until('A: operation');
    const from = run.moments.length;
    const entry = run.untilAsked('trap-nm', { task: 'A' });
    expect(hypervisorSteps(run, from)).toEqual([]);
    expect(hvmState(entry)).toBe(expected);
    expect(entry.masks).toMatch(/^exception irqs-off/);
    expect(hvmState(run.until('A: clts'))).toBe('0/0/1/0');
  });
});

describe('xen-hvm: vCPU out and in', () => {
  it.each<[VcpuState, string, string]>([
    ['boot', '', '1/1/0/1'], // nothing to save, and vTS = 1
    ['live', 'save vCPU image, fpu_dirtied = 0, set GUEST_CR0.TS, intercept #NM', '1/0/0/1'],
    ['set', 'save vCPU image, fpu_dirtied = 0', '1/1/0/0'],
    ['out', 'set GUEST_CR0.TS, intercept #NM', '1/0/0/1'],
  ])("from %s: '%s': %s", (state, steps, expected) => {
    const run = vcpuIn(state, xenHvm(), () => {});
    const from = run.moments.length;
    expect(hvmState(deschedule(run))).toBe(expected);
    const own = hypervisorSteps(run, from).filter((name) => !name.includes('vCPU runs'));
    expect(own.join(', ')).toBe(steps);
  });

  it('brings no register of another guest to this one', () => {
    const run = given({
      platform: xenHvm(),
      policies: [plainGuest()],
      tasks: { A: program(sse.write(), sse.read(), syscall('getpid')) },
      interference: { vcpu: true },
    });
    run.until('A: sse.write');
    expect(deschedule(run).fpregs).toMatch(/sse=other-guest:1/);
    expect(run.until('A: sse.read').fpregs).toBe('sse=A:1');
  });
});
