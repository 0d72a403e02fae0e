/** A task is preloaded when it used the FPU in more than this many consecutive time slices. Linux 3.6 switch_fpu_prepare(). */
export const PRELOAD_THRESHOLD = 5;

/** fpu_counter is an unsigned char: it wraps, so that a task that stopped using the FPU is noticed. */
export function nextCount(count: number): number {
  return (count + 1) & 0xff;
}
