/** Numbers for people. */

/** `3,611` */
export function grouped(number: number): string {
  return number.toLocaleString('en-US');
}

/** `1 state`, `3,611 states` */
export function counted(number: number, noun: string): string {
  return `${grouped(number)} ${noun}${number === 1 ? '' : 's'}`;
}

/** `0.53 s` */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 0)} s`;
}

/** Whole MiB. */
export function mebibytes(bytes: number): string {
  return grouped(Math.ceil(bytes / 2 ** 20));
}
