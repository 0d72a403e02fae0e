import { mmx, program, scenarioOf, syscall, type Platform, type Scenario, type Sometimes } from '@fpulab/core';
import { bareMetal, xenPv } from '@fpulab/hypervisor';
import { lazyCr0Ts, type LazyEra } from '@fpulab/policies';
import { ALL_REDUCTIONS, NO_REDUCTIONS, explore, type Reductions } from '../src';

/** #NM handlers of the modelled kernels. */
const HANDLERS = ['math_state_restore', 'fpu__restore'];

const INSIDE: Sometimes = {
  id: 'b-inside-a',
  text: 'B used the FPU while A was inside its handler',
  tasks: ['A', 'B'],
  test: (event, [a, b], where) =>
    event.type === 'fpregs.read' && event.data.task === b && HANDLERS.some((handler) => where.isInside(a, handler)),
};

const NEVER: Sometimes = {
  id: 'c-read',
  text: 'C used the FPU',
  tasks: ['C'],
  test: (event, [task]) => event.type === 'fpregs.read' && event.data.task === task,
};

const SCENARIO: Scenario = {
  ...scenarioOf('xen-pv-leak'),
  tasks: ['A', 'B'].map((name) => ({ name, program: program(mmx.update(), syscall('nanosleep'), mmx.read()) })),
  oracles: ['atomic-sleep'],
  schedule: {},
};

function exploring(
  era: LazyEra,
  platform: () => Platform,
  sometimes: readonly Sometimes[],
  reductions: Partial<Reductions> = ALL_REDUCTIONS,
  { cpus = 1, statesMax = Infinity }: { readonly cpus?: number; readonly statesMax?: number } = {},
) {
  const scenario = { ...SCENARIO, sometimes, cpus };
  return explore({
    compose: () => ({ platform: platform(), policies: [lazyCr0Ts({ era })], scenario }),
    reductions,
    bounds: { memoryMax: 2 ** 26, statesMax },
  });
}

describe('what has to be reached', () => {
  it('makes a search without violations inconclusive when it is not, and is named', async () => {
    const { verdict, reason, complete, sometimes } = await exploring('linux-3.6', bareMetal, [INSIDE, NEVER]);
    expect([verdict, reason, complete]).toEqual(['inconclusive', 'never reached: C used the FPU', true]);
    expect(sometimes).toEqual([
      { id: 'b-inside-a', text: INSIDE.text, reached: true },
      { id: 'c-read', text: 'C used the FPU', reached: false },
    ]);
  });

  it.each([
    ['linux-3.6', 'Xen PV', xenPv, true],
    ['linux-3.6', 'bare metal', bareMetal, true],
    ['linux-4.2', 'Xen PV', xenPv, false],
    ['linux-4.2', 'bare metal', bareMetal, false],
  ] as const)('B uses the FPU while A is inside its handler: %s on %s: %#', async (era, _, platform, reached) => {
    for (const reductions of [ALL_REDUCTIONS, NO_REDUCTIONS]) {
      const { sometimes, verdict } = await exploring(era, platform, [INSIDE], reductions);
      expect(sometimes.map((one) => one.reached)).toEqual([reached]);
      expect(verdict).toBe(reached ? 'verified' : 'inconclusive');
    }
  });

  it('is looked for once more without partial order, which may pass it over', async () => {
    const { verdict, reason, phases } = await exploring(
      'linux-4.2',
      bareMetal,
      [NEVER],
      { abstractCounters: false },
      { cpus: 2 },
    );
    expect([verdict, reason]).toEqual(['inconclusive', 'never reached: C used the FPU']);
    expect(phases.map(({ kind, end, reductions }) => [kind, end, reductions.partialOrder])).toEqual([
      ['proof', 'exhausted', true],
      ['reach', 'exhausted', false],
    ]);

    const statesMax = phases[0].states + 1;
    const stopped = await exploring(
      'linux-4.2',
      bareMetal,
      [NEVER],
      { abstractCounters: false },
      { cpus: 2, statesMax },
    );
    expect([stopped.verdict, stopped.complete, stopped.reason]).toEqual([
      'inconclusive',
      true,
      `stopped at ${statesMax} states, until then not reached: C used the FPU`,
    ]);
  });
});
