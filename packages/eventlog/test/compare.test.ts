import { firstDifference } from '@fpulab/eventlog';
import { eventsOf, replaceAt } from './helpers';

describe('firstDifference', () => {
  const { live } = eventsOf({ stepsMax: 30 });

  it('is undefined for the same events', () => {
    expect(firstDifference(live, eventsOf({ stepsMax: 30 }).live)).toBeUndefined();
    expect(firstDifference([], [])).toBeUndefined();
  });

  it.each([
    ['seq', { seq: 99 }],
    ['type', { type: 'task.exited' }],
    ['by', { by: 'nobody' }],
    ['cause', { cause: 1 }],
    ['a value', { data: { ...live[7].data, cpu: 3 } }],
    ['an extra field', { data: { ...live[7].data, extra: 0 } }],
    ['a missing field', { data: {} }],
  ])('finds another %s', (_what, change) => {
    const found = { ...live[7], ...change };
    expect(firstDifference(live, replaceAt(live, 7, found))).toEqual({ at: 7, expected: live[7], found });
  });

  it('finds where the shorter list ends', () => {
    const at = live.length - 1;
    expect(firstDifference(live, live.slice(0, at))).toEqual({ at, expected: live[at], found: undefined });
    expect(firstDifference(live.slice(0, at), live)).toEqual({ at, expected: undefined, found: live[at] });
  });

  it('finds the choice at which two runs part', () => {
    const one = eventsOf({ scenario: 'preemption', seed: 1n, stepsMax: 100 });
    const other = eventsOf({ scenario: 'preemption', seed: 2n, stepsMax: 100 });
    const difference = firstDifference(one.live, other.live);
    expect(difference?.expected?.type).toBe('choice.made');
    expect(difference?.expected?.data.enabled).toBe(difference?.found?.data.enabled);
    expect(difference?.expected?.data.index).not.toBe(difference?.found?.data.index);
  });
});
