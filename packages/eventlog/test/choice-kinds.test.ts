import { CHOICE_KINDS, compose, scenarioOf, seededDriver, type ChoiceDriver, type Machine } from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';
import { presetOf } from '@fpulab/policies';
import { decodeReplay, encodeReplay, firstDifference, logDriver, memorySink, recordLog } from '@fpulab/eventlog';
import { read } from './helpers';

const STEPS_MAX = 6000;

/** Signals with faulting frames, on Linux 3.6 with abstract counters: all kinds of choices. */
function everyKind(choices: ChoiceDriver, scenario = 'signals'): Machine {
  return compose({
    platform: bareMetal(),
    policies: presetOf('linux-3.6').policies(),
    scenario: scenarioOf(scenario),
    counters: 'abstract',
    choices,
  });
}

function recorded(machine: Machine) {
  const sink = memorySink();
  const recorder = recordLog(machine, { preset: null, seed: 1n, replay: null }, sink);
  const { outcome } = machine.run({ stepsMax: STEPS_MAX });
  recorder.finish({ outcome });
  return read(sink.text());
}

describe('logs and replay strings hold every kind of choice', () => {
  const { events, header } = recorded(everyKind(seededDriver(7n), 'signals.any-2'));
  const made = events.filter(({ type }) => type === 'choice.made').map(({ data }) => data);

  it('faults and counts among them, by their numbers', () => {
    const kinds = CHOICE_KINDS.filter((kind) => kind !== 'cpu' && kind !== 'idle');
    expect(new Set(made.map(({ kind }) => CHOICE_KINDS[kind]))).toEqual(new Set(kinds));
    expect(new Set(made.filter(({ kind }) => kind === 4).map(({ count }) => count))).toEqual(new Set([7]));
    expect(new Set(made.filter(({ kind }) => kind === 5).map(({ taken }) => taken))).toEqual(new Set([0, 6]));
    expect(header.scenario).toBe('signals.any-2');
  });

  it('which CPU goes down or comes up', () => {
    const hotplug = recorded(everyKind(seededDriver(7n), 'cpu-hotplug'));
    const cpus = hotplug.events.filter(({ type, data }) => type === 'choice.made' && data.kind === 8);
    expect(cpus.map(({ data }) => data.count)).toEqual([2]);
    const again = recorded(everyKind(logDriver(hotplug.events), 'cpu-hotplug'));
    expect(firstDifference(hotplug.events, again.events)).toBeUndefined();
  });

  it('how deep a CPU idles', () => {
    const idle = (choices: ChoiceDriver): Machine =>
      compose({
        platform: bareMetal(),
        policies: presetOf('linux-6.1').policies(),
        scenario: scenarioOf('cpu-hotplug-amx'),
        choices,
      });
    const taken = new Set<number>();
    for (const seed of [1n, 2n, 3n, 4n]) {
      const { events: slept } = recorded(idle(seededDriver(seed)));
      for (const { type, data } of slept) if (type === 'choice.made' && data.kind === 9) taken.add(data.taken);
      expect(firstDifference(slept, recorded(idle(logDriver(slept))).events)).toBeUndefined();
    }
    expect(taken).toEqual(new Set([0, 1]));
  });

  it('and a log repeats its run', () => {
    const again = recorded(everyKind(logDriver(events), 'signals.any-2'));
    expect(firstDifference(events, again.events)).toBeUndefined();
    expect(again.footer.digest).toBe(recorded(everyKind(seededDriver(7n), 'signals.any-2')).footer.digest);
  });

  it('as a replay string does, which names the variant of the scenario', () => {
    const setup = { preset: 'linux-3.6', platform: 'bare-metal', patches: [], cpu: 'sandybridge', cpus: 1, seed: null };
    const text = encodeReplay({ ...setup, scenario: 'signals.any-2' }, events);
    expect(text).toMatch(/^r1\.signals_any-2\.linux-3_6~bare-metal\./);
    const { scenario, driver } = decodeReplay(text);
    expect(scenario).toBe('signals.any-2');
    expect(firstDifference(events, recorded(everyKind(driver, scenario)).events)).toBeUndefined();
  });
});
