/** What a step does is a function of what it looks at: the explorer shares steps between states that agree in that. */
import * as fc from 'fast-check';
import { ORACLES, partOfField, type ChoiceDriver, type Machine, type OracleId, type Probe } from '@fpulab/core';
import { ORACLE_SLOTS } from '../../src/machine/state';
import { built, combinations } from '../support/combinations';

const STEPS_MAX = 200;
const RUNS = { numRuns: 40 };
/** All but `validity` and `livelock`, which look at everything; and without `speculative-exposure`, which looks at all that others do. */
const NARROW: readonly OracleId[] = ORACLES.filter((id) => id !== 'validity' && id !== 'livelock');
const NARROWER: readonly OracleId[] = NARROW.filter((id) => id !== 'speculative-exposure');

/** What a step asked and was answered. */
type Question = readonly [kind: number, alternatives: readonly number[], index: number];

interface Step {
  readonly trail: readonly number[];
  readonly changed: Uint8Array;
  readonly questions: readonly Question[];
  readonly violations: readonly (readonly number[])[];
  readonly after: Int32Array;
}

/** Takes steps and says what they did. */
function stepper(machine: Machine): { step: (answer: ChoiceDriver['choose']) => Step | undefined; probe: Probe } {
  const probe = machine.probe();
  const { footprint } = probe;
  let violations: number[][] = [];
  probe.onViolation((...violation) => violations.push(violation));
  const step = (answer: ChoiceDriver['choose']): Step | undefined => {
    const questions: Question[] = [];
    violations = [];
    footprint.clear();
    machine.driver = {
      choose(request) {
        const index = answer(request);
        questions.push([request.kind, [...request.alternatives.subarray(0, request.count)], index]);
        return index;
      },
      getPosition: () => 0,
      setPosition: () => {},
    };
    const count = probe.enabledActions();
    if (count === 0) return undefined;
    probe.stepAmong(count);
    const { trail, changed } = footprint;
    return { trail: [...trail], changed: changed.slice(), questions, violations, after: machine.snapshot() };
  };
  return { step, probe };
}

/** By word: the part that it belongs to. What oracles have reported belongs to none. */
function partsOf({ state: { layout, words, at } }: Machine): readonly number[] {
  const parts: number[] = Array.from(words, () => -1);
  for (const field of layout.fields.filter(({ name }) => name !== 'task.reported')) {
    for (let word = 0; word < field.instances * field.width; word++) {
      parts[field.base + word] = partOfField(field, at, Math.floor(word / field.width));
    }
  }
  return parts;
}

describe('a step, over seeds, presets, platforms and scenarios', () => {
  it('changes only what its footprint names, and does the same where all that its footprint does not name is different', () => {
    let compared = 0;
    fc.assert(
      fc.property(combinations(), fc.constantFrom(NARROW, NARROWER, []), (combination, oracles) => {
        const machine = built(combination, { oracles });
        const { driver } = machine;
        const { step, probe } = stepper(machine);
        const { words, at } = machine.state;
        const parts = partsOf(machine);
        for (let steps = 0; steps < STEPS_MAX; steps++) {
          words.fill(0, at.reported, at.reported + ORACLE_SLOTS * at.tasks);
          const before = machine.snapshot();
          const plain = step((request) => driver.choose(request));
          if (!plain) break;
          expect(probe.footprint.everything).toBe(false);
          const seen = new Set(plain.trail);
          const other = before.map((word, place) => (parts[place] < 0 || seen.has(parts[place]) ? word : -77 - place));
          for (let task = 0; task < at.tasks; task++) {
            if (!seen.has(probe.footprint.scheduleOf(task))) continue;
            for (const field of [at.lifecycle, at.pickedBy, at.lastRan]) other[field + task] = before[field + task];
          }
          machine.restore(other);
          let asked = 0;
          const again = step(() => plain.questions[asked++][2]);
          expect(again).toMatchObject({ trail: plain.trail, changed: plain.changed });
          expect([again?.questions, again?.violations]).toEqual([plain.questions, plain.violations]);
          const expected = plain.after.map((word, place) => (seen.has(parts[place]) ? word : other[place]));
          words.fill(0, at.reported, at.reported + ORACLE_SLOTS * at.tasks);
          expected.fill(0, at.reported, at.reported + ORACLE_SLOTS * at.tasks);
          expect(machine.snapshot()).toEqual(expected);
          const changes = (part: number, place: number): boolean => part >= 0 && plain.after[place] !== before[place];
          expect(parts.filter((part, place) => changes(part, place) && plain.changed[part] === 0)).toEqual([]);
          compared++;
          machine.restore(plain.after);
        }
      }),
      RUNS,
    );
    expect(compared).toBeGreaterThan(3000);
  });
});
