/**
 * How far a state is from the start: choices first, then steps. One number, so that distances compare as numbers do.
 */

const STEP_BITS = 17;
const STEPS_MAX = (1 << STEP_BITS) - 1;
/** Choices that a distance can count. */
export const CHOICES_MAX = (1 << (31 - STEP_BITS)) - 1;

/** The distance of so many choices and steps; what is too far to count stays at the largest. */
export function distanceOf(choices: number, steps: number): number {
  return (Math.min(choices, CHOICES_MAX) << STEP_BITS) | Math.min(steps, STEPS_MAX);
}

/** False for a distance that is too far to count. */
export function isCounted(distance: number): boolean {
  return choicesIn(distance) < CHOICES_MAX && stepsIn(distance) < STEPS_MAX;
}

/** Choices on the way. */
export function choicesIn(distance: number): number {
  return distance >>> STEP_BITS;
}

/** Steps on the way. */
export function stepsIn(distance: number): number {
  return distance & STEPS_MAX;
}
