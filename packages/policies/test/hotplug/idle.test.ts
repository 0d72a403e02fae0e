/** A CPU that idles for long wants tiles to be INIT: 5.19 and later. Interrupts come before and after, and their handlers use the FPU. */
import { amx, program, scenarioOf, syscall, type Patch, type Scenario } from '@fpulab/core';
import { given } from '@fpulab/core/testing';
import { bareMetal } from '@fpulab/hypervisor';
import { presetOf } from '../../src';
import { judged } from '../explored';
import { removing } from '../support';

jest.setTimeout(60_000);

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
      id: 'interrupt-in-idle',
      text: 'an interrupt used the FPU while its CPU idled',
      tasks: ['A'],
      test: ({ type, data }, [A]) => type === 'hook.kernel-fpu-begin' && data.task !== A,
    },
  ],
};

describe('idle, with tiles in use and interrupts that use the FPU', () => {
  it.each([
    ['linux-6.1', 149],
    ['linux-6.12', 149],
  ])('%s: verified', async (preset, states) => {
    const { verdict, phases, sometimes } = await judged({ preset, scenario: idling });
    expect([verdict, phases[0].states]).toEqual(['verified', states]);
    expect(sometimes.filter(({ reached }) => !reached)).toEqual([]);
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
});
