/**
 * The rows "CPU up" and "suspend" of the table of kernel generations: all that a CPU which comes up, or a machine that wakes, changes of what
 * one task has, of TS and of the owner.
 */
import { forever, mmx, program, sse, syscall, type BasePolicy, type Platform } from '@fpulab/core';
import { given, type Observation, type PolicySpec } from '@fpulab/core/testing';
import { bareMetal, xenPv } from '@fpulab/hypervisor';
import { KERNELS, beforeText, changesText, type KernelName, type Row } from '../cells';
import { NATIVE_CPU_UP_ROWS, SUSPEND_ROWS, XEN_CPU_UP_ROWS } from '../rows/hotplug';
import { nap } from '../support';

const OWNERS = ['fpu_owner_task', 'fpu_fpregs_owner_ctx', 'fpregs_owner'];

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

describe('suspend, registers in use', () => {
  it('has a row for every kernel', () => {
    expect(
      rowsOf(SUSPEND_ROWS)
        .map(([kernel]) => kernel)
        .sort(),
    ).toEqual(Object.keys(KERNELS).sort());
  });

  it.each(rowsOf(SUSPEND_ROWS))('%s: %s: %s', (kernel, before, changed) => {
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

describe.each([
  ['bare metal: native_cpu_up()', bareMetal, NATIVE_CPU_UP_ROWS],
  ['Xen PV: xen_cpu_up()', xenPv, XEN_CPU_UP_ROWS],
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
