import * as fc from 'fast-check';
import {
  firstDriver,
  routine,
  scriptDriver,
  slot,
  step,
  type BasePolicy,
  type ChoiceDriver,
  type ComposeOptions,
  type CounterRange,
  type Slot,
} from '@fpulab/core';
import { dataOf, eventsOf, idleStep, machineOf, quietPolicy, recorded } from '../support/machines';
import { enabledNames } from '../support/requests';

/** What code may do with a counter. */
type Use = 'count' | 'reset' | 'ask';

const RANGE: CounterRange = { threshold: 2, modulus: 5 };

/** Uses a counter as told when its task starts; `answers` gets what isAbove() says. */
function using(
  uses: readonly Use[],
  range: CounterRange = RANGE,
): { policy: BasePolicy; hits: Slot; answers: boolean[] } {
  const hits = slot.taskCounter('hits', range);
  const answers: boolean[] = [];
  const nodes = uses.map((use, index) =>
    step(`${index}: ${use}`, (k) => {
      if (use === 'count') k.count(hits, k.task);
      else if (use === 'reset') k.write(hits, k.task, 0);
      else answers.push(k.isAbove(hits, k.task));
    }),
  );
  const policy = quietPolicy({
    slots: [hits],
    routines: [routine('test.exec', [...nodes, idleStep('end')])],
    hooks: { exec: 'test.exec' },
  });
  return { policy, hits, answers };
}

function answersOf(uses: readonly Use[], options: Partial<ComposeOptions> = {}, range?: CounterRange): string {
  const { policy, answers } = using(uses, range);
  machineOf({ tasks: { A: [] }, policy, compose: options }).run();
  return answers.map((above) => (above ? 'T' : 'F')).join('');
}

/** Answers the choices `count` from a list of numbers, the rest with the first alternative. */
function countsDriver(counts: readonly number[]): ChoiceDriver {
  let asked = 0;
  return { ...firstDriver(), choose: ({ kind }) => (kind === 5 ? counts[asked++] : 0) };
}

describe('a counter slot', () => {
  it('starts at 0, is one number per task, and carries its range', () => {
    expect(slot.taskCounter('hits', RANGE)).toEqual({
      name: 'hits',
      space: 'task',
      kind: 'number',
      initial: 0,
      counter: { threshold: 2, modulus: 5 },
      base: -1,
    });
    expect(slot.task('plain', 'number').counter).toBeUndefined();
  });

  it.each(['count', 'isAbove'] as const)('%s() of another slot is a bug that ends the run', (use) => {
    const plain = slot.task('plain', 'number');
    const policy = quietPolicy({
      slots: [plain],
      routines: [routine('test.exec', [step('use', (k) => void k[use](plain, k.task)), idleStep('end')])],
      hooks: { exec: 'test.exec' },
    });
    expect(() => machineOf({ tasks: { A: [] }, policy }).run()).toThrow("fpulab bug: 'plain' is no counter");
  });
});

describe('exact counters', () => {
  it('count up by one, and wrap at their modulus: one write each, no choice', () => {
    const { policy, hits } = using(Array<Use>(7).fill('count'));
    const seen = eventsOf(machineOf({ tasks: { A: [] }, policy }));
    const written = [1, 2, 3, 4, 0, 1, 2].map((value) => ({ slot: hits.base, value }));
    expect(dataOf(seen, 'slot.written')).toEqual(written);
    expect(dataOf(seen, 'choice.made')).toEqual([]);
  });

  it('are above their threshold when they are greater, not when they are equal', () => {
    const each = Array<readonly Use[]>(7).fill(['count', 'ask']).flat();
    expect(answersOf(['ask', ...each])).toBe('FFFTTFFF');
    expect(answersOf(['count', 'count', 'count', 'ask', 'reset', 'ask', 'count', 'ask'])).toBe('TFF');
  });

  it("are what 'exact' asks for, and what is there when nobody asks", () => {
    const uses: readonly Use[] = ['count', 'count', 'count', 'ask'];
    expect([answersOf(uses), answersOf(uses, { counters: 'exact' })]).toEqual(['T', 'T']);
  });

  it('are one per task', () => {
    const { policy, hits } = using(['count']);
    const machine = machineOf({ tasks: { A: [], B: [] }, policy });
    machine.run();
    expect([...machine.state.words.slice(hits.base, hits.base + 3)]).toEqual([1, 1, 0]);
  });
});

describe('abstract counters', () => {
  const abstract = (counts: readonly string[]): Partial<ComposeOptions> => ({
    counters: 'abstract',
    choices: scriptDriver({ count: counts }),
  });

  it("pass their threshold by the choice 'count': 0 is below, threshold + 1 above", () => {
    const { policy, hits } = using(['count', 'count']);
    const machine = machineOf({ tasks: { A: [] }, policy, compose: abstract(['above', 'below']) });
    const seen = recorded(machine);
    machine.run();
    const counted = seen.filter(({ type, data }) => type === 'slot.written' || data.kind === 5);
    const enabled = expect.any(Number) as number;
    expect(counted.map(({ type, by, data }) => [type, by, data])).toEqual([
      ['choice.made', 'scheduler', { kind: 5, taken: 3, index: 1, count: 2, enabled }],
      ['slot.written', 'quiet', { slot: hits.base, value: 3 }],
      ['choice.made', 'scheduler', { kind: 5, taken: 0, index: 0, count: 2, enabled }],
      ['slot.written', 'quiet', { slot: hits.base, value: 0 }],
    ]);
    expect(machine.state.words[hits.base]).toBe(0);
  });

  it("ask by the names 'below' and 'above', in this order, whatever the counter was", () => {
    const { policy } = using(['count', 'count', 'reset', 'count']);
    const asked: (readonly string[])[] = [];
    const choices: ChoiceDriver = {
      ...firstDriver(),
      choose(request) {
        asked.push(enabledNames(request));
        return 1;
      },
    };
    machineOf({ tasks: { A: [] }, policy, compose: { counters: 'abstract', choices } }).run();
    expect(asked).toEqual(Array(3).fill(['below', 'above']));
  });

  it('answer what was chosen last, and no after a reset: these runs and no others', () => {
    const uses: readonly Use[] = ['ask', 'count', 'ask', 'ask', 'reset', 'ask', 'count', 'ask'];
    const runs = [0, 1].flatMap((first) =>
      [0, 1].map((second) => answersOf(uses, { counters: 'abstract', choices: countsDriver([first, second]) })),
    );
    expect(runs).toEqual(['FFFFF', 'FFFFT', 'FTTFF', 'FTTFT']);
  });

  it('have every run of exact ones: their answers are the answers to some choices', () => {
    const seen = { above: 0, wrapped: 0 };
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom<Use>('count', 'count', 'count', 'ask', 'ask', 'reset'), { maxLength: 30 }),
        fc.nat({ max: 3 }),
        fc.integer({ min: 1, max: 4 }),
        (uses, threshold, room) => {
          const range = { threshold, modulus: threshold + room };
          const exact = answersOf(uses, {}, range);
          if (exact.includes('T')) seen.above++;
          // The choices that mimic it: whether the exact counter, kept here, is above after each count.
          let value = 0;
          const counts: number[] = [];
          for (const use of uses) {
            if (use === 'reset') value = 0;
            if (use !== 'count') continue;
            value = (value + 1) % range.modulus;
            if (value === 0) seen.wrapped++;
            counts.push(value > threshold ? 1 : 0);
          }
          const choices = countsDriver(counts);
          expect(answersOf(uses, { counters: 'abstract', choices }, range)).toBe(exact);
        },
      ),
      { numRuns: 150 },
    );
    expect(seen.above).toBeGreaterThan(0);
    expect(seen.wrapped).toBeGreaterThan(0);
  });
});
