/** What arguments on the command line look like. */
import { InvalidArgumentError } from 'commander';

/** `a,b`, or the flag again and again. */
export function list(value: string, previous: readonly string[] = []): readonly string[] {
  const names = value.split(',');
  if (!names.includes('')) return [...previous, ...names];
  throw new InvalidArgumentError('expected names with commas between them and nothing empty.');
}

/** The flag again and again. */
export const repeated = (value: string, previous: readonly string[] = []): readonly string[] => [...previous, value];

/** A whole number. */
export function count(max: number, min = 0): (value: string) => number {
  return (value) => {
    const number = /^\d{1,9}$/.test(value) ? Number(value) : NaN;
    if (number >= min && number <= max) return number;
    throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}.`);
  };
}

/** A bitmap of components: 64 bits, in hexadecimal. */
export function hexMask(value: string): bigint {
  if (/^0x[0-9a-f]{1,16}$/i.test(value)) return BigInt(value);
  throw new InvalidArgumentError(`expected hex mask like 0x2e7, found '${value}'.`);
}
