import {
  CHOICE_KINDS,
  CONTEXT,
  ORACLES,
  contextOf,
  firstDriver,
  fork,
  forever,
  loop,
  mmx,
  routine,
  slot,
  sse,
  step,
  syscall,
  valueId,
  type ChoiceDriver,
  type Kernel,
  type Machine,
  type Slot,
  type StepAction,
} from '@fpulab/core';
import { ACTION_BITS } from '../../src/kernel/choices';
import { CLEAR_TS, answering, idleStep, machineOf, openPolicy, quietPolicy, recorded } from '../support/machines';
import { enabledNames } from '../support/requests';

/** `cpu0:0`: a CPU and an action, as the bits of an alternative say. */
const actions = (alternatives: Int32Array, count: number): readonly string[] =>
  Array.from(
    alternatives.subarray(0, count),
    (alternative) => `cpu${alternative >> ACTION_BITS}:${alternative % (1 << ACTION_BITS)}`,
  );

describe('a probe', () => {
  it('boots its machine, and tells what can happen before it does', () => {
    const machine = machineOf({ tasks: { A: [], B: [] }, cpus: 2, interference: { hardirq: true } });
    const seen = recorded(machine);
    const probe = machine.probe();
    expect(seen.map(({ type }) => type)).toEqual([
      ...Array<string>(4).fill('task.created'),
      'cpu.booted',
      'cpu.booted',
    ]);
    const count = probe.enabledActions();
    expect(actions(probe.alternatives, count)).toEqual(['cpu0:0', 'cpu1:0']);
    probe.stepAmong(count);
    expect(seen.slice(6).map(({ type, data }) => [type, data.cpu])).toEqual([
      ['kernel.stepped', 0],
      ['hook.cpu-up', 0],
      ['routine.entered', 0],
    ]);
    expect(probe.users).toBe(2);
  });

  it('says 0 when nothing can run any more, as step() says false', () => {
    const machine = machineOf({ tasks: { A: [] } });
    const probe = machine.probe();
    let steps = 0;
    for (let count = probe.enabledActions(); count > 0; count = probe.enabledActions()) {
      probe.stepAmong(count);
      steps++;
    }
    expect(machine.step()).toBe(false);
    expect(machineOf({ tasks: { A: [] } }).run()).toEqual({ outcome: 'finished', steps });
  });

  it('records no choices, but asks them all', () => {
    const kinds: string[] = [];
    const driver: ChoiceDriver = {
      ...firstDriver(),
      choose(request) {
        expect(enabledNames(request).length).toBeGreaterThan(1);
        kinds.push(CHOICE_KINDS[request.kind]);
        return 0;
      },
    };
    const options = { tasks: { A: [syscall('sched_yield')], B: [] }, compose: { choices: driver } };
    const recording = machineOf(options);
    const all = recorded(recording);
    recording.run();
    const asked = kinds.splice(0);
    const machine = machineOf(options);
    const seen = recorded(machine);
    machine.probe();
    machine.run();
    expect(asked).toEqual(['pick']);
    expect(kinds).toEqual(asked);
    const bare = (type: string): boolean => type !== 'choice.made';
    expect(all.filter(({ type }) => !bare(type))).toHaveLength(1);
    expect(seen.map(({ type }) => type)).toEqual(all.map(({ type }) => type).filter(bare));
    expect(machine.digest()).toBe(recording.digest());
  });

  it('tells of every violation, in bare numbers', () => {
    const machine = machineOf({ tasks: { A: [sse.write(), syscall('nanosleep')], B: [sse.read()] } });
    const found: (readonly unknown[])[] = [];
    machine.probe().onViolation((oracle, ...rest) => found.push([ORACLES[oracle], ...rest]));
    machine.run();
    const [B, value] = [1, valueId(1, 1)];
    expect(found).toEqual([
      ['speculative-exposure', 0, B, 1, value, 0],
      ['leak', 0, B, 1, value, 0],
    ]);
  });

  it('groups tasks that run the same program and have nothing to do with fork', () => {
    const same = [loop(2, sse.write()), mmx.read()];
    const groups = (
      tasks: Parameters<typeof machineOf>[0]['tasks'],
      unborn: readonly string[] = [],
    ): readonly (readonly number[])[] => machineOf({ tasks, unborn, cpus: 2 }).probe().interchangeableTasks();
    expect(groups({ A: same, B: [mmx.read()], C: [...same], D: [mmx.read()] })).toEqual([
      [0, 2],
      [1, 3],
    ]);
    // A loop is unrolled: it is the compiled program that counts.
    expect(groups({ A: same, B: [sse.write(), sse.write(), mmx.read()] })).toEqual([[0, 1]]);
    expect(groups({ A: [sse.write()], B: [sse.read()] })).toEqual([]);
    expect(groups({ A: [fork('child')], B: [fork('child')], child: [], C: [] }, ['child'])).toEqual([]);
    expect(groups({ child: same, A: same, B: same }, ['child'])).toEqual([[1, 2]]);
  });

  describe('a site', () => {
    it('is the address in kernel code, and a number of its own for every operation of every task', () => {
      const machine = machineOf({ tasks: { A: [sse.write(), sse.write()], B: [sse.write()] } });
      const probe = machine.probe();
      const { words, at } = machine.state;
      const sites = new Map<string, Set<number>>();
      do {
        const task = words[at.current];
        const top = task * at.stackDepth + words[at.depth + task] - 1;
        const user = contextOf(words[at.frameStatus + top]) === CONTEXT.user;
        const key = user
          ? `${machine.taskNames[task]} ${words[at.framePc + top]}`
          : `kernel ${words[at.framePc + top]}`;
        sites.set(key, (sites.get(key) ?? new Set()).add(probe.site(0)));
        if (!user) expect(probe.site(0)).toBe(words[at.framePc + top]);
      } while (machine.step());
      for (const found of sites.values()) expect(found.size).toBe(1);
      const all = [...sites.values()].flatMap((found) => [...found]);
      expect(new Set(all).size).toBe(sites.size);
      expect([...sites.keys()].filter((key) => !key.startsWith('kernel'))).toEqual(['A 0', 'A 1', 'A 2', 'B 0', 'B 1']);
    });
  });
});

describe('touchedShared', () => {
  /** Whether a step of task 0 on CPU 0, of two, with three tasks, touches what is shared. */
  function touches(run: (slots: Slots) => StepAction): boolean {
    const slots: Slots = {
      task: slot.task('task', 'number'),
      cpu: slot.cpu('cpu', 'number'),
      machine: slot.machine('machine', 'number'),
    };
    const policy = quietPolicy({
      slots: Object.values(slots),
      routines: [routine('test.exec', [step('look', run(slots)), idleStep('end')]), routine('test.up', CLEAR_TS)],
      hooks: { exec: 'test.exec', 'cpu-up': 'test.up' },
    });
    const machine = machineOf({ tasks: { A: [], B: [], C: [] }, cpus: 2, policy });
    return sharing(machine, 'test.exec/look');
  }

  /** Whether the first step with this label touches what is shared. */
  function sharing(machine: Machine, label: string): boolean {
    const probe = machine.probe();
    let found = false;
    machine.events$.subscribe(({ type, data }) => {
      if (type === 'kernel.stepped' && machine.stepLabels[data.at] === label) found = true;
    });
    for (let steps = 0; steps < 500; steps++) {
      probe.touchedShared = false;
      if (!machine.step()) break;
      if (found) return probe.touchedShared;
    }
    throw new Error(`no step ${label}`);
  }

  interface Slots extends Record<string, Slot> {
    readonly task: Slot;
    readonly cpu: Slot;
    readonly machine: Slot;
  }

  it.each<[string, boolean, (slots: Slots) => StepAction]>([
    [
      'a read of a slot of the own CPU',
      false,
      ({ cpu }) =>
        (k) =>
          void k.read(cpu, k.cpu),
    ],
    [
      'a read of a slot of another CPU',
      true,
      ({ cpu }) =>
        (k) =>
          void k.read(cpu, 1 - k.cpu),
    ],
    [
      'a write to a slot of the own CPU',
      false,
      ({ cpu }) =>
        (k) =>
          k.write(cpu, k.cpu, 1),
    ],
    [
      'a write to a slot of another CPU',
      true,
      ({ cpu }) =>
        (k) =>
          k.write(cpu, 1 - k.cpu, 1),
    ],
    [
      'a read of a slot of the current task',
      false,
      ({ task }) =>
        (k) =>
          void k.read(task, k.task),
    ],
    [
      'a read of a slot of another task',
      true,
      ({ task }) =>
        (k) =>
          void k.read(task, 2),
    ],
    [
      'a write to a slot of the current task',
      false,
      ({ task }) =>
        (k) =>
          k.write(task, k.task, 1),
    ],
    [
      'a write to a slot of another task',
      true,
      ({ task }) =>
        (k) =>
          k.write(task, 2, 1),
    ],
    [
      'a read of a slot of the machine',
      true,
      ({ machine }) =>
        (k) =>
          void k.read(machine, 0),
    ],
    [
      'a write to a slot of the machine',
      true,
      ({ machine }) =>
        (k) =>
          k.write(machine, 0, 1),
    ],
    ['nothing', false, () => () => {}],
    ['masks', false, () => (k) => k.preemptDisable()],
    ['a local', false, () => (k) => k.setLocal(0, 1)],
    ['CR0', false, () => (k) => k.stts()],
    ['falling asleep', true, () => (k) => k.sleep()],
    ['an image', true, () => (k) => k.initFpstate(k.fpstateOf(k.task))],
  ])('after %s: %s', (_, expected, run) => {
    expect(touches(run)).toBe(expected);
  });

  it('slots of the task that a CPU switches to are its own', () => {
    const last = slot.task('last', 'cpu');
    const policy = quietPolicy({
      slots: [last],
      routines: [
        routine('test.out', [step('look', (k) => k.write(last, k.next, k.cpu)), idleStep('end')]),
        routine('test.up', CLEAR_TS),
      ],
      hooks: { 'switch-out': 'test.out', 'cpu-up': 'test.up' },
    });
    expect(sharing(machineOf({ tasks: { A: [], B: [] }, cpus: 2, policy }), 'test.out/look')).toBe(false);
  });

  it('picking, and switching, are for all to see', () => {
    const machine = (): Machine => machineOf({ tasks: { A: [], B: [] }, policy: openPolicy() });
    expect(sharing(machine(), 'schedule/pick_next_task')).toBe(true);
    expect(sharing(machine(), 'schedule/__switch_to/change stacks and current')).toBe(true);
    expect(sharing(machine(), 'schedule/finish_task_switch')).toBe(false);
  });

  it('whether a child is there yet is for all to see: two parents may fork it', () => {
    const policy = answering({ 'cpu-up': CLEAR_TS });
    const options = { tasks: { A: [fork('child'), fork('child')], child: [] }, unborn: ['child'], policy };
    expect(sharing(machineOf(options), 'sys_fork/dup_task_struct')).toBe(true);
    // The second fork finds it there, and only returns.
    const machine = machineOf(options);
    const seen = recorded(machine);
    const probe = machine.probe();
    for (;;) {
      const from = seen.length;
      probe.touchedShared = false;
      machine.step();
      const returned = seen
        .slice(from)
        .filter(({ type, data }) => type === 'kernel.stepped' && machine.stepLabels[data.at] === 'sys_fork/sysret');
      if (returned.length === 0) continue;
      const forked = seen.filter(({ type }) => type === 'user.stepped').length;
      if (forked === 2) break;
    }
    expect(probe.touchedShared).toBe(true);
  });

  it('is only set, until somebody clears it', () => {
    const machine = machineOf({ tasks: { A: [forever(sse.write())] } });
    const probe = machine.probe();
    probe.touchedShared = false;
    for (let steps = 0; steps < 100; steps++) machine.step();
    expect(probe.touchedShared).toBe(true);
  });
});

describe('touchedForeign', () => {
  const cpuSlot = (): Slot => slot.cpu('cpu', 'number');
  const taskSlot = (): Slot => slot.task('task', 'number');
  const machineSlot = (): Slot => slot.machine('machine', 'number');

  /** Tasks: 0 and 1 take turns, 2 runs somewhere, 3 is a child that nobody forks. */
  it.each<[string, boolean, () => Slot, (k: Kernel) => number]>([
    ['the CPU itself', false, cpuSlot, (k) => k.cpu],
    ['another CPU', true, cpuSlot, (k) => 1 - k.cpu],
    ['the current task', false, taskSlot, (k) => k.task],
    ['the task that comes next', false, taskSlot, (k) => k.next],
    ['another task', true, taskSlot, (k) => [0, 1, 2].find((task) => task !== k.task && task !== k.next) as number],
    ['a child that is not born', false, taskSlot, () => 3],
    ['the machine', false, machineSlot, () => 0],
  ])('slots of %s: %s', (_, expected, declared, instance) => {
    const accesses: readonly ((k: Kernel, used: Slot) => void)[] = [
      (k, used) => void k.read(used, instance(k)),
      (k, used) => k.write(used, instance(k), 1),
    ];
    for (const access of accesses) {
      const used = declared();
      const policy = quietPolicy({
        slots: [used],
        routines: [
          routine('test.out', [step('use', (k) => access(k, used)), idleStep('end')]),
          routine('test.up', CLEAR_TS),
        ],
        hooks: { 'switch-out': 'test.out', 'cpu-up': 'test.up' },
      });
      const machine = machineOf({ tasks: { A: [], B: [], C: [], child: [] }, unborn: ['child'], cpus: 2, policy });
      const probe = machine.probe();
      expect(probe.touchedForeign).toBe(false);
      machine.run();
      expect(probe.touchedForeign).toBe(expected);
    }
  });
});
