/**
 * The rows "CPU up" and "suspend" of the table of kernel generations: all that a CPU which comes up, or a machine that wakes, changes of what
 * one task has, of TS and of the owner.
 */
import { forever, mmx, program, sse, syscall, type BasePolicy, type Platform } from '@fpulab/core';
import { given, type Observation, type PolicySpec } from '@fpulab/core/testing';
import { bareMetal, xenPv } from '@fpulab/hypervisor';
import { KERNELS, beforeText, changesText, type KernelName } from '../cells';
import { nap } from '../support';

const OWNERS = ['fpu_owner_task', 'fpu_fpregs_owner_ctx', 'fpregs_owner'];

type Row = readonly [kernels: string, before: string, changes: string];

const rowsOf = (rows: readonly Row[]) =>
  rows.flatMap(([names, ...row]) => names.split(', ').map((kernel) => [kernel as KernelName, ...row] as const));

/** What differs, but for masks and for who runs. */
function changes(before: Observation, after: Observation): string {
  const names = Object.keys(before).filter((name) => before[name] !== after[name] && name !== 'current');
  return changesText({
    before,
    after,
    changes: Object.fromEntries(names.map((name) => [name, `${before[name]} -> ${after[name]}`])),
    moments: [],
  });
}

// --- suspend -------------------------------------------------------------------------------------------------------

const suspending = (make: () => BasePolicy): PolicySpec => {
  const run = given({
    platform: bareMetal(),
    policies: [make()],
    tasks: { A: program(sse.write(), syscall('suspend'), sse.read()) },
  });
  run.until('A: sse.write');
  return run;
};

const SUSPEND: readonly Row[] = [
  [
    'linux-2.6.32',
    'TS=0 fpregs=sse=A:1 image=INIT TS_USEDFPU=1 PF_USED_MATH=1',
    'TS 0 -> 1, fpregs sse=A:1 -> INIT, A.image INIT -> sse=A:1, A.TS_USEDFPU 1 -> 0',
  ],
  [
    'linux-3.6',
    'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
    'TS 0 -> 1, fpregs sse=A:1 -> INIT, A.image INIT -> sse=A:1, A.has_fpu 1 -> 0, fpu_owner_task A -> nobody',
  ],
  [
    'linux-4.1 lazy, linux-4.1 eager',
    'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
    'A.image INIT -> sse=A:1',
  ],
  [
    'linux-4.2 lazy, linux-4.8 lazy, linux-4.2 eager, linux-4.8 eager',
    'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
    'A.image INIT -> sse=A:1',
  ],
  ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=INIT initialized=1', 'A.image INIT -> sse=A:1'],
  [
    'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
    'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
    'fpregs sse=A:1 -> INIT, A.image INIT -> sse=A:1, A.TIF_NEED_FPU_LOAD 0 -> 1, fpu_fpregs_owner_ctx A -> nobody',
  ],
  [
    'rfc-2016',
    'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1 TIF_LOAD_FPU=0',
    'fpregs sse=A:1 -> INIT, A.image INIT -> sse=A:1, A.fpregs_active 1 -> 0, A.TIF_LOAD_FPU 0 -> 1, fpu_fpregs_owner_ctx A -> nobody',
  ],
  [
    'refresh-fpu',
    'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_REFRESH_FPU=0',
    'fpregs sse=A:1 -> INIT, A.believed 1 -> 2b, A.image INIT -> sse=A:1, fpregs_owner A -> nobody, A.last_cpu cpu0 -> none, A.memory_valid 0 -> 1, A.TIF_REFRESH_FPU 0 -> 1',
  ],
];

describe('suspend, registers in use', () => {
  it('has a row for every kernel', () => {
    expect(
      rowsOf(SUSPEND)
        .map(([kernel]) => kernel)
        .sort(),
    ).toEqual(Object.keys(KERNELS).sort());
  });

  it.each(rowsOf(SUSPEND))('%s: %s: %s', (kernel, before, changed) => {
    const run = suspending(KERNELS[kernel]);
    const seen = run.observe();
    expect(beforeText(seen, 'A')).toBe(before);
    expect(changes(seen, run.until('A: thaw_processes'))).toBe(changed);
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });

  it.each(Object.keys(KERNELS) as readonly KernelName[])(
    '%s: nothing of it is left while the machine sleeps',
    (kernel) => {
      const run = suspending(KERNELS[kernel]);
      expect(run.until('A: suspended to RAM')).toMatchObject({ TS: 0, fpregs: 'INIT', 'A.image': 'sse=A:1' });
    },
  );
});

// --- CPU up --------------------------------------------------------------------------------------------------------

/** A has used x87 on the CPU that goes down, and sleeps when it comes up; B has it taken down. */
function dying(make: () => BasePolicy, platform: () => Platform): PolicySpec {
  const run = given({
    platform: platform(),
    policies: [make()],
    cpus: 2,
    tasks: {
      A: program(mmx.write(), forever(nap)),
      B: program(syscall('cpu_down'), syscall('cpu_up'), forever(nap)),
    },
    pick: ['B', 'A', 'idle1'],
    interference: { idle: true },
  });
  run.onCpu(0).until('B: cpu_down');
  run.onCpu(1).until('A: nanosleep');
  run.onCpu(0).until('B: sys_cpu_down/cpu_down');
  run.onCpu(1).until('idle1: play_dead');
  return run;
}

/** `TS=0 fpregs=x87=A:1 owner=A` of the CPU that goes down. */
const ofCpu1 = (seen: Observation): string => {
  const owner = OWNERS.find((name) => `cpu1.${name}` in seen);
  const holds = [`TS=${seen['cpu1.TS']}`, `fpregs=${seen['cpu1.fpregs']}`];
  return [...holds, ...(owner === undefined ? [] : [`owner=${seen[`cpu1.${owner}`]}`])].join(' ');
};

/** What the guest of Xen PV finds in the processor while another one has it: its own registers are in the image of its vCPU. */
const ANOTHERS = 'x87=other-guest:1 sse=other-guest:1 avx=other-guest:1';

const NATIVE: readonly Row[] = [
  ['linux-2.6.32', 'TS=1 fpregs=x87=A:1', 'TS=1 fpregs=x87=A:1'],
  ['linux-3.6', 'TS=1 fpregs=x87=A:1 owner=A', 'TS=1 fpregs=x87=A:1 owner=A'],
  ['linux-4.1 lazy', 'TS=1 fpregs=x87=A:1 owner=A', 'TS=1 fpregs=x87=A:1 owner=nobody'],
  ['linux-4.2 lazy, linux-4.8 lazy', 'TS=1 fpregs=x87=A:1 owner=A', 'TS=1 fpregs=INIT owner=nobody'],
  ['linux-4.1 eager', 'TS=0 fpregs=x87=A:1 owner=A', 'TS=0 fpregs=x87=A:1 owner=nobody'],
  [
    'linux-4.2 eager, linux-4.8 eager, linux-4.14, linux-5.2, linux-5.14, linux-6.1, linux-6.12, rfc-2016, refresh-fpu',
    'TS=0 fpregs=x87=A:1 owner=A',
    'TS=0 fpregs=INIT owner=nobody',
  ],
];

const XEN_PV: readonly Row[] = [
  ['linux-2.6.32', `TS=1 fpregs=${ANOTHERS}`, `TS=1 fpregs=${ANOTHERS}`],
  ['linux-3.6, linux-4.1 lazy, linux-4.1 eager', `TS=1 fpregs=${ANOTHERS} owner=A`, `TS=1 fpregs=${ANOTHERS} owner=A`],
  ['linux-4.2 lazy, linux-4.8 lazy', `TS=1 fpregs=${ANOTHERS} owner=A`, 'TS=1 fpregs=INIT owner=A'],
  [
    'linux-4.2 eager, linux-4.8 eager, linux-4.14, linux-5.2, linux-5.14, linux-6.1, linux-6.12, rfc-2016',
    `TS=1 fpregs=${ANOTHERS} owner=A`,
    'TS=0 fpregs=INIT owner=A',
  ],
  ['refresh-fpu', `TS=1 fpregs=${ANOTHERS} owner=A`, 'TS=0 fpregs=INIT owner=nobody'],
];

describe.each([
  ['bare metal: native_cpu_up()', bareMetal, NATIVE],
  ['Xen PV: xen_cpu_up()', xenPv, XEN_PV],
] as const)('CPU up again, %s', (_, platform, rows) => {
  it('has a row for every kernel', () => {
    expect(
      rowsOf(rows)
        .map(([kernel]) => kernel)
        .sort(),
    ).toEqual(Object.keys(KERNELS).sort());
  });

  it.each(rowsOf(rows))('%s: %s: %s', (kernel, before, after) => {
    const run = dying(KERNELS[kernel], platform);
    expect(ofCpu1(run.observe())).toBe(before);
    run.onCpu(0).until('B: sys_cpu_up/cpu_up');
    expect(ofCpu1(run.onCpu(1).until('idle1: set_cpu_online'))).toBe(after);
  });
});
