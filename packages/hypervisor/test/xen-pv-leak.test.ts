/**
 * The 2013 leak, step by step, on the built-in scenario 'xen-pv-leak'.
 *
 * X has used the FPU, A's first use sleeps in its allocation, B runs meanwhile. Columns: TS on the processor, TS as the
 * guest set it, whose values the registers hold, the kernel's owner, PF_USED_MATH of A, has_fpu of A and of B. Unlike
 * in the tables B has not used the FPU before, so what its first use loads is INIT.
 */
import { loop, mmx, program, scenarioOf, syscall, type BasePolicy, type Patch, type Platform } from '@fpulab/core';
import { given, type Observation, type PolicySpec } from '@fpulab/core/testing';
import { CLASSIC_GUEST, GUEST_FIX, lazyCr0Ts } from '@fpulab/policies';
import { KEEP_BOTH, REAL_TS_ONLY, bareMetal, xenHvm, xenPv } from '../src';
import { deschedule, guestMoments, hypervisorSteps, pvState } from './guest';

const scenario = scenarioOf('xen-pv-leak');

const start = (platform: Platform, patches: readonly Patch[] = [], policy?: BasePolicy): PolicySpec =>
  given({
    platform,
    policies: [policy ?? lazyCr0Ts({ era: 'linux-3.6' })],
    patches,
    tasks: Object.fromEntries(scenario.tasks.map((task) => [task.name, task.program])),
    pick: scenario.schedule.pick,
    alloc: scenario.schedule.alloc,
    interference: { ...scenario.interference, vcpu: true },
  });

/** Writers of the values in the registers: `X`, `X/B`, `INIT`. */
const holders = (seen: Observation): string => [...new Set(String(seen.fpregs).match(/(?<==)[^:]+|INIT/g))].join('/');

type Row = readonly [string, string, number, number, string, string, number, number, number];

/** The columns of a table's row, where the run is now. */
const columns = (seen: Observation): readonly unknown[] => [
  seen.TS,
  seen.guest_ts ?? seen.TS, // on bare metal there is one TS
  holders(seen),
  seen.fpu_owner_task ?? seen.fpu_fpregs_owner_ctx,
  seen['A.PF_USED_MATH'] ?? seen['A.fpstate_active'],
  seen['A.has_fpu'] ?? seen['A.fpregs_active'],
  seen['B.has_fpu'] ?? seen['B.fpregs_active'],
];

/** Checks a table row by row, in one run. */
function expectRows(run: PolicySpec, rows: readonly Row[]): void {
  for (const [number, moment, ...expected] of rows) {
    const seen = moment === 'A: #NM handler' ? run.untilAsked('trap-nm', { task: 'A' }) : run.until(moment);
    expect({ row: `${number} ${moment}`, columns: columns(seen) }).toEqual({
      row: `${number} ${moment}`,
      columns: expected,
    });
  }
}

//                      moment                              rTS vTS regs    own  um hf B.hf
const STICKY: readonly Row[] = [
  ['0', 'A: return to user', 1, 1, 'X', 'X', 0, 0, 0],
  ['1', 'A: #NM handler', 1, 1, 'X', 'X', 0, 0, 0],
  ['2', 'A: kmem_cache_alloc', 1, 1, 'X', 'X', 0, 0, 0],
  ['3', 'B: return to user', 1, 1, 'X', 'X', 0, 0, 0],
  ['4', 'B: fpu_counter++', 0, 0, 'INIT', 'B', 0, 0, 1],
  ['5', 'B: mmx.write', 0, 0, 'B', 'B', 0, 0, 1],
  ['5 switched', 'A: finish_task_switch', 1, 1, 'B', 'B', 0, 0, 0],
  ['6', 'A: set PF_USED_MATH', 1, 1, 'B', 'B', 1, 0, 0],
  ['7', 'A: fpu_counter++', 0, 0, 'INIT', 'A', 1, 1, 0],
];

describe('(a) TS is sticky', () => {
  it.each([
    ['bare metal', bareMetal],
    ['xen-hvm', xenHvm],
  ])('%s: row by row, and clean', (_, platform) => {
    const run = start(platform());
    expectRows(run, STICKY);
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });

  it('xen-hvm, vCPU descheduled in the window: TS stays 1 for the guest, and its clts loads the registers', () => {
    const run = start(xenHvm());
    run.until('A: kmem_cache_alloc');
    expect(deschedule(run)).toMatchObject({ TS: 1, guest_ts: 1, fpu_dirtied: 0, 'vcpu.image': 'x87=X:1' });
    expect(run.until('B: clts')).toMatchObject({ TS: 0, guest_ts: 0, fpu_dirtied: 1, fpregs: 'x87=X:1' });
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });
});

const UNFIXED: readonly Row[] = [
  ['0', 'A: return to user', 1, 1, 'X', 'X', 0, 0, 0],
  ['1a', 'A: clts', 0, 1, 'X', 'X', 0, 0, 0],
  ['1b', 'A: #NM handler', 0, 0, 'X', 'X', 0, 0, 0],
  ['2', 'A: kmem_cache_alloc', 0, 0, 'X', 'X', 0, 0, 0],
  ['3', 'B: return to user', 0, 0, 'X', 'X', 0, 0, 0],
  ['4', 'B: mmx.read', 0, 0, 'X', 'X', 0, 0, 0],
  ['5', 'B: mmx.write', 0, 0, 'B', 'X', 0, 0, 0],
  ['6', 'A: finish_task_switch', 0, 0, 'B', 'X', 0, 0, 0],
  ['7', 'A: set PF_USED_MATH', 0, 0, 'B', 'X', 1, 0, 0],
  ['8', 'A: fpu_counter++', 0, 0, 'INIT', 'A', 1, 1, 0],
  ['9', 'B: finish_task_switch', 1, 1, 'A', 'A', 1, 0, 0],
  ['10', 'B: fpu_counter++', 0, 0, 'INIT', 'B', 1, 0, 1],
];

describe('(b) xen-pv without a fix', () => {
  it('row by row', () => expectRows(start(xenPv()), UNFIXED));

  it("row 4: B reads X's value without a trap: leak; row 10: B's own value is lost", () => {
    const run = start(xenPv());
    run.until('B: return to user');
    const from = run.moments.length;
    expect(run.until('B: mmx.read').fpregs).toBe('x87=X:1');
    expect(run.moments.slice(from)).toEqual(['B: mmx.read']);
    expect(run.architecturalViolations).toEqual(['leak: B, x87=X:1']);
    run.finish();
    expect(run.architecturalViolations).toEqual([
      'leak: B, x87=X:1',
      'validity: B, x87=INIT',
      'lost-update: B, x87=INIT',
    ]);
  });

  it('the cached CR0 says TS = 1 all the while', () => {
    const run = start(xenPv());
    run.until('A: kmem_cache_alloc');
    expect(pvState(run.observe())).toBe('0/0/1/1');
  });

  it("row 6': B to a preloaded X: lazy restore is true, the restore is skipped, and X runs on B's values", () => {
    const run = given({
      platform: xenPv(),
      policies: [lazyCr0Ts({ era: 'linux-3.6' })],
      tasks: {
        X: program(loop(7, mmx.update(), syscall('nanosleep'))),
        A: program(mmx.write()),
        B: program(loop(6, syscall('nanosleep')), mmx.write(), syscall('nanosleep')),
      },
      pick: [...Array.from({ length: 12 }, (_, turn) => (turn % 2 === 0 ? 'X' : 'B')), 'A', 'B', 'X'],
      alloc: ['ok', 'sleep'],
    });
    run.until('A: kmem_cache_alloc');
    expect(run.until('B: mmx.write')).toMatchObject({ TS: 0, guest_ts: 0, fpregs: 'x87=B:1', fpu_owner_task: 'X' });
    const cell = run.when('switch-out', { task: 'B' });
    expect(cell.before).toMatchObject({ 'X.fpu_counter': 6, 'X.last_cpu': 'cpu0', 'B.has_fpu': 0 });
    expect(cell.after).toMatchObject({ preload: 0, 'X.has_fpu': 1 });
    run.until('X: mmx.update');
    expect(run.architecturalViolations).toContain('lost-update: X, x87=B:1');
  });

  it('two tasks: B goes on with its own live registers, and what it writes in the window is lost', () => {
    const run = given({
      platform: xenPv(),
      policies: [lazyCr0Ts({ era: 'linux-3.6' })],
      tasks: {
        A: program(mmx.write(), syscall('nanosleep')),
        B: program(mmx.write(), syscall('nanosleep'), mmx.update(), syscall('nanosleep'), mmx.read()),
      },
      pick: ['B', 'A', 'B', 'A'],
      alloc: ['ok', 'sleep'],
    });
    run.until('A: kmem_cache_alloc');
    expect(run.until('B: mmx.update')).toMatchObject({ fpregs: 'x87=B:2', 'B.has_fpu': 0, TS: 0 });
    expect(run.architecturalViolations).toEqual([]);
    run.finish();
    expect(run.architecturalViolations).toContain('lost-update: B, x87=B:1');
    expect(run.architecturalViolations.join()).not.toContain('leak');
  });
});

describe('(b) with the vCPU descheduled inside the window: note [*1] of the mail with the diagram says that closes the leak', () => {
  it.each([
    ['while the allocation sleeps', 'A: kmem_cache_alloc'],
    ['when B is back in user mode', 'B: return to user'],
  ])('it does not, %s: rTS is 1, vTS 0, B traps into Xen, which reloads silently', (_, moment) => {
    const run = start(xenPv());
    run.until(moment);
    expect(pvState(deschedule(run))).toBe('1/0/0/1');
    if (moment.startsWith('A')) run.until('B: return to user');
    expect(run.observe()).toMatchObject({ TS: 1, guest_ts: 0 });
    const from = run.moments.length;
    expect(run.until('B: mmx.read')).toMatchObject({ fpregs: 'x87=X:1', TS: 0, fpu_owner_task: 'X', 'B.has_fpu': 0 });
    expect(hypervisorSteps(run, from)).toEqual(['clts', 'load vCPU image', 'fpu_dirtied = 1', 'return to guest']);
    expect(guestMoments(run, from)).toEqual(['B: #NM', 'B: mmx.read']);
    expect(run.architecturalViolations).toContain('leak: B, x87=X:1');
  });

  it('what closes it is a guest stts(): kernel_fpu_end() in the window', () => {
    const run = given({
      platform: xenPv(),
      policies: [lazyCr0Ts({ era: 'linux-3.6' })],
      tasks: {
        X: program(mmx.write(), syscall('nanosleep')),
        A: program(mmx.write()),
        B: program(syscall('kernel_fpu'), mmx.read()),
      },
      pick: ['X', 'A', 'B'],
      alloc: ['ok', 'sleep'],
    });
    run.until('A: kmem_cache_alloc');
    expect(run.when('kernel-fpu-end', { task: 'B' }).after).toMatchObject({ TS: 1, guest_ts: 1 });
    run.until('B: mmx.read');
    expect(run.moments).toContain('B: #NM');
  });
});

describe('(c) xen-pv with guest-fix', () => {
  it('row by row, and clean', () => {
    const run = start(xenPv(), [GUEST_FIX]);
    expectRows(run, [
      ['1b', 'A: #NM handler', 0, 0, 'X', 'X', 0, 0, 0],
      ['1c', 'A: stts (guest-fix)', 1, 1, 'X', 'X', 0, 0, 0],
      ['2', 'A: kmem_cache_alloc', 1, 1, 'X', 'X', 0, 0, 0],
      ['3', 'B: return to user', 1, 1, 'X', 'X', 0, 0, 0],
      ['4', 'B: fpu_counter++', 0, 0, 'INIT', 'B', 0, 0, 1],
      ['5', 'B: mmx.write', 0, 0, 'B', 'B', 0, 0, 1],
      ['5 switched', 'A: finish_task_switch', 1, 1, 'B', 'B', 0, 0, 0],
      ['6', 'A: local_irq_disable', 1, 1, 'B', 'B', 1, 0, 0],
      ['7', 'A: clts (guest-fix)', 0, 0, 'B', 'B', 1, 0, 0],
      ['8', 'A: fpu_counter++', 0, 0, 'INIT', 'A', 1, 1, 0],
    ]);
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });

  it('row 7 with the vCPU descheduled: rTS stays 1 after clts, and the restore traps silently to Xen', () => {
    const run = start(xenPv(), [GUEST_FIX]);
    run.until('A: local_irq_disable');
    deschedule(run);
    expect(run.until('A: clts (guest-fix)')).toMatchObject({ TS: 1, guest_ts: 0 });
    const from = run.moments.length;
    expect(run.until('A: restore_fpu_checking')).toMatchObject({ TS: 0, fpregs: 'INIT' });
    expect(hypervisorSteps(run, from)).toContain('load vCPU image');
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });
});

describe('(d) fixes in the hypervisor', () => {
  it('d1 keep-both: 1/1 at handler entry and in the window, B traps; clean', () => {
    const run = start(xenPv(), [KEEP_BOTH]);
    expectRows(run, STICKY);
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });

  it('d1 with classic-guest: the restore in its handler traps and bounces without end', () => {
    const run = start(xenPv(), [KEEP_BOTH, CLASSIC_GUEST]);
    run.finish();
    expect(run.architecturalViolations).toContain('unexpected-fault: X');
    expect(run.moments.filter((moment) => moment === 'X: #NM').length).toBeGreaterThan(3);
    expect(run.moments).not.toContain('X: mmx.write');
  });

  it('d2 real-ts-only: 1/0 in the window; B traps into Xen, which loads silently: the leak remains', () => {
    const run = start(xenPv(), [REAL_TS_ONLY]);
    expectRows(run, [
      ['1b', 'A: #NM handler', 1, 0, 'X', 'X', 0, 0, 0],
      ['2', 'A: kmem_cache_alloc', 1, 0, 'X', 'X', 0, 0, 0],
      ['3', 'B: return to user', 1, 0, 'X', 'X', 0, 0, 0],
      ['4', 'B: mmx.read', 0, 0, 'X', 'X', 0, 0, 0],
      ['5', 'B: mmx.write', 0, 0, 'B', 'X', 0, 0, 0],
      ['6', 'A: finish_task_switch', 0, 0, 'B', 'X', 0, 0, 0],
    ]);
    run.finish();
    expect(run.architecturalViolations).toContain('leak: B, x87=X:1');
    expect(run.architecturalViolations).toContain('lost-update: B, x87=INIT');
  });

  it('d2 with classic-guest: the restore in its handler traps to Xen and is handled silently', () => {
    const run = start(xenPv(), [REAL_TS_ONLY, CLASSIC_GUEST]);
    run.until('X: mmx.write');
    expect(run.architecturalViolations).toEqual([]);
    run.finish();
    expect(run.architecturalViolations).toContain('leak: B, x87=X:1');
  });

  it('without a fix classic-guest works, and leaks as pvops does', () => {
    const run = start(xenPv(), [CLASSIC_GUEST]);
    expectRows(run, UNFIXED);
    expect(run.architecturalViolations).toContain('leak: B, x87=X:1');
  });
});

describe('(e) linux-4.2 on xen-pv', () => {
  it('row by row: no allocation, no window; clean', () => {
    const run = start(xenPv(), [], lazyCr0Ts({ era: 'linux-4.2' }));
    expectRows(run, [
      ['1b', 'A: #NM handler', 0, 0, 'X', 'X', 0, 0, 0],
      ['2', 'A: fpstate_active = 1', 0, 0, 'X', 'X', 1, 0, 0],
      ['3', 'A: fpregs_active = 1, owner = current', 0, 0, 'X', 'A', 1, 1, 0],
      ['4', 'A: kernel_fpu_enable', 0, 0, 'INIT', 'A', 1, 1, 0],
    ]);
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });
});
