import * as fc from 'fast-check';
import { digestOf } from '@fpulab/core';

const int32 = fc.integer({ min: -0x80000000, max: 0x7fffffff });
const states = fc.array(int32, { minLength: 1, maxLength: 200 });

describe('the digest of a state', () => {
  it('changes when any single word changes', () => {
    fc.assert(
      fc.property(states, fc.nat(), int32, (words, where, value) => {
        const word = where % words.length;
        fc.pre(words[word] !== value);
        const changed = [...words];
        changed[word] = value;
        expect(digestOf(Int32Array.from(changed))).not.toBe(digestOf(Int32Array.from(words)));
      }),
      { numRuns: 500 },
    );
  });

  it('changes when any single bit flips', () => {
    fc.assert(
      fc.property(states, fc.nat(), fc.nat({ max: 31 }), (words, where, bit) => {
        const changed = Int32Array.from(words);
        changed[where % words.length] ^= 1 << bit;
        expect(digestOf(changed)).not.toBe(digestOf(Int32Array.from(words)));
      }),
      { numRuns: 500 },
    );
  });

  it('is a function of the words alone', () => {
    fc.assert(
      fc.property(states, (words) => {
        expect(digestOf(Int32Array.from(words))).toBe(digestOf(Int32Array.from(words)));
      }),
    );
  });
});

describe('a failing property', () => {
  it('prints a seed and a path that replay its counterexample at once', () => {
    const tried: number[] = [];
    const small = fc.property(fc.nat({ max: 10_000 }), (n) => {
      tried.push(n);
      return n < 1000;
    });
    const failed = fc.check(small, { seed: 20130306 });
    expect(failed.failed).toBe(true);
    expect(failed.counterexample).toEqual([1000]);

    const { seed, counterexamplePath } = failed;
    let report = '';
    try {
      fc.assert(small, { seed: 20130306 });
    } catch (error) {
      report = (error as Error).message;
    }
    expect(report).toContain(`{ seed: ${seed}, path: "${counterexamplePath}", endOnFailure: true }`);

    tried.length = 0;
    const replayed = fc.check(small, { seed, path: counterexamplePath ?? '', endOnFailure: true });
    expect(replayed.counterexample).toEqual([1000]);
    expect(tried).toEqual([1000]);
  });
});
