/**
 * A 64-bit digest of a packed state: two independent 32-bit mixers, not cryptographic.
 *
 * @returns 16 lower-case hexadecimal digits
 */
export function digestOf(words: Int32Array): string {
  let a = 0x9e3779b9;
  let b = 0x85ebca6b;
  for (let index = 0; index < words.length; index++) {
    const word = words[index];
    a = Math.imul(a ^ word, 0xcc9e2d51);
    a = (a << 15) | (a >>> 17);
    b = Math.imul(b + word, 0x1b873593) ^ (b >>> 13);
  }
  return hex32(finish(a ^ words.length)) + hex32(finish(b ^ words.length));
}

/** A 32-bit digest of a short list of numbers, for the enabled set of a choice. */
export function digest32(numbers: Int32Array, count: number, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let index = 0; index < count; index++) {
    hash = Math.imul(hash ^ numbers[index], 0x01000193);
    hash ^= hash >>> 15;
  }
  return finish(hash ^ count) | 0;
}

function finish(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hex32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}
