import { NO_COUNTS, countEvent, countEvents, type Counters } from '@fpulab/eventlog';
import { record } from './helpers';

describe('counters', () => {
  it('are all 0 before the first event', () => {
    expect(countEvents([])).toEqual({
      saves: 0,
      restores: 0,
      restoresSkipped: 0,
      traps: 0,
      cr0Writes: 0,
      msrWrites: 0,
      bytesSaved: 0,
      bytesRestored: 0,
    });
  });

  it.each<[string, Record<string, number>, Partial<Counters>]>([
    ['fpregs.saved', { bytes: 832 }, { saves: 1, bytesSaved: 832 }],
    ['fpregs.restored', { bytes: 512 }, { restores: 1, bytesRestored: 512 }],
    ['fpregs.restore-skipped', {}, { restoresSkipped: 1 }],
    ['trap.raised', {}, { traps: 1 }],
    ['cr0.written', {}, { cr0Writes: 1 }],
    ['task.slept', {}, {}],
  ])('%s counts', (type, data, counted) => {
    const event = { seq: 0, type, by: 'kernel', cause: -1, data };
    expect(countEvent(NO_COUNTS, event)).toEqual({ ...NO_COUNTS, ...counted });
  });

  it('add up over a run', () => {
    const { live } = record({ preset: 'linux-4.8', platform: 'bare-metal' });
    const count = (type: string): number => live.filter((event) => event.type === type).length;
    expect(countEvents(live)).toEqual({
      saves: count('fpregs.saved'),
      restores: count('fpregs.restored'),
      restoresSkipped: count('fpregs.restore-skipped'),
      traps: 0,
      cr0Writes: count('cr0.written'),
      msrWrites: 0,
      bytesSaved: 832 * count('fpregs.saved'),
      bytesRestored: 832 * count('fpregs.restored'),
    });
    expect(count('fpregs.saved')).toBeGreaterThan(0);
  });
});
