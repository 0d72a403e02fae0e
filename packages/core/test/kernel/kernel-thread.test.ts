import {
  compose,
  either,
  events,
  fork,
  forever,
  kthread,
  loop,
  sse,
  step,
  syscall,
  type Kernel,
  type Operation,
} from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';
import { refuseBadKind } from '../../src/kernel/kernel-thread';
import { fpuErrorOf } from '../support/errors';
import { CLEAR_TS, answering, dataOf, eventsOf, machineOf, scenarioWith, story } from '../support/machines';

const borrowing = [kthread.useMm('A'), kthread.copyToUser(), kthread.unuseMm()];
const K = { kinds: { K: 'kthread' } } as const;

/** The lines of a run's story that begin with a task's name and have a step in them. */
const stepsOf = (task: string, lines: readonly string[]): readonly string[] =>
  lines.filter((line) => line.startsWith(`${task} `) && line.includes('/')).map((line) => line.slice(task.length + 1));

describe('a kernel thread', () => {
  it('runs its program in the kernel, function by function, and ends', () => {
    const machine = machineOf({ tasks: { A: [], K: [...borrowing, kthread.sleep()] }, ...K });
    const lines = story(machine, eventsOf(machine));
    expect(stepsOf('K', lines)).toEqual([
      'kthread/__switch_to/switch_fpu_finish',
      'kthread/schedule_tail',
      'kthread/threadfn',
      'kthread_use_mm/local_irq_disable',
      'kthread_use_mm/tsk->mm = mm',
      'kthread_use_mm/local_irq_enable',
      'kthread/threadfn',
      'copy_to_user/access user memory',
      'kthread/threadfn',
      'kthread_unuse_mm/local_irq_disable',
      'kthread_unuse_mm/tsk->mm = NULL',
      'kthread_unuse_mm/local_irq_enable',
      'kthread/threadfn',
      'schedule/pick_next_task',
      'schedule/__switch_to/switch_fpu_prepare',
      'schedule/__switch_to/change stacks and current',
      'schedule/__switch_to/switch_fpu_finish',
      'schedule/finish_task_switch',
      'kthread/threadfn',
      'do_exit/exit_thread',
      'do_exit/schedule, never to return',
      'schedule/pick_next_task',
      'schedule/__switch_to/switch_fpu_prepare',
      'schedule/__switch_to/change stacks and current',
    ]);
    expect(lines.filter((line) => line.startsWith('K user') || line.startsWith('K enters'))).toEqual([]);
  });

  it('is PF_KTHREAD, as idle tasks are; an address space it has only while it borrows one', () => {
    const seen: string[] = [];
    const look = (k: Kernel): void => {
      const is = (flag: boolean, name: string): string => (flag ? ` ${name}` : '');
      seen.push(`${k.task}${is(k.isKernelThread(k.task), 'kthread')}${is(k.hasMm(k.task), 'mm')}`);
    };
    const policy = answering({ 'cpu-up': CLEAR_TS, 'switch-in': [step('look', look)] });
    const tasks = { A: [syscall('sched_yield')], K: [kthread.useMm('A'), kthread.schedule(), kthread.unuseMm()] };
    machineOf({ tasks, ...K, policy, schedule: { pick: ['A', 'K', 'A'] } }).run();
    expect(seen).toEqual(['0 mm', '1 kthread', '0 mm', '1 kthread mm', '2 kthread']);
  });

  it('has hooks when it borrows an address space and when it gives it back, where somebody wants them', () => {
    const hooks = { 'use-mm': [step('use', () => {})], 'unuse-mm': [step('unuse', () => {})] };
    const machine = machineOf({
      tasks: { A: [], K: borrowing },
      ...K,
      policy: answering({ 'cpu-up': CLEAR_TS, ...hooks }),
    });
    expect(stepsOf('K', story(machine, eventsOf(machine))).filter((name) => /^test|_mm done/.test(name))).toEqual([
      'kthread_use_mm/kthread_use_mm done',
      'test.use-mm/use',
      'kthread_unuse_mm/kthread_unuse_mm done',
      'test.unuse-mm/unuse',
    ]);
  });

  it('goes the ways that its program leaves open, by choice', () => {
    const program = [loop(2, either(kthread.kernelFpu(), kthread.schedule()))];
    const machine = machineOf({ tasks: { K: program }, ...K, schedule: { program: ['schedule', 'kernel_fpu'] } });
    const seen = eventsOf(machine);
    expect(dataOf(seen, 'kthread.stepped').map(({ at }) => machine.programs[0][at])).toEqual([
      'either',
      'schedule',
      'either',
      'kernel_fpu',
      'exit',
    ]);
  });

  it('can be preempted where kernel code can, and only there', () => {
    expect([offersPreemption('user'), offersPreemption('full')]).toEqual([false, true]);
  });
});

/** Whether K, with A waiting, is offered to be preempted between two functions of its program. */
function offersPreemption(preempt: 'user' | 'full'): boolean {
  let offered = false;
  const machine = compose({
    platform: bareMetal(),
    policies: [answering({ 'cpu-up': CLEAR_TS })],
    scenario: scenarioWith({
      tasks: { K: [kthread.kernelFpu()], A: [] },
      kinds: { K: 'kthread' },
      interference: { preempt },
    }),
    choices: {
      choose: ({ count, alternatives, name }) => {
        const names = Array.from({ length: count }, (_, index) => name(alternatives[index]));
        offered ||= machine.state.words[machine.state.at.current] === 0 && names.includes('cpu0:preempt');
        return 0;
      },
      getPosition: () => 0,
      setPosition: () => {},
    },
  });
  machine.run();
  return offered;
}

describe('fork of a task that never runs user code', () => {
  const pku = { compose: { cpu: 'zen3' } } as const;

  it('starts a kernel thread with nothing of its parent', () => {
    const machine = machineOf({
      tasks: { A: [sse.write(), fork('K')], K: [kthread.schedule()] },
      unborn: ['K'],
      ...K,
      ...pku,
    });
    const seen = eventsOf(machine);
    expect(dataOf(seen, 'task.created').filter(({ task }) => task === 1)).toHaveLength(1);
    expect(dataOf(seen, 'task.forked')).toEqual([]);
    expect(stepsOf('K', story(machine, seen))).toContain('kthread/threadfn');
  });

  it('starts an IO worker with the PKRU of the thread that creates it', () => {
    const machine = machineOf({
      tasks: { A: [sse.write(), fork('W')], W: [kthread.copyFromUser()] },
      unborn: ['W'],
      kinds: { W: 'io-worker' },
      ...pku,
    });
    const seen = eventsOf(machine);
    expect(dataOf(seen, 'architectural.set')).toEqual([{ task: 1, component: 9, value: 0 }]);
    expect(dataOf(seen, 'user-memory.accessed')).toEqual([{ cpu: 0, task: 1, pkru: 0, expected: 0 }]);
  });

  it('a kernel thread forks others: kernel_thread()', () => {
    const machine = machineOf({
      tasks: { K: [kthread.fork('L')], L: [kthread.schedule()] },
      unborn: ['L'],
      kinds: { K: 'kthread', L: 'kthread' },
    });
    expect(stepsOf('L', story(machine, eventsOf(machine)))).toContain('kthread/threadfn');
  });
});

describe('a program must fit the kind of its task', () => {
  const refusal = (program: readonly Operation[], kind: 'user' | 'kthread' | 'io-worker', unborn = false): string =>
    fpuErrorOf(() => refuseBadKind({ name: 'T', program, kind, unborn })).message;

  it.each([
    ['kernel functions are not for user code', [kthread.sleep()], 'user', "'sleep' is for kernel tasks"],
    ['user code is not for kernel threads', [sse.read()], 'kthread', "'sse.read' is for user tasks"],
    [
      'a kernel thread has no user memory of its own',
      [kthread.copyToUser()],
      'kthread',
      "can get to 'copy_to_user' without an",
    ],
    [
      'nor after it gave the address space back, whatever way it goes',
      [kthread.useMm('A'), either(kthread.unuseMm(), kthread.sleep()), kthread.copyToUser()],
      'kthread',
      "can get to 'copy_to_user' without an address space",
    ],
    [
      'one address space at a time',
      [forever(kthread.useMm('A'))],
      'kthread',
      "can get to 'use_mm(A)' while it has an address space",
    ],
    [
      'there must be something to give back',
      [kthread.unuseMm()],
      'kthread',
      "can get to 'unuse_mm' without a borrowed one",
    ],
  ] as const)('%s', (_fact, program, kind, problem) => {
    expect(refusal(program, kind)).toContain(problem);
  });

  it('an IO worker is forked by a user task, and keeps its address space', () => {
    expect(refusal([kthread.copyToUser()], 'io-worker')).toContain(
      'which only the fork() of a user task brings to life',
    );
    expect(refusal([kthread.useMm('A')], 'io-worker', true)).toContain('while it has an address space');
    expect(() =>
      refuseBadKind({ name: 'W', program: [kthread.copyToUser()], kind: 'io-worker', unborn: true }),
    ).not.toThrow();
  });

  it('tasks that never return to user code get no signals', () => {
    const task = { name: 'K', program: [kthread.sleep()], kind: 'kthread', handler: [] } as const;
    expect(fpuErrorOf(() => refuseBadKind(task)).message).toContain('gets no signals');
  });
});

it('the events say which operation of its program a kernel thread is at', () => {
  const machine = machineOf({ tasks: { K: [kthread.sleep(), kthread.schedule()] }, ...K });
  const at: number[] = [];
  machine.on(events.KernelThreadStepped).subscribe(({ data }) => at.push(data.at));
  machine.run();
  expect(at).toEqual([0, 1, 2]);
});
