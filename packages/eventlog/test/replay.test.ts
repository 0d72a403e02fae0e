import fc from 'fast-check';
import { MOVE_INSTRUCTIONS, SCENARIOS, eventTypes, type EventFieldKind, type MachineEvent } from '@fpulab/core';
import { firstDifference, foldEvents, openReplay, replayLog, stateLines, describeState } from '@fpulab/eventlog';
import { PLATFORMS } from '@fpulab/hypervisor';
import { PRESETS } from '@fpulab/policies';
import { everything, eventsOf, fpuErrorOf, linesOf, read, record, replaceAt, sealed } from './helpers';
import { holds } from './properties';
import { often } from '../../core/test/support/often';

const STEPS_MAX = often(120, 300);

describe('a log of every preset on every platform in every scenario', () => {
  it('every preset, platform and scenario is among the compositions that are tried', () => {
    const among = (column: 0 | 1 | 2): ReadonlySet<string> => new Set(everything().map((one) => one[column]));
    expect(among(0)).toEqual(new Set(PRESETS.map(({ id }) => id)));
    expect(among(1)).toEqual(new Set(Object.keys(PLATFORMS)));
    expect(among(2)).toEqual(new Set(SCENARIOS.map(({ id }) => id)));
  });

  it.each(everything())('%s on %s, %s: reads back and folds to the state of the run', (preset, platform, scenario) => {
    for (const seed of [0xfeedfacecafebeefn, undefined].slice(0, often(1, 2))) {
      const run = record({ preset, platform, scenario, seed, stepsMax: STEPS_MAX });
      const log = read(run.text);
      expect(firstDifference(run.live, log.events)).toBeUndefined();
      const { state, ...result } = replayLog(log);
      expect(result).toEqual({
        digest: run.machine.digest(),
        applied: run.live.length,
        complete: true,
        verdict: run.summary.verdict,
      });
      expect(Buffer.from(state.words.buffer).equals(Buffer.from(run.machine.state.words.buffer))).toBe(true);
      expect(stateLines(describeState(state, log.header)).length).toBeGreaterThan(0);
    }
  });
});

describe('replayLog', () => {
  const { text, live, machine } = record();
  const log = read(text);

  it('folds to any event, which is the state that the machine had there', () => {
    const cut = record({ stepsMax: 50 });
    const { state, ...result } = replayLog(log, { to: cut.live.length - 1 });
    expect(result).toEqual({
      digest: cut.machine.digest(),
      applied: cut.live.length,
      complete: false,
      verdict: null,
    });
    expect(state.words).toEqual(cut.machine.state.words);
  });

  it('folds nothing to -1 and everything to the last event', () => {
    expect(replayLog(log, { to: -1 })).toMatchObject({ applied: 0, complete: false, verdict: null });
    expect(replayLog(log, { to: live.length - 1 })).toMatchObject({ complete: true, digest: machine.digest() });
  });

  it('knows of a violation as soon as it has happened', () => {
    const first = live.findIndex(({ type, data }) => type === 'oracle.violated' && data.oracle === 0);
    expect(replayLog(log, { to: first - 1 }).verdict).toBeNull();
    expect(replayLog(log, { to: first }).verdict).toBe('violation');
  });

  it.each([-2, 1e6, 0.5, NaN])('refuses the step %d', (to) => {
    expect(fpuErrorOf(() => replayLog(log, { to })).code).toBe('FPU501');
  });

  it.each([
    ['the state digest', { digest: '0123456789abcdef' }],
    ['the verdict', { verdict: 'clean' }],
    ['the number of violations', { violations: 1 }],
  ])('finds %s that is not what the events say', (what, change) => {
    const lines = linesOf(text);
    const footer = JSON.stringify({ ...JSON.parse(lines[lines.length - 1]), ...change });
    const error = fpuErrorOf(() => replayLog(read(sealed(replaceAt(lines, lines.length - 1, footer)))));
    expect(error.code).toBe('FPU407');
    expect(error.message).toContain(what);
  });

  it('finds an event that was changed under a good checksum', () => {
    const lines = linesOf(text);
    const index = lines.map((line) => line.includes('"type":"slot.written"')).lastIndexOf(true);
    const changed = lines[index].replace(/"value":(-?\d+)/, (_, value) => `"value":${Number(value) + 1}`);
    expect(fpuErrorOf(() => replayLog(read(sealed(replaceAt(lines, index, changed))))).code).toBe('FPU407');
  });
});

describe('foldEvents', () => {
  const { text, live } = record();
  const { header } = read(text);

  it('can go on where it stopped', () => {
    const whole = openReplay(header);
    foldEvents(whole, live);
    const parts = openReplay(header);
    expect(foldEvents(parts, live, { to: 99 })).toBe(100);
    expect(foldEvents(parts, live.slice(100))).toBe(live.length - 100);
    expect(parts.words).toEqual(whole.words);
  });

  it('refuses events of a type that does not exist', () => {
    const event: MachineEvent = { seq: 0, type: 'task.teleported', by: 'kernel', cause: -1, data: {} };
    expect(fpuErrorOf(() => foldEvents(openReplay(header), [event])).code).toBe('FPU403');
  });

  it('folds at least a million events per second', () => {
    const { live: many } = eventsOf({ scenario: 'endless', stepsMax: 40_000 });
    const rates = Array.from({ length: 5 }, () => {
      const state = openReplay(header);
      const start = performance.now();
      foldEvents(state, many);
      return many.length / (performance.now() - start);
    });
    expect(Math.max(...rates) * 1000).toBeGreaterThan(1_000_000);
  });

  it('never throws for events that the reader lets through, however little sense they make', () => {
    const { sizes, componentBits, steps } = header;
    const words = openReplay(header).words.length;
    const ranges: Readonly<Record<EventFieldKind, fc.Arbitrary<number>>> = {
      cpu: fc.nat(sizes.cpu - 1),
      task: fc.nat(sizes.task - 1),
      fpstate: fc.nat(sizes.fpstate - 1),
      component: fc.constantFrom(...componentBits),
      pc: fc.integer({ min: -1, max: steps.length - 1 }),
      slot: fc.nat(words - 1),
      value: fc.integer(),
      mask: fc.integer(),
      digest: fc.integer(),
      number: fc.integer(),
      instruction: fc.nat(MOVE_INSTRUCTIONS.length - 1),
    };
    const event = fc.constantFrom(...eventTypes()).chain((type) =>
      fc.record(Object.fromEntries(type.fieldNames.map((name) => [name, ranges[type.fields[name]]]))).map((data) => ({
        type: type.name,
        data,
      })),
    );
    holds(
      fc.property(fc.array(event, { maxLength: 60 }), (list) => {
        const state = openReplay(header);
        const made = list.map(({ type, data }, seq) => ({ seq, type, by: 'kernel', cause: -1, data }));
        expect(foldEvents(state, made)).toBe(made.length);
        expect(state.words).toHaveLength(words);
        describeState(state, header);
      }),
      200,
    );
  });
});
