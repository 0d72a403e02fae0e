import {
  CHOICE_KINDS,
  firstDriver,
  parseSeed,
  replayDriver,
  scriptDriver,
  seededDriver,
  type ChoiceDriver,
  type ChoiceRequest,
} from '@fpulab/core';
import { fpuErrorOf } from '../support/errors';
import { request } from '../support/requests';

const pick = request('pick', 'A', 'B', 'X');
const alloc = request('alloc', 'ok', 'sleep', 'fail');

describe('choices', () => {
  it('have ten kinds, in an order that logs and replay strings rely on', () => {
    expect(CHOICE_KINDS).toEqual(['next', 'pick', 'alloc', 'program', 'fault', 'count', 'work', 'page', 'cpu', 'idle']);
  });
});

describe('the first driver', () => {
  it('always takes the first alternative and has no position', () => {
    const driver = firstDriver();
    expect([pick, alloc, pick].map((each) => driver.choose(each))).toEqual([0, 0, 0]);
    expect(driver.getPosition()).toBe(0);
    driver.setPosition(7);
    expect(driver.getPosition()).toBe(0);
    expect(driver.finish).toBeUndefined();
  });
});

describe('the script driver', () => {
  it('has one queue per kind; what is not listed takes the first alternative', () => {
    const driver = scriptDriver({ pick: ['X', 'B'], alloc: ['sleep'] });
    const answers = [pick, alloc, pick, alloc, pick, request('next', 'cpu0:continue', 'cpu0:preempt')];
    expect(answers.map((each) => driver.choose(each))).toEqual([2, 1, 1, 0, 0, 0]);
  });

  it('finds names by what is enabled now, not by position', () => {
    const driver = scriptDriver({ pick: ['B', 'B'] });
    expect(driver.choose(request('pick', 'A', 'B'))).toBe(1);
    expect(driver.choose(request('pick', 'B', 'A'))).toBe(0);
  });

  it('FPU301 when the wanted alternative is not enabled, with those that are', () => {
    const driver = scriptDriver({ pick: ['A', 'Z'] });
    driver.choose(pick);
    const error = fpuErrorOf(() => driver.choose(pick));
    expect(error.code).toBe('FPU301');
    expect(error.message).toBe("the schedule wants 'Z' at pick number 2, but enabled are: A, B, X");
    expect(error.detail).toEqual({ kind: 'pick', wanted: 'Z', enabled: ['A', 'B', 'X'] });
  });

  it('goes back to a position that was read, in all queues', () => {
    const driver = scriptDriver({ pick: ['X', 'B', 'A'], alloc: ['sleep', 'fail'], next: ['cpu0:preempt'] });
    driver.choose(pick);
    driver.choose(alloc);
    const position = driver.getPosition();
    const rest = (): readonly number[] => [driver.choose(pick), driver.choose(alloc), driver.choose(pick)];
    expect(rest()).toEqual([1, 2, 0]);
    driver.setPosition(position);
    expect(driver.getPosition()).toBe(position);
    expect(rest()).toEqual([1, 2, 0]);
    driver.setPosition(0);
    expect(driver.choose(pick)).toBe(2);
  });

  it('goes back to a position with queues for every kind, however many answers were taken from each', () => {
    const schedule = Object.fromEntries(CHOICE_KINDS.map((kind) => [kind, Array<string>(100).fill('b')]));
    const asked = CHOICE_KINDS.map((kind) => request(kind, 'a', 'b'));
    const takenFrom = (driver: ChoiceDriver): readonly number[] =>
      asked.map((each) => {
        let taken = 0;
        while (driver.choose(each) === 1) taken++;
        return taken;
      });
    for (const used of [
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
      [99, 0, 1, 100, 64, 33, 0, 2, 50, 7],
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 100],
      [100, 100, 100, 100, 100, 100, 100, 100, 100, 99],
    ]) {
      const driver = scriptDriver(schedule);
      used.forEach((count, kind) => {
        for (let answer = 0; answer < count; answer++) driver.choose(asked[kind]);
      });
      const position = driver.getPosition();
      const left = used.map((count) => 100 - count);
      expect(takenFrom(driver)).toEqual(left);
      driver.setPosition(position);
      expect(driver.getPosition()).toBe(position);
      expect(takenFrom(driver)).toEqual(left);
    }
  });
});

describe('the seeded driver', () => {
  const answers = (driver: ChoiceDriver, count: number): readonly number[] =>
    Array.from({ length: count }, () => driver.choose(pick));

  it('gives the same answers for the same seed', () => {
    expect(answers(seededDriver(42n), 200)).toEqual(answers(seededDriver(42n), 200));
  });

  it('gives other answers for another seed, in either half of its 64 bits', () => {
    const seeds = [0n, 1n, 1n << 32n, (1n << 32n) + 1n, (1n << 64n) - 1n];
    expect(new Set(seeds.map((seed) => answers(seededDriver(seed), 64).join(''))).size).toBe(5);
  });

  it('is pinned: seeds in logs and reports keep their meaning', () => {
    expect(answers(seededDriver(1n), 12).join('')).toBe('111122002200');
  });

  it('counts its answers, and goes on from any position as it did before', () => {
    const driver = seededDriver(7n);
    answers(driver, 10);
    expect(driver.getPosition()).toBe(10);
    const following = answers(driver, 20);
    driver.setPosition(10);
    expect(answers(driver, 20)).toEqual(following);
    const fresh = seededDriver(7n);
    fresh.setPosition(10);
    expect(answers(fresh, 20)).toEqual(following);
  });

  it.each([2, 3, 7])('is roughly uniform over %i alternatives', (count) => {
    const asked = request('pick', ...Array.from({ length: count }, (_, index) => String(index)));
    const driver = seededDriver(2013n);
    const hits = new Array<number>(count).fill(0);
    const draws = 7000;
    for (let draw = 0; draw < draws; draw++) hits[driver.choose(asked)]++;
    // Six standard deviations of a fair die.
    const tolerance = 6 * Math.sqrt((draws / count) * (1 - 1 / count));
    for (const hit of hits) expect(Math.abs(hit - draws / count)).toBeLessThan(tolerance);
  });

  it('two answers in a row are independent: all nine pairs of three alternatives occur about equally often', () => {
    const driver = seededDriver(5n);
    const pairs = new Map<string, number>();
    for (let draw = 0; draw < 9000; draw++) {
      const pair = `${driver.choose(pick)}${driver.choose(pick)}`;
      pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
    }
    expect(pairs.size).toBe(9);
    for (const count of pairs.values()) expect(Math.abs(count - 1000)).toBeLessThan(6 * Math.sqrt(1000));
  });

  it('carries on in seven of eight steps where something could intervene, so that programs get on', () => {
    const next: ChoiceRequest = {
      ...request('next', ...Array<string>(3).fill('')),
      // CPU 0 carries on, CPU 0 is interrupted by a hardirq, CPU 1 carries on.
      alternatives: Int32Array.of(0, 2, 8),
    };
    const driver = seededDriver(11n);
    const hits = [0, 0, 0];
    for (let draw = 0; draw < 24_000; draw++) hits[driver.choose(next)]++;
    // One in eight is a fair choice of all three, the rest of the two that carry on: 1/24 interrupts.
    expect(Math.abs(hits[1] - 1000)).toBeLessThan(6 * Math.sqrt(1000));
    expect(Math.abs(hits[0] - hits[2])).toBeLessThan(6 * Math.sqrt(24_000));
  });

  it('never answers outside what is enabled, one alternative included', () => {
    const driver = seededDriver(3n);
    const one = request('pick', 'A');
    for (let draw = 0; draw < 100; draw++) expect(driver.choose(one)).toBe(0);
  });
});

describe('the replay driver', () => {
  it('answers what was recorded, in order', () => {
    const driver = replayDriver([2, 0, 1]);
    expect([pick, alloc, pick].map((each) => driver.choose(each))).toEqual([2, 0, 1]);
    expect(() => driver.finish?.()).not.toThrow();
  });

  it('goes back to a position', () => {
    const driver = replayDriver([2, 0, 1]);
    driver.choose(pick);
    expect(driver.getPosition()).toBe(1);
    driver.setPosition(2);
    expect(driver.choose(pick)).toBe(1);
  });

  it('FPU302 when the run goes on after the last recorded choice', () => {
    const driver = replayDriver([0]);
    driver.choose(pick);
    const error = fpuErrorOf(() => driver.choose(pick));
    expect(error.code).toBe('FPU302');
    expect(error.message).toBe(
      'the recorded choices end after 1, but the run goes on; was it recorded with another composition?',
    );
    expect(error.detail).toEqual({ choices: 1 });
  });

  it('FPU302 when fewer alternatives are enabled than the recorded one needs', () => {
    const error = fpuErrorOf(() => replayDriver([3]).choose(pick));
    expect(error.code).toBe('FPU302');
    expect(error.message).toBe('choice 0 took alternative 3, but only 3 are enabled now');
    expect(error.detail).toEqual({ choice: 0, index: 3, count: 3 });
  });

  it('FPU302 when the run ends before the recorded choices do', () => {
    const driver = replayDriver([0, 1]);
    driver.choose(pick);
    const error = fpuErrorOf(() => driver.finish?.());
    expect(error.code).toBe('FPU302');
    expect(error.message).toBe('the run ended after 1 choices, but 2 were recorded');
    expect(error.detail).toEqual({ used: 1, recorded: 2 });
  });
});

describe('a seed as text', () => {
  it.each([
    ['0', 0n],
    ['42', 42n],
    ['0x2a', 42n],
    ['0xFFFFFFFFFFFFFFFF', (1n << 64n) - 1n],
    ['18446744073709551615', (1n << 64n) - 1n],
    ['007', 7n],
  ])('%s is %s', (text, seed) => {
    expect(parseSeed(text)).toBe(seed);
  });

  it.each(['', ' 1', '-1', '1.5', '1e3', 'abc', '0x', '0xg', '0x10000000000000000', '18446744073709551616', '1n'])(
    "FPU304 for '%s'",
    (text) => {
      const error = fpuErrorOf(() => parseSeed(text));
      expect(error.code).toBe('FPU304');
      expect(error.message).toBe(`a seed is a number from 0 to 2^64 - 1, decimal or 0x..., found '${text}'`);
      expect(error.detail).toEqual({ found: text });
    },
  );
});
