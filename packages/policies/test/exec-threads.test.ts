/** execve() in a process of several threads: the others die first, wherever their registers are. */
import {
  amx,
  compose,
  enqcmd,
  fork,
  program,
  scenarioOf,
  seededDriver,
  sse,
  syscall,
  type Operation,
  type Scenario,
  type TaskSpec,
} from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';
import { loadFpuDeferral, presetOf } from '../src';
import { judged } from './explored';

jest.setTimeout(120_000);

const scenario = 'exec-threads';

it.each([
  ['linux-2.6.32', 12_895],
  ['linux-3.6', 23_825],
  ['linux-4.1-eager', 2_137],
  ['linux-4.14', 1_630],
  ['linux-5.10', 18_573],
  ['linux-6.1', 16_481],
])('%s: verified', async (preset, states) => {
  const exploration = await judged({ preset, scenario });
  expect([exploration.verdict, exploration.states]).toEqual(['verified', states]);
  expect(exploration.sometimes.filter(({ reached }) => !reached)).toEqual([]);
});

it.each([1, 2])('nobody runs user code of the old program when the new one has begun: random runs, %d CPUs', (cpus) => {
  const base = scenarioOf(scenario);
  let waits = 0;
  for (let seed = 1n; seed <= 60n; seed++) {
    const machine = compose({
      platform: bareMetal(),
      policies: presetOf('linux-6.1').policies(),
      scenario: { ...base, interference: { ...base.interference, preempt: 'full', migration: true } },
      cpus,
      choices: seededDriver(seed),
    });
    let execs = 0;
    machine.events$.subscribe(({ type, data }) => {
      if (type === 'task.execed' && data.task === 0) execs++;
      if (type === 'exec.waited') waits++;
      // The first execve() is that of boot.
      if (type === 'user.stepped' && data.task === 1) expect(execs).toBe(1);
    });
    expect(machine.run().outcome).toBe('finished');
    expect(execs).toBe(2);
  }
  expect(waits).toBeGreaterThan(10);
});

const threadOfA = (own: Operation[]): TaskSpec => ({
  name: 'T',
  threadOf: 'A',
  unborn: true,
  program: program(...own),
});

it('the permission for tiles goes with the old program, and the PASID with its mm', async () => {
  const tiles: Scenario = {
    ...scenarioOf('amx-threads'),
    tasks: [
      {
        name: 'A',
        program: program(fork('T'), syscall('req_xcomp_perm'), syscall('execve'), amx.configure(), amx.write()),
      },
      threadOfA([amx.configure(), amx.write(), amx.read()]),
    ],
    sometimes: [
      {
        id: 'A-died-in-nm',
        text: 'the new program had not asked for tiles',
        tasks: ['A'],
        test: ({ type, data }, [A], where) =>
          type === 'task.exiting' && data.task === A && where.isInside(A, 'device_not_available'),
      },
    ],
  };
  const pasids: Scenario = {
    ...scenarioOf('enqcmd-threads'),
    tasks: [
      { name: 'A', program: program(fork('T'), syscall('sva_bind'), enqcmd(), syscall('execve'), enqcmd()) },
      threadOfA([enqcmd(), sse.read()]),
    ],
    sometimes: [
      {
        id: 'pasid-dropped',
        text: 'the PASID was given back by execve()',
        tasks: ['A'],
        test: ({ type, data }, [A], where) =>
          type === 'mm.pasid-written' && data.value === 0 && where.isInside(A, 'sys_execve'),
      },
    ],
  };
  for (const each of [tiles, pasids]) {
    const { verdict, sometimes } = await judged({ preset: 'linux-6.1', scenario: each });
    expect([verdict, sometimes.filter(({ reached }) => !reached)]).toEqual(['verified', []]);
  }
});

it('refuses what would need more: another thread than the first', () => {
  const base = scenarioOf(scenario);
  const [a, t, b] = base.tasks;
  const make = () =>
    compose({
      platform: bareMetal(),
      policies: [loadFpuDeferral({ era: 'linux-6.1' })],
      scenario: { ...base, tasks: [a, { ...t, program: program(syscall('execve')) }, b] },
    });
  expect(make).toThrow(/task T of the scenario 'exec-threads' is not the first thread of its process/);
});
