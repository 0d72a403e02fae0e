import * as fc from 'fast-check';
import { applyEvent, eventType, replayDriver, seededDriver, type Machine, type MachineEvent } from '@fpulab/core';
import { recorded } from '../support/machines';
import { built, combinations, type Combination } from '../support/combinations';

const RUNS = { numRuns: 40 };
const STEPS_MAX = 600;

const steps = fc.nat({ max: 400 });

function stepUpTo(machine: Machine, count: number): void {
  machine.boot();
  for (let step = 0; step < count; step++) if (!machine.step()) return;
}

/** What happened, without positions, one line per event. */
const bare = (seen: readonly MachineEvent[]): readonly string[] =>
  seen.map(({ type, by, data }) => JSON.stringify({ type, by, data }));

/** The first line in which two logs differ; undefined when there is none. */
function firstDifference(a: readonly string[], b: readonly string[]): string | undefined {
  const longer = a.length > b.length ? a : b;
  const at = longer.findIndex((_, index) => a[index] !== b[index]);
  return at < 0 ? undefined : `event ${at}: ${a[at] ?? 'none'} against ${b[at] ?? 'none'}`;
}

describe('a run, over seeds, presets, platforms and scenarios', () => {
  it('is the same when it is repeated: events and digest', () => {
    fc.assert(
      fc.property(combinations(), (combination) => {
        const runs = [1, 2].map(() => {
          const machine = built(combination);
          const seen = recorded(machine);
          machine.run({ stepsMax: STEPS_MAX });
          return { log: seen.map((event) => JSON.stringify(event)), digest: machine.digest() };
        });
        expect(firstDifference(runs[0].log, runs[1].log)).toBeUndefined();
        expect(runs[0].digest).toBe(runs[1].digest);
      }),
      RUNS,
    );
  });

  it('ends in the same state without anybody who listens', () => {
    fc.assert(
      fc.property(combinations(), (combination) => {
        const [listened, alone] = [built(combination), built(combination)];
        recorded(listened);
        expect(alone.run({ stepsMax: STEPS_MAX })).toEqual(listened.run({ stepsMax: STEPS_MAX }));
        expect(alone.digest()).toBe(listened.digest());
        expect(alone.eventCount).toBe(listened.eventCount);
      }),
      RUNS,
    );
  });

  it('is the fold of its events: applying them to a fresh state ends in the same digest', () => {
    fc.assert(
      fc.property(combinations(), (combination) => {
        const [machine, fresh] = [built(combination), built(combination)];
        machine.events$.subscribe(({ type, data }) => {
          const found = eventType(type);
          if (found) applyEvent(fresh.state, found, data);
        });
        machine.run({ stepsMax: STEPS_MAX });
        expect(fresh.digest()).toBe(machine.digest());
      }),
      RUNS,
    );
  });

  it('is repeated by its recorded choices', () => {
    fc.assert(
      fc.property(
        combinations(({ id }) => id !== 'endless'),
        (combination) => {
          const machine = built(combination);
          const seen = recorded(machine);
          const result = machine.run({ stepsMax: STEPS_MAX });
          const choices = seen.filter(({ type }) => type === 'choice.made').map(({ data }) => data.index);
          const again = built(combination, { choices: replayDriver(choices) });
          expect(again.run({ stepsMax: STEPS_MAX })).toEqual(result);
          expect(again.digest()).toBe(machine.digest());
        },
      ),
      RUNS,
    );
  });
});

describe('a snapshot in the middle of a run', () => {
  /** Runs on from a snapshot and returns what happens. */
  function onwards(machine: Machine, more: number): readonly string[] {
    const seen: MachineEvent[] = [];
    const subscription = machine.events$.subscribe((event) => seen.push(event));
    stepUpTo(machine, more);
    subscription.unsubscribe();
    return [...bare(seen), machine.digest()];
  }

  it('restored, continues as before', () => {
    fc.assert(
      fc.property(combinations(), steps, steps, (combination, before, after) => {
        const machine = built(combination);
        stepUpTo(machine, before);
        const snapshot = machine.snapshot();
        const position = machine.driver.getPosition();
        const digest = machine.digest();
        const first = onwards(machine, after);
        machine.restore(snapshot);
        machine.driver.setPosition(position);
        expect(machine.digest()).toBe(digest);
        expect(firstDifference(onwards(machine, after), first)).toBeUndefined();
      }),
      RUNS,
    );
  });

  it('restored into a fresh machine, continues there', () => {
    fc.assert(
      fc.property(combinations(), steps, steps, (combination, before, after) => {
        const machine = built(combination);
        stepUpTo(machine, before);
        const other = elsewhere(combination, machine);
        expect(firstDifference(onwards(other, after), onwards(machine, after))).toBeUndefined();
      }),
      RUNS,
    );
  });

  function elsewhere(combination: Combination, machine: Machine): Machine {
    const driver = seededDriver(combination.seed);
    driver.setPosition(machine.driver.getPosition());
    const other = built(combination, { choices: driver });
    machine.boot();
    other.restore(machine.snapshot());
    return other;
  }
});
