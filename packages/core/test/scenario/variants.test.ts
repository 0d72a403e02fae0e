import {
  ALL_COMPONENTS,
  NOTHING,
  POLICY_HOOKS,
  SCENARIOS,
  USED_BY_ALL,
  anyPrograms,
  either,
  events,
  fork,
  forever,
  loop,
  mmx,
  scenarioOf,
  sse,
  syscall,
  withBystanders,
  withInterrupts,
  withMigration,
  withNesting,
  x87,
  type MachineEvent,
  type Operation,
  type Scenario,
} from '@fpulab/core';
import { eventObject } from '../../src/machine/event-type';
import { fpuErrorOf } from '../support/errors';
import { machineOf, quietPolicy, scenarioWith } from '../support/machines';

/** Texts of operations, loops and choices written out. */
function shape(operations: readonly Operation[]): string {
  return operations
    .map((operation): string => {
      switch (operation.kind) {
        case 'loop':
          return `${operation.times}x(${shape(operation.body)})`;
        case 'either':
          return `either(${operation.alternatives.map(shape).join(' | ')})`;
        default:
          return operation.text;
      }
    })
    .join(', ');
}

const programs = ({ tasks }: Scenario): readonly string[] =>
  tasks.map(({ name, program }) => `${name}: ${shape(program)}`);

describe('anyPrograms', () => {
  it('gives every task any of the operations of the scenario, each once, for ever', () => {
    const scenario = anyPrograms(scenarioOf('preemption'), 3);
    const anything = 'Infinityx(either(mmx.write | mmx.read | sse.update | sse.write | sse.read | sched_yield))';
    expect(programs(scenario)).toEqual([`A: ${anything}`, `B: ${anything}`, `C: ${anything}`]);
    expect([scenario.id, scenario.title]).toEqual([
      'preemption.any-3',
      '3 identical tasks do any of mmx.write, mmx.read, sse.update, sse.write, sse.read, sched_yield, in any order, for ever',
    ]);
  });

  it('keeps the rest of the scenario; its schedule named tasks and is dropped', () => {
    const [of, variant] = [scenarioOf('xen-pv-leak'), anyPrograms(scenarioOf('xen-pv-leak'), 2)];
    const { id, title, tasks, schedule, sometimes, ...rest } = variant;
    expect({ ...of, interference: { ...of.interference, idle: true } }).toMatchObject(rest);
    expect([id, title, tasks.length, schedule]).toEqual([
      'xen-pv-leak.any-2',
      '2 identical tasks do any of mmx.write, nanosleep, mmx.read, in any order, for ever',
      2,
      {},
    ]);
    expect(sometimes.map((one) => [one.id, one.tasks])).toEqual([
      ['A-used-the-fpu', ['A']],
      ['B-used-the-fpu', ['B']],
    ]);
  });

  it('lets the CPU idle, for tasks that all wait for something, and keeps the rest of the interference', () => {
    const { interference } = scenarioOf('interrupts');
    expect(interference.idle).toBeUndefined();
    expect(anyPrograms(scenarioOf('interrupts'), 2).interference).toEqual({ ...interference, idle: true });
  });

  it('looks into loops and choices; leaves out fork and exit; needs no choice where one operation is left', () => {
    const scenario = scenarioWith({
      tasks: {
        parent: [fork('child'), loop(2, either(x87.write(), forever(syscall('execve'))), x87.write()), syscall('exit')],
        child: [syscall('exit')],
      },
      unborn: ['child'],
    });
    expect(programs(anyPrograms(scenario, 1))).toEqual(['A: Infinityx(either(x87.write | execve))']);
    expect(anyPrograms(scenario, 1).tasks[0].unborn).toBeUndefined();
    const one = anyPrograms(scenarioWith({ tasks: { A: [loop(3, mmx.update())] } }), 1);
    expect(programs(one)).toEqual(['A: Infinityx(mmx.update)']);
    expect(one.title).toBe('1 identical task does any of mmx.update, in any order, for ever');
  });

  it('asks for tasks that use the FPU only where an operation reads registers; keeps what names no task', () => {
    const scenario: Scenario = {
      ...scenarioWith({ tasks: { old: [sse.write(), syscall('getpid')] } }),
      sometimes: [...USED_BY_ALL(['old']), { id: 'any', text: 'anything', tasks: [], test: () => true }],
    };
    expect(anyPrograms(scenario, 2).sometimes.map(({ id }) => id)).toEqual(['any']);
    expect(anyPrograms(scenarioOf('interrupts'), 2).sometimes.map(({ id }) => id)).toEqual([
      'A-used-the-fpu',
      'B-used-the-fpu',
      'kernel-used-the-fpu',
    ]);
  });

  it('calls up to 26 tasks A to Z', () => {
    const { tasks } = anyPrograms(scenarioOf('endless'), 26);
    expect(tasks.map(({ name }) => name).join('')).toBe('ABCDEFGHIJKLMNOPQRSTUVWXYZ');
  });

  it.each([0, 27, -1])('FPU208 for %i tasks', (count) => {
    const error = fpuErrorOf(() => anyPrograms(scenarioOf('endless'), count));
    expect(error.code).toBe('FPU208');
    expect(error.message).toBe(`the scenario 'endless' can have 1 to 26 identical tasks, not ${count}`);
    expect(error.detail).toEqual({ scenario: 'endless', count });
  });

  it('FPU208 for a scenario without operations', () => {
    const error = fpuErrorOf(() => anyPrograms(scenarioWith({ tasks: { A: [fork('B')], B: [syscall('exit')] } }), 2));
    expect(error.code).toBe('FPU208');
    expect(error.message).toBe("the scenario 'test' has no operations");
  });

  it('gives tasks that nobody can tell apart, in every built-in scenario', () => {
    const everyHook = Object.fromEntries(POLICY_HOOKS.map((hook) => [hook, NOTHING]));
    for (const scenario of SCENARIOS) {
      const { tasks: all, cpus } = anyPrograms(scenario, 3);
      const tasks = all.filter(({ kind = 'user' }) => kind === 'user');
      const machine = machineOf({
        tasks: Object.fromEntries(tasks.map(({ name, program }) => [name, program])),
        cpus,
        policy: quietPolicy({ hooks: everyHook, xfeatures: ALL_COMPONENTS, xsaves: true }),
        compose: { cpu: scenario.cpu },
      });
      expect(machine.probe().interchangeableTasks()).toEqual([[0, 1, 2]]);
    }
  });
});

describe('withBystanders', () => {
  it('adds tasks that do any FPU operation of the programs, for ever', () => {
    const { tasks, sometimes } = withBystanders(scenarioOf('frame-fails'), 3);
    expect(tasks.map(({ name }) => name)).toEqual(['A', 'bystander1', 'bystander2']);
    expect(programs(withBystanders(scenarioOf('frame-fails'), 2))[1]).toBe(
      'bystander1: Infinityx(either(sse.write | sse.read | sched_yield))',
    );
    expect(sometimes).toEqual(scenarioOf('frame-fails').sometimes);
  });

  it('counts tasks with user code: kernel threads come on top', () => {
    const { tasks } = withBystanders(scenarioOf('pkru-switch'), 2);
    expect(tasks.map(({ name }) => name)).toEqual(['A', 'kworker', 'bystander1']);
  });

  it('FPU208 where there are as many already', () => {
    const error = fpuErrorOf(() => withBystanders(scenarioOf('ptrace'), 3));
    expect(error).toMatchObject({ code: 'FPU208' });
    expect(error.message).toBe("the scenario 'ptrace' has 3 tasks, not less than 3");
  });
});

describe('withInterrupts and withMigration', () => {
  it('add to what there is', () => {
    const of = scenarioOf('core-dump');
    const { id, interference } = withInterrupts(withMigration(of));
    expect(id).toBe('core-dump.moves.irqs');
    expect(interference).toEqual({ ...of.interference, migration: true, hardirq: true, softirq: true });
  });
});

describe('withNesting', () => {
  it('changes the interference and the id, and nothing else', () => {
    const of = scenarioOf('interrupts');
    expect(withNesting(of, 1)).toEqual({
      ...of,
      id: 'interrupts.nest-1',
      interference: { ...of.interference, nesting: 1 },
    });
    expect(of.interference.nesting).toBeUndefined();
  });
});

describe('scenarioOf', () => {
  /** Programs are compared by shape, tests of `sometimes` by id: functions are made anew. */
  const facts = (scenario: Scenario): object => ({
    ...scenario,
    tasks: programs(scenario),
    sometimes: scenario.sometimes.map(({ id }) => id),
  });

  it.each<[string, Scenario]>([
    ['preemption.any-3', anyPrograms(scenarioOf('preemption'), 3)],
    ['preemption.any-26', anyPrograms(scenarioOf('preemption'), 26)],
    ['interrupts.nest-1', withNesting(scenarioOf('interrupts'), 1)],
    ['ptrace.with-4', withBystanders(scenarioOf('ptrace'), 4)],
    [
      'ptrace.with-4.moves.irqs.nest-1',
      withNesting(withInterrupts(withMigration(withBystanders(scenarioOf('ptrace'), 4))), 1),
    ],
    ['interrupts.nest-0', withNesting(scenarioOf('interrupts'), 0)],
    ['preemption.any-3.nest-1', withNesting(anyPrograms(scenarioOf('preemption'), 3), 1)],
  ])("makes the variant '%s', whose id it is", (id, expected) => {
    expect(facts(scenarioOf(id))).toEqual(facts(expected));
    expect(scenarioOf(id).id).toBe(id);
  });

  it.each([
    'nothing.any-2',
    'preemption.any',
    'preemption.any-',
    'preemption.any-123',
    'preemption.nest-10',
    'preemption.nest-1.any-2',
    'preemption.any-2.any-2',
    '.any-2',
    'preemption\n',
    'pre\nemption.any-2',
    '',
  ])('FPU504 for %j', (id) => {
    const error = fpuErrorOf(() => scenarioOf(id));
    expect(error.code).toBe('FPU504');
    expect(error.message).toBe(`no scenario '${id}'; known: ${SCENARIOS.map((scenario) => scenario.id).join(', ')}`);
  });

  it.each(['preemption.any-0', 'preemption.any-27', 'preemption.any-99.nest-1'])('FPU208 for %j', (id) => {
    expect(fpuErrorOf(() => scenarioOf(id)).code).toBe('FPU208');
  });
});

describe('sometimes', () => {
  const nowhere = { isInside: () => false };
  const header = { seq: 0, by: 'user', cause: -1 };
  const read = (task: number): MachineEvent => eventObject(events.FpregsRead, header, [0, task, 1, 0, 0, 0]);
  const written = eventObject(events.FpregsWritten, header, [0, 1, 5, 0, 0, 0]);

  it('USED_BY_ALL holds with a read of the task that it names, by its number', () => {
    const [used] = USED_BY_ALL(['B']);
    expect([used.id, used.text, used.tasks]).toEqual(['B-used-the-fpu', 'B used the FPU', ['B']]);
    expect([read(0), read(4), written].map((event) => used.test(event, [4], nowhere))).toEqual([false, true, false]);
  });

  it('remembers nothing: the same event gives the same answer again', () => {
    const [used] = USED_BY_ALL(['B']);
    const answers = [read(4), read(0), read(4), read(0)].map((event) => used.test(event, [4], nowhere));
    expect(answers).toEqual([true, false, true, false]);
  });

  it("of 'interrupts' holds with a kernel FPU section", () => {
    const kernel = scenarioOf('interrupts').sometimes.find(({ id }) => id === 'kernel-used-the-fpu');
    const begin = eventObject(events.KernelFpuBegin, header, [0, 0, 0, 0, 0, 0]);
    expect(kernel?.tasks).toEqual([]);
    expect([begin, written].map((event) => kernel?.test(event, [], nowhere))).toEqual([true, false]);
  });
});
