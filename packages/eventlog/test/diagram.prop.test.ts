import { ORACLES, type MachineEvent } from '@fpulab/core';
import {
  DIAGRAM_SIZE,
  headerOf,
  openReplay,
  renderDiagram,
  tellStory,
  type Lane,
  type LogHeader,
} from '@fpulab/eventlog';
import fc from 'fast-check';
import { everything, eventsOf, metaOf, type RunSetup } from './helpers';
import { holds } from './properties';

const setups: fc.Arbitrary<RunSetup> = fc
  .record({
    parts: fc.constantFrom(...everything()),
    seed: fc.nat(200).map(BigInt),
    stepsMax: fc.integer({ min: 1, max: 1500 }),
  })
  .map(({ parts: [preset, platform, scenario], ...rest }) => ({ preset, platform, scenario, ...rest }));

function run(setup: RunSetup): { readonly header: LogHeader; readonly events: readonly MachineEvent[] } {
  const { machine, live } = eventsOf(setup);
  return { header: headerOf(machine, metaOf(setup)), events: live };
}

function lanesOf({ header, events }: ReturnType<typeof run>): readonly Lane[] {
  const { tasks, programs, steps, roles, oracles } = header;
  return tellStory(events, { state: openReplay(header), tasks, programs, steps, roles, oracles });
}

const caption = { title: 't'.repeat(300), verdict: 'clean', notes: ['! '.padEnd(300, 'x'), 'b', 'c', 'd', 'e'] };

describe('the diagram of any run', () => {
  it('is at most 132 columns by 42 lines', () => {
    holds(
      fc.property(setups, (setup) => {
        const lines = renderDiagram(lanesOf(run(setup)), caption).split('\n');
        expect(lines.length).toBeLessThanOrEqual(DIAGRAM_SIZE.rows);
        expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(DIAGRAM_SIZE.columns);
      }),
      60,
    );
  });

  it('is the same for the same run', () => {
    holds(
      fc.property(setups, (setup) => {
        expect(renderDiagram(lanesOf(run(setup)), caption)).toBe(renderDiagram(lanesOf(run(setup)), caption));
      }),
      20,
    );
  });

  it('has lanes in time order, and a marked lane for every violation of a deciding oracle', () => {
    holds(
      fc.property(setups, (setup) => {
        const recorded = run(setup);
        const lanes = lanesOf(recorded);
        const starts = lanes.map(({ from }) => from);
        expect(starts).toEqual([...starts].sort((a, b) => a - b));
        const violated = recorded.events.some(
          ({ type, data }) => type === 'oracle.violated' && recorded.header.oracles.includes(ORACLES[data.oracle]),
        );
        expect(lanes.some(({ violation }) => violation)).toBe(violated);
      }),
      60,
    );
  });
});
