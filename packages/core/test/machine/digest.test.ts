import { digestOf } from '@fpulab/core';
import { digest32 } from '../../src/machine/digest';
import { smallState } from '../support/states';

describe('the digest of a state', () => {
  it.each([
    ['no words', [], '92ca2f0ecb72770f'],
    ['one zero', [0], '790cd7e143388ebf'],
    ['two zeros', [0, 0], '491a3c93369269d7'],
    ['1, 2, 3', [1, 2, 3], 'a96028ea960a3fe6'],
    ['extreme words', [-1, 0x7fffffff, -0x80000000], '264465a056b2f09a'],
  ])('of %s is pinned', (_, words, digest) => {
    expect(digestOf(Int32Array.from(words))).toBe(digest);
  });

  it('of a fresh state of two CPUs and three tasks is pinned: logs of this version stay valid', () => {
    expect(digestOf(smallState().words)).toBe('7504d710c32f2e72');
  });

  it('is 16 lower-case hexadecimal digits', () => {
    expect(digestOf(Int32Array.of(5))).toMatch(/^[0-9a-f]{16}$/);
  });

  it('depends on order and on length', () => {
    const digests = [
      [1, 2],
      [2, 1],
      [1, 2, 0],
      [0, 1, 2],
    ].map((words) => digestOf(Int32Array.from(words)));
    expect(new Set(digests).size).toBe(4);
  });

  it('reads and does not write', () => {
    const words = Int32Array.of(1, 2, 3);
    digestOf(words);
    expect([...words]).toEqual([1, 2, 3]);
  });
});

describe('the digest of what is enabled at a choice', () => {
  it('looks at the first `count` numbers and at the kind', () => {
    const numbers = Int32Array.of(4, 5, 6);
    const digest = digest32(numbers, 2, 0);
    expect(digest32(Int32Array.of(4, 5, 99), 2, 0)).toBe(digest);
    expect(digest32(numbers, 3, 0)).not.toBe(digest);
    expect(digest32(numbers, 2, 1)).not.toBe(digest);
    expect(digest32(Int32Array.of(5, 4), 2, 0)).not.toBe(digest);
  });

  it('is an int32, as events carry', () => {
    const digest = digest32(Int32Array.of(1), 1, 3);
    expect(digest).toBe(digest | 0);
  });

  it('is pinned: replay strings of earlier versions stay valid', () => {
    expect(digest32(Int32Array.of(0, 1, 2), 3, 1)).toBe(-1277873300);
  });
});
