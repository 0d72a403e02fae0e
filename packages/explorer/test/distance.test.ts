import fc from 'fast-check';
import { CHOICES_MAX, choicesIn, distanceOf, isCounted, stepsIn } from '../src/distance';

const STEPS_MAX = 2 ** 17 - 1;
const choices = fc.integer({ min: 0, max: CHOICES_MAX });
const steps = fc.integer({ min: 0, max: STEPS_MAX });

it('keeps choices and steps', () => {
  fc.assert(
    fc.property(choices, steps, (some, taken) => {
      const distance = distanceOf(some, taken);
      expect([choicesIn(distance), stepsIn(distance)]).toEqual([some, taken]);
    }),
  );
});

it('orders by choices, then by steps', () => {
  fc.assert(
    fc.property(choices, steps, choices, steps, (a, b, c, d) => {
      expect(distanceOf(a, b) < distanceOf(c, d)).toBe(a < c || (a === c && b < d));
    }),
  );
});

it('is an int32 that is not negative', () => {
  expect(CHOICES_MAX).toBe(16_383);
  expect(distanceOf(CHOICES_MAX, STEPS_MAX)).toBe(2 ** 31 - 1);
  expect(distanceOf(0, 0)).toBe(0);
});

it('stays at the largest, which counts nothing any more', () => {
  expect(distanceOf(CHOICES_MAX + 1, 5)).toBe(distanceOf(CHOICES_MAX, 5));
  expect(distanceOf(3, STEPS_MAX + 1)).toBe(distanceOf(3, STEPS_MAX));
  expect(isCounted(distanceOf(CHOICES_MAX - 1, STEPS_MAX - 1))).toBe(true);
  expect(isCounted(distanceOf(CHOICES_MAX + 1, 5))).toBe(false);
  expect(isCounted(distanceOf(3, STEPS_MAX + 1))).toBe(false);
});
