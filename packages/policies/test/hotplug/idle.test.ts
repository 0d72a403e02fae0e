/** A CPU that idles for long wants tiles to be INIT, 5.19 and later; one that does not, leaves them. Interrupts come before and after, and their handlers use the FPU. */
import { amx, compose, program, scenarioOf, syscall, type Patch, type Scenario } from '@fpulab/core';
import { given } from '@fpulab/core/testing';
import { bareMetal } from '@fpulab/hypervisor';
import { presetOf } from '../../src';
import { expectInOrder, found, judged } from '../explored';
import { removing } from '../support';

const ask = syscall('req_xcomp_perm');
const idling: Scenario = {
  ...scenarioOf('amx'),
  id: 'test-idle',
  title: 'a task with tiles sleeps, its CPU idles, and interrupts use the FPU',
  tasks: [{ name: 'A', program: program(ask, amx.configure(), amx.write(), syscall('nanosleep'), amx.read()) }],
  interference: { idle: true, hardirq: true, softirq: true, nesting: 1 },
  sometimes: [
    {
      id: 'tiles-released',
      text: 'tiles were released in the idle loop',
      tasks: [],
      test: ({ type, data }) => type === 'fpregs.initialised' && data.xfeatures === (1 << 17) + (1 << 18),
    },
    {
      id: 'tiles-kept',
      text: 'the CPU idled, and the registers were still those of the task',
      tasks: ['A'],
      test: ({ type, data }, [A]) => type === 'fpregs.restore-skipped' && data.task === A,
    },
    {
      id: 'interrupt-in-idle',
      text: 'an interrupt used the FPU while its CPU idled',
      tasks: ['A'],
      test: ({ type, data }, [A]) => type === 'hook.kernel-fpu-begin' && data.task !== A,
    },
  ],
};

describe('idle, with tiles in use and interrupts that use the FPU', () => {
  it.each([
    ['linux-6.1', 183],
    ['linux-6.12', 183],
  ])('%s: verified', async (preset, states) => {
    const { verdict, phases, sometimes } = await judged({ preset, scenario: idling });
    expect([verdict, phases[0].states]).toEqual(['verified', states]);
    expect(sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });

  it('a shallow state leaves the tiles where they are, and a deep one takes them', () => {
    const slept = (idle: readonly string[]) => {
      const machine = compose({
        platform: bareMetal(),
        policies: presetOf('linux-6.1').policies(),
        scenario: { ...idling, interference: { idle: true }, schedule: { pick: ['A', 'idle0', 'A'], idle } },
      });
      const seen: string[] = [];
      machine.events$.subscribe(({ type, data }) => {
        if (type === 'hook.idle') seen.push('deep');
        if (type === 'fpregs.restore-skipped' && data.task === 0) seen.push('valid');
        if (type === 'fpregs.initialised' && data.xfeatures === (1 << 17) + (1 << 18)) seen.push('released');
      });
      expect(machine.run().outcome).toBe('finished');
      return seen.slice(0, 3);
    };
    expect(slept(['shallow', 'shallow', 'shallow'])).toEqual(['valid']);
    expect(slept(['deep', 'shallow'])).toEqual(['deep', 'released']);
  });

  it('loses tiles where the registers keep their owner: the switch back loads nothing, and tile instructions are #UD', () => {
    const slept = (patches: readonly Patch[]) =>
      given({
        platform: bareMetal(),
        policies: presetOf('linux-6.1').policies(),
        patches,
        tasks: { A: idling.tasks[0].program },
        pick: ['A', 'idle0'],
        cpu: idling.cpu,
        xfeatures: idling.xfeatures,
      });
    const broken = slept([removing('owner-kept', 'idle', 'tiles are gone: owner = NULL')]);
    broken.until('idle0: tile_release');
    broken.until('A: #UD');
    const fixed = slept([]);
    fixed.until('idle0: tile_release');
    fixed.finish();
    expect(fixed.moments).toContain('A: amx.read');
    expect(fixed.moments).not.toContain('A: #UD');
  });

  it('which is a lost update, though nothing is read: the configuration of the tiles is gone', async () => {
    const patches = [removing('owner-kept', 'idle', 'tiles are gone: owner = NULL')];
    const { oracle, story } = await found({
      preset: 'linux-6.1',
      scenario: idling,
      patches,
      oracles: ['lost-update'],
    });
    expect(oracle).toBe('lost-update');
    expectInOrder(story, 'A: amx.write', 'idle0: tile_release', 'A: registers are valid', 'A: invalid_op');
  });
});
