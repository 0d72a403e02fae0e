import {
  INIT,
  ORACLES,
  VALIDITY_NAMES,
  compose,
  either,
  forever,
  scenarioOf,
  sse,
  syscall,
  valueId,
  type MachineEvent,
  type OracleId,
} from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';
import { eager, lazyCr0Ts } from '@fpulab/policies';
import { combinations, built } from '../support/combinations';
import { CLEAR_TS, answering, dataOf, eventsOf, machineOf, recorded } from '../support/machines';
import * as fc from 'fast-check';

const [A1, B1] = [valueId(1, 1), valueId(2, 1)];

const violations = (seen: readonly MachineEvent[]): readonly object[] =>
  dataOf(seen, 'oracle.violated').map(({ oracle, ...data }) => ({ oracle: ORACLES[oracle], ...data }));

/** What happened to the validity of a task, by name. */
const validities = (seen: readonly MachineEvent[], task: number): readonly string[] =>
  dataOf(seen, 'validity.changed')
    .filter((data) => data.task === task)
    .map(({ to }) => VALIDITY_NAMES[to]);

describe('a kernel that switches tasks and leaves the registers alone', () => {
  const tasks = {
    A: [sse.write(), syscall('nanosleep'), sse.read()],
    B: [sse.read(), sse.write(), syscall('nanosleep')],
  };
  const found = violations(eventsOf(machineOf({ tasks, policy: answering({ 'cpu-up': CLEAR_TS }) })));

  it("leaks A's value to B, loses it, and leaks B's value to A: each reported once", () => {
    const of = (oracle: string): readonly object[] =>
      found.filter((each) => 'oracle' in each && each.oracle === oracle);
    expect(of('leak')).toEqual([
      { oracle: 'leak', cpu: 0, reader: 1, component: 1, value: A1, expected: INIT },
      { oracle: 'leak', cpu: 0, reader: 0, component: 1, value: B1, expected: A1 },
    ]);
    expect(of('lost-update')).toEqual([
      { oracle: 'lost-update', cpu: 0, reader: 0, component: 1, value: B1, expected: A1 },
    ]);
    expect(of('validity')).toEqual([{ oracle: 'validity', cpu: 0, reader: 0, component: 1, value: B1, expected: A1 }]);
    expect(of('atomic-sleep')).toEqual([]);
    expect(of('unexpected-fault')).toEqual([]);
  });
});

describe('a lazy kernel', () => {
  const tasks = {
    A: [sse.write(), syscall('nanosleep'), sse.read(), sse.write()],
    B: [sse.write(), syscall('sched_yield')],
  };
  const run = (): readonly MachineEvent[] => eventsOf(machineOf({ tasks, policy: lazyCr0Ts({ era: 'linux-3.6' }) }));

  it("takes A's state through unused, 1, 2a, 2b, 2a, 1 and back to unused", () => {
    expect(validities(run(), 0)).toEqual(['1', '2a', '2b', '2a', '1', 'unused']);
  });

  it('violates nothing but speculative-exposure', () => {
    expect(new Set(violations(run()).map((each) => 'oracle' in each && each.oracle))).toEqual(
      new Set(['speculative-exposure']),
    );
  });
});

describe('an eager kernel', () => {
  it('violates nothing at all, in the scenario that makes a lazy one on Xen PV leak', () => {
    const machine = compose({ platform: bareMetal(), policies: [eager()], scenario: scenarioOf('xen-pv-leak') });
    const seen = recorded(machine);
    machine.driver = built({ preset: 'linux-4.8', platform: 'bare-metal', scenario: 'xen-pv-leak', seed: 1n }).driver;
    machine.run();
    expect(violations(seen)).toEqual([]);
  });
});

describe('a fork where FNSAVE has to go to the image of the child', () => {
  it("has the parent's state in transit for a moment, which is legal", () => {
    const combination = { preset: 'linux-4.8', platform: 'bare-metal', scenario: 'x87-only', seed: 0n };
    const machine = built(combination);
    const seen = recorded(machine);
    expect(machine.run().outcome).toBe('finished');
    const ofA = validities(seen, machine.taskNames.indexOf('A'));
    expect(ofA.filter((name) => name === 'in transit')).toHaveLength(1);
    expect(violations(seen)).toEqual([]);
  });
});

describe('over seeds, presets, platforms and scenarios', () => {
  it('each oracle reports once per task and component', () => {
    let reports = 0;
    fc.assert(
      fc.property(combinations(), (combination) => {
        const machine = built(combination);
        const seen = recorded(machine);
        machine.run({ stepsMax: 800 });
        const keys = dataOf(seen, 'oracle.violated').map(
          ({ oracle, reader, component }) => `${ORACLES[oracle]} ${reader} ${component}`,
        );
        reports += keys.length;
        expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
      }),
      { numRuns: 40 },
    );
    expect(reports).toBeGreaterThan(0);
  });

  it('a choice of oracles changes nothing but what is told: the others tell the same', () => {
    let told = 0;
    fc.assert(
      fc.property(combinations(), fc.subarray([...ORACLES]), (combination, oracles) => {
        const lines = (chosen?: readonly OracleId[]): readonly string[] => {
          const machine = built(combination, chosen && { oracles: chosen });
          const seen = recorded(machine);
          machine.run({ stepsMax: 500 });
          return seen
            .filter(({ type, data }) => {
              if (type === 'oracle.violated') return oracles.includes(ORACLES[data.oracle]);
              return type !== 'validity.changed' || oracles.includes('validity');
            })
            .map(({ type, by, data }) => JSON.stringify([type, by, data]));
        };
        const chosen = lines(oracles);
        told += chosen.filter((line) => line.includes('oracle.violated')).length;
        expect(chosen.join('\n') === lines().join('\n')).toBe(true);
      }),
      { numRuns: 40 },
    );
    expect(told).toBeGreaterThan(0);
  });

  it('the validity of a task goes from where it was to somewhere else', () => {
    fc.assert(
      fc.property(combinations(), (combination) => {
        const machine = built(combination);
        const current = new Map<number, number>();
        const wrong: string[] = [];
        machine.events$.subscribe(({ seq, type, data }) => {
          if (type !== 'validity.changed') return;
          if (data.from !== (current.get(data.task) ?? 0) || data.to === data.from) wrong.push(`event ${seq}`);
          current.set(data.task, data.to);
        });
        machine.run({ stepsMax: 800 });
        expect(wrong).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  it('an endless program that may do anything finds no violation under an eager kernel on bare metal', () => {
    const anything = [forever(either(sse.write(), sse.read(), syscall('sched_yield'), syscall('kernel_fpu')))];
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 1n << 32n }), (seed) => {
        const machine = machineOf({
          tasks: { A: anything, B: anything },
          policy: eager(),
          interference: { preempt: 'full', hardirq: true, softirq: true },
        });
        machine.driver = built({ preset: 'linux-4.8', platform: 'bare-metal', scenario: 'endless', seed }).driver;
        const seen = recorded(machine);
        machine.run({ stepsMax: 1500 });
        expect(violations(seen)).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });
});
