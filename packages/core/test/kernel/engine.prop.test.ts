import * as fc from 'fast-check';
import {
  CONTEXT,
  SCENARIOS,
  contextOf,
  events,
  inInterrupt,
  irqsOff,
  type Machine,
  type MachineEvent,
  type Scenario,
} from '@fpulab/core';
import { PLATFORMS } from '@fpulab/hypervisor';
import { PRESETS } from '@fpulab/policies';
import { simpleOperations } from '../../src/kernel/program';
import { bhOffDepth, preemptOffDepth } from '../../src/machine/frames';
import { inTurn, often } from '../support/often';
import { built, canRun, combinations } from '../support/combinations';
import { wantingDriver } from '../support/requests';
import { Stacks } from '../support/stacks';

const STEPS_MAX = 1500;
const RUNS = { numRuns: 40 };

/** Runs a machine; before each event is followed, `check` sees it and the stacks as they are. */
function watched(machine: Machine, check: (event: MachineEvent, stacks: Stacks) => void): Stacks {
  const stacks = new Stacks();
  machine.events$.subscribe((event) => {
    check(event, stacks);
    stacks.follow(event);
  });
  machine.run({ stepsMax: STEPS_MAX });
  return stacks;
}

describe('masks, over seeded runs of all presets, platforms and scenarios', () => {
  const routineOf = (machine: Machine, { data }: MachineEvent): string => machine.stepLabels[data.at].split(/[/@]/)[0];

  it('forbid what they say: no interrupt with interrupts off, no softirq in an interrupt, no preemption in atomic code', () => {
    // Few of all scenarios are.
    const interrupted = ({ interference }: Scenario): boolean =>
      interference.hardirq === true || interference.softirq === true;
    const seen = { hardirq: 0, softirq: 0, preemption: 0 };
    fc.assert(
      fc.property(fc.oneof(combinations(), combinations(interrupted)), (combination) => {
        const machine = built(combination);
        const { preempt } = machine.composition.settings.scenario.interference;
        const wrong: string[] = [];
        watched(machine, (event, stacks) => {
          if (event.type !== 'context.entered') return;
          const below = stacks.top(event.data.task);
          const refuse = (condition: boolean, text: string): void => {
            if (condition) wrong.push(`event ${event.seq}: ${text}`);
          };
          switch (routineOf(machine, event)) {
            case 'do_IRQ':
              seen.hardirq++;
              refuse(irqsOff(below), 'a hardirq with interrupts off');
              refuse(contextOf(below) === CONTEXT.hardirq, 'a hardirq in a hardirq');
              break;
            case 'do_softirq':
              seen.softirq++;
              refuse(irqsOff(below), 'a softirq with interrupts off');
              refuse(inInterrupt(below), 'a softirq in an interrupt, or with bottom halves off');
              break;
            case 'retint_resched':
              seen.preemption++;
              refuse(irqsOff(below), 'a preemption with interrupts off');
              if (contextOf(below) === CONTEXT.user) break;
              refuse(preempt !== 'full', 'a preemption of kernel code that the scenario does not allow');
              refuse(preemptOffDepth(below) > 0, 'a preemption with preemption off');
              refuse(bhOffDepth(below) > 0 || inInterrupt(below), 'a preemption in an interrupt');
              break;
          }
          refuse(
            contextOf(below) === CONTEXT.hypervisor && routineOf(machine, event) !== 'device_not_available',
            'something in the hypervisor',
          );
        });
        expect(wrong).toEqual([]);
      }),
      { numRuns: 100 },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(20);
  });

  it('a hardirq is never on top of another one, however many contexts are between them', () => {
    fc.assert(
      fc.property(
        combinations(({ interference }) => interference.hardirq === true),
        (combination) => {
          const nested: number[] = [];
          watched(built(combination), (event, stacks) => {
            if (event.type !== 'context.entered' || contextOf(event.data.status) !== CONTEXT.hardirq) return;
            if (stacks.contexts(event.data.task).includes(CONTEXT.hardirq)) nested.push(event.seq);
          });
          expect(nested).toEqual([]);
        },
      ),
      RUNS,
    );
  });
});

describe('stacks', () => {
  it('are in the state what the events say they are, and user code is always at the bottom', () => {
    fc.assert(
      fc.property(combinations(), (combination) => {
        const machine = built(combination);
        const stacks = watched(machine, () => {});
        machine.taskNames.forEach((_, task) => {
          expect(Stacks.inState(machine.state, task)).toEqual(stacks.of(task));
          expect(stacks.contexts(task).lastIndexOf(CONTEXT.user)).toBeLessThanOrEqual(0);
        });
      }),
      RUNS,
    );
  });

  const overflows = (machine: Machine, stepsMax = STEPS_MAX): number => {
    let count = 0;
    const subscription = machine.on(events.StackOverflowed).subscribe(() => count++);
    machine.run({ stepsMax });
    subscription.unsubscribe();
    return count;
  };

  it('do not overflow', () => {
    fc.assert(
      fc.property(combinations(), (combination) => {
        expect(overflows(built(combination))).toBe(0);
      }),
      RUNS,
    );
  });

  const rows = PRESETS.map(({ id }, row) => [id, row] as const);
  it.each(rows)('do not overflow on %s when one thing comes whenever it can', (preset, row) => {
    // What nests does so from the start.
    const stepsMax = often(300, STEPS_MAX);
    for (const [column, { id: scenario }] of SCENARIOS.entries()) {
      const platforms = Object.keys(PLATFORMS).filter((platform) => canRun({ preset, platform, scenario }));
      for (const platform of inTurn(platforms, row + column)) {
        const machine = built({ preset, platform, scenario, seed: 0n });
        const start = machine.snapshot();
        for (const action of ['preempt', 'hardirq', 'softirq', 'vcpu']) {
          machine.restore(start);
          machine.driver = wantingDriver((name) => name.endsWith(action));
          expect([platform, scenario, action, overflows(machine, stepsMax)]).toEqual([platform, scenario, action, 0]);
        }
      }
    }
  });
});

describe('the scheduler', () => {
  it('never has a task on two CPUs, a dead one, or one that is not born', () => {
    fc.assert(
      fc.property(combinations(), (combination) => {
        const machine = built(combination);
        const current = new Map<number, number>();
        const alive = new Set<number>();
        const wrong: string[] = [];
        machine.events$.subscribe(({ seq, type, data }) => {
          if (type === 'task.created') alive.add(data.task);
          if (type === 'task.exited') alive.delete(data.task);
          if (type === 'cpu.booted') current.set(data.cpu, data.task);
          if (type !== 'task.switched') return;
          if (!alive.has(data.next)) wrong.push(`event ${seq}: task ${data.next} is not alive`);
          if (current.get(data.cpu) !== data.prev) wrong.push(`event ${seq}: task ${data.prev} was not current`);
          if ([...current.values()].includes(data.next)) wrong.push(`event ${seq}: task ${data.next} runs elsewhere`);
          current.set(data.cpu, data.next);
        });
        machine.run({ stepsMax: STEPS_MAX });
        expect(wrong).toEqual([]);
      }),
      RUNS,
    );
  });

  const cpusOfTasks = (machine: Machine): ReadonlyMap<number, ReadonlySet<number>> => {
    const cpus = new Map<number, Set<number>>();
    const users = machine.taskNames.length - 2;
    machine.on(events.TaskSwitched).subscribe(({ data }) => {
      if (data.next < users) cpus.set(data.next, (cpus.get(data.next) ?? new Set()).add(data.cpu));
    });
    machine.run({ stepsMax: STEPS_MAX });
    return cpus;
  };

  it('moves tasks between CPUs only where the scenario says so', () => {
    const movers: readonly string[] = ['cpu_down', 'suspend']; // take tasks off a CPU
    const staying = SCENARIOS.filter(
      ({ interference, tasks }) =>
        interference.migration !== true &&
        !tasks.some(({ program }) =>
          simpleOperations(program).some((one) => one.kind === 'syscall' && movers.includes(one.name)),
        ),
    ).map(({ id }) => id);
    fc.assert(
      fc.property(
        combinations(({ id }) => staying.includes(id)),
        (combination) => {
          for (const cpus of cpusOfTasks(built(combination, { cpus: 2 })).values()) expect(cpus.size).toBe(1);
        },
      ),
      RUNS,
    );
  });

  it('does move them there', () => {
    const moved = [0n, 1n, 2n, 3n].some((seed) =>
      [
        ...cpusOfTasks(built({ preset: 'linux-4.8', platform: 'bare-metal', scenario: 'migration', seed })).values(),
      ].some((cpus) => cpus.size === 2),
    );
    expect(moved).toBe(true);
  });
});

describe('events', () => {
  it('have a cause that is an earlier step or exception, and are numbered without gaps', () => {
    fc.assert(
      fc.property(combinations(), (combination) => {
        const machine = built(combination);
        const types: string[] = [];
        const wrong: string[] = [];
        machine.events$.subscribe(({ seq, type, cause }) => {
          if (seq !== types.length) wrong.push(`${type} is number ${seq}, expected ${types.length}`);
          types.push(type);
          if (cause >= seq) wrong.push(`event ${seq} is caused by a later one`);
          if (cause >= 0 && !/^(kernel\.stepped|user\.stepped|trap\.raised)$/.test(types[cause])) {
            wrong.push(`event ${seq} is caused by ${types[cause]}`);
          }
        });
        machine.run({ stepsMax: 500 });
        expect(wrong).toEqual([]);
        expect(machine.eventCount).toBe(types.length);
      }),
      RUNS,
    );
  });
});
