import type { ChoiceRequest, MachineEvent } from '@fpulab/core';
import { KEEP_BOTH } from '@fpulab/hypervisor';
import { GUEST_FIX } from '@fpulab/policies';
import { firstDifference, logDriver, type EventLog } from '@fpulab/eventlog';
import { eventsOf, fpuErrorOf, machineOf, read, record, type RunSetup } from './helpers';

const STEPS_MAX = 400;
const PREEMPTION: RunSetup = { scenario: 'preemption', seed: 2n, stepsMax: STEPS_MAX };

const choicesIn = (events: readonly MachineEvent[]): readonly MachineEvent[] =>
  events.filter(({ type }) => type === 'choice.made');

function logOf(setup: RunSetup): EventLog {
  return read(record(setup).text);
}

/** A choice between tasks, as a machine would ask it. */
function request(kind: number, alternatives: readonly number[], enabled: number): ChoiceRequest {
  return {
    kind,
    alternatives: Int32Array.from(alternatives),
    count: alternatives.length,
    enabled,
    name: (alternative) => `task${alternative}`,
  };
}

describe('a log that fits', () => {
  it.each<[string, RunSetup]>([
    ['the reproduction', {}],
    ['preemption at random', PREEMPTION],
    ['two CPUs at random', { scenario: 'migration', preset: 'linux-4.8', seed: 3n, stepsMax: STEPS_MAX }],
    ['a patched kernel on bare metal', { ...PREEMPTION, platform: 'bare-metal', patches: [GUEST_FIX] }],
  ])('%s: gives the same run, to the same state', (_what, setup) => {
    const { events, footer } = logOf(setup);
    expect(choicesIn(events).length).toBeGreaterThan(0);
    const driver = logDriver(events);
    const { machine, live } = eventsOf({ ...setup, choices: driver });
    expect(firstDifference(events, live)).toBeUndefined();
    expect(machine.digest()).toBe(footer.digest);
    expect(driver.getPosition()).toBe(choicesIn(events).length);
  });

  it('gives the same rest of the run after its machine was put back', () => {
    const { events } = logOf(PREEMPTION);
    const driver = logDriver(events);
    const machine = machineOf({ ...PREEMPTION, choices: driver });
    machine.run({ stepsMax: 100 });
    const [snapshot, position] = [machine.snapshot(), driver.getPosition()];
    machine.run({ stepsMax: STEPS_MAX - 100 });
    const digest = machine.digest();
    expect(driver.getPosition()).toBeGreaterThan(position);
    machine.restore(snapshot);
    driver.setPosition(position);
    expect(driver.getPosition()).toBe(position);
    machine.run({ stepsMax: STEPS_MAX - 100 });
    expect(machine.digest()).toBe(digest);
  });
});

describe('a log of another composition (FPU302)', () => {
  it('names both sides at the first choice that differs', () => {
    const { events } = logOf(PREEMPTION);
    const driver = logDriver(events);
    const machine = machineOf({ ...PREEMPTION, patches: [GUEST_FIX], choices: driver });
    const live: MachineEvent[] = [];
    machine.events$.subscribe((event) => live.push(event));
    const error = fpuErrorOf(() => machine.run({ stepsMax: STEPS_MAX }));
    const differs = choicesIn(events)[driver.getPosition()];
    expect([error.code, error.message, error.detail]).toEqual([
      'FPU302',
      `at event ${differs.seq} the log chose next, alternative 0 of 2, but now the run asks for alloc among ok, sleep, fail; was the composition changed?`,
      { enabled: ['ok', 'sleep', 'fail'] },
    ]);
    // All choices before it were the same, and are made as they were.
    const question = ({ data }: MachineEvent): object => data;
    expect(driver.getPosition()).toBeGreaterThan(0);
    expect(choicesIn(live).map(question)).toEqual(choicesIn(events).slice(0, driver.getPosition()).map(question));
  });

  it.each<[string, RunSetup, string, string]>([
    ['preset', { preset: 'linux-4.8' }, 'alloc, alternative 1 of 3', 'next among cpu0:continue, cpu0:preempt'],
    ['platform', { platform: 'bare-metal' }, 'next, alternative 0 of 2', 'alloc among ok, sleep, fail'],
    ['platform patch', { patches: [KEEP_BOTH] }, 'next, alternative 0 of 2', 'alloc among ok, sleep, fail'],
    ['scenario', { scenario: 'migration' }, 'pick, alternative 1 of 2', 'next among cpu0:continue, cpu1:continue'],
  ])('whatever was changed: the %s', (_what, change, then, now) => {
    const { events } = logOf(PREEMPTION);
    const driver = logDriver(events);
    const error = fpuErrorOf(() => machineOf({ ...PREEMPTION, ...change, choices: driver }).run());
    const { seq } = choicesIn(events)[driver.getPosition()];
    expect([error.code, error.message]).toEqual([
      'FPU302',
      `at event ${seq} the log chose ${then}, but now the run asks for ${now}; was the composition changed?`,
    ]);
  });

  it('is found at the first choice behind the end of the log', () => {
    const { events } = logOf({ ...PREEMPTION, stepsMax: 100 });
    const driver = logDriver(events);
    const error = fpuErrorOf(() => machineOf({ ...PREEMPTION, choices: driver }).run());
    const count = choicesIn(events).length;
    const names = error.detail.enabled as readonly string[];
    expect([error.code, error.message]).toEqual([
      'FPU302',
      `the log has ${count} choices, but the run asks for another: next among ${names.join(', ')}`,
    ]);
    expect(names[0]).toBe('cpu0:continue');
    expect(driver.getPosition()).toBe(count);
  });

  const recorded: MachineEvent = {
    seq: 7,
    type: 'choice.made',
    by: 'scheduler',
    cause: -1,
    data: { kind: 1, taken: 5, index: 1, count: 2, enabled: 42 },
  };

  it.each<[string, ChoiceRequest]>([
    ['another kind', request(0, [4, 5], 42)],
    ['more alternatives', request(1, [4, 5, 6], 42)],
    ['other alternatives, as their digest says', request(1, [6, 5], 43)],
    ['another one in the place of the one that was taken', request(1, [5, 4], 42)],
  ])('is one whose choice has %s', (_what, asked) => {
    const driver = logDriver([recorded]);
    const error = fpuErrorOf(() => driver.choose(asked));
    expect(error.code).toBe('FPU302');
    expect(error.message).toContain('at event 7 the log chose pick, alternative 1 of 2, but now the run asks for ');
    expect(driver.getPosition()).toBe(0);
    expect(driver.choose(request(1, [4, 5], 42))).toBe(1);
    expect(driver.getPosition()).toBe(1);
  });
});
