import * as fc from 'fast-check';
import { firstDriver, seededDriver, type ChoiceDriver } from '@fpulab/core';
import { ACTION, ACTION_BITS, CHOICE } from '../../src/kernel/choices';
import { built, combinations } from '../support/combinations';
import { nameOf } from '../support/states';

const STEPS_MAX = 500;
const RUNS = { numRuns: 40 };

/** Takes the wanted action of `next`, and lets another driver answer the rest. */
function following(wanted: { action: number }, rest: ChoiceDriver): ChoiceDriver {
  return {
    ...firstDriver(),
    choose(request) {
      if (request.kind !== CHOICE.next) return rest.choose(request);
      return request.alternatives.subarray(0, request.count).indexOf(wanted.action);
    },
  };
}

describe('a machine under a probe, over seeds, presets, platforms and scenarios', () => {
  it('takes the steps that step() takes', () => {
    fc.assert(
      fc.property(combinations(), (combination) => {
        const [plain, probed] = [built(combination), built(combination)];
        const probe = probed.probe();
        for (let step = 0; step < STEPS_MAX; step++) {
          const count = probe.enabledActions();
          expect(plain.step()).toBe(count > 0);
          if (count === 0) break;
          probe.stepAmong(count);
        }
        expect(probed.digest()).toBe(plain.digest());
      }),
      RUNS,
    );
  });

  it('a step that touched nothing shared changed words of its CPU, of its task, and of the task that it switches to', () => {
    let quiet = 0;
    fc.assert(
      fc.property(combinations(), (combination) => {
        const machine = built(combination);
        const probe = machine.probe();
        const { words, at, layout } = machine.state;
        const spaces = layout.fields.map(({ base, instances, width, space }) => ({
          space,
          width,
          base,
          end: base + instances * width,
        }));
        let acting = -1;
        machine.events$.subscribe(({ type, data }) => {
          if (/^(kernel\.stepped|context\.entered|trap\.raised|guest\.exited)$/.test(type)) acting = data.cpu;
        });
        for (let step = 0; step < STEPS_MAX; step++) {
          const before = machine.snapshot();
          probe.touchedShared = false;
          if (!machine.step()) break;
          if (probe.touchedShared) continue;
          quiet++;
          const task = before[at.current + acting];
          const wrong: string[] = [];
          words.forEach((value, word) => {
            if (value === before[word]) return;
            const field = spaces.find(({ base, end }) => word >= base && word < end);
            const instance = field ? Math.floor((word - field.base) / field.width) : -1;
            const own =
              (field?.space === 'cpu' && instance === acting) ||
              (field?.space === 'task' && (instance === task || before[at.pickedBy + instance] === task));
            if (!own) wrong.push(nameOf(machine.state, word));
          });
          expect(wrong).toEqual([]);
        }
      }),
      RUNS,
    );
    expect(quiet).toBeGreaterThan(1000);
  });

  it('a step that touches nothing shared and a step of the other CPU end in the same state in either order', () => {
    let commuted = 0;
    const disabled = new Set<string>();
    const smp = combinations(({ cpus }) => cpus > 1);
    fc.assert(
      fc.property(smp, (combination) => {
        const machine = built(combination);
        const probe = machine.probe();
        const wanted = { action: 0 };
        const walk = seededDriver(combination.seed);
        const steered = following(wanted, firstDriver());
        const canStep = (action: number): boolean =>
          probe.alternatives.subarray(0, probe.enabledActions()).includes(action);
        const waiting = (action: number): string => {
          if (action % (1 << ACTION_BITS) === ACTION.preempt) return 'preempt';
          return machine.state.words[machine.state.at.current + (action >> ACTION_BITS)] >= probe.users
            ? 'idle'
            : 'other';
        };
        const step = (action: number): void => {
          wanted.action = action;
          machine.driver = steered;
          probe.stepAmong(probe.enabledActions());
        };
        for (let turn = 0; turn < STEPS_MAX; turn++) {
          const count = probe.enabledActions();
          if (count === 0) break;
          const enabled = [...probe.alternatives.subarray(0, count)];
          const start = machine.snapshot();
          for (const [first, second] of pairs(enabled)) {
            probe.touchedShared = false;
            step(first);
            if (!probe.touchedShared) {
              expect(canStep(second)).toBe(true);
              step(second);
              const one = machine.digest();
              machine.restore(start);
              step(second);
              if (canStep(first)) {
                step(first);
                expect(machine.digest()).toBe(one);
                commuted++;
              } else disabled.add(waiting(first));
            }
            machine.restore(start);
          }
          machine.driver = walk;
          probe.stepAmong(probe.enabledActions());
        }
      }),
      { numRuns: 12 },
    );
    expect(commuted).toBeGreaterThan(1000);
    // Idle CPUs and preemption need a task to run, and the other CPU may have picked the last one.
    expect([...disabled].filter((who) => who !== 'idle' && who !== 'preempt')).toEqual([]);
  });

  /** Actions of two CPUs, in both orders. */
  function pairs(enabled: readonly number[]): readonly (readonly [number, number])[] {
    return enabled.flatMap((one) =>
      enabled.filter((other) => other >> ACTION_BITS !== one >> ACTION_BITS).map((other) => [one, other] as const),
    );
  }
});
