import { ptrace, sse, step, syscall, type Operation, type Regset, type TraceRequest } from '@fpulab/core';
import { fpuErrorOf } from '../support/errors';
import { CLEAR_TS, answering, dataOf, eventsOf, machineOf, openPolicy, story } from '../support/machines';

const stop = syscall('ptrace_stop');

/** Shows the image, takes what the tracer writes, and dumps. */
const tracing = () =>
  answering({
    'cpu-up': CLEAR_TS,
    'ptrace-read': [step('get', (k) => k.showFpstate(k.fpstateOf(k.target)))],
    'ptrace-write': [step('set', (k) => k.takeFromTracer(k.fpstateOf(k.target)))],
    'core-dump': [step('dump', (k) => k.showFpstate(k.fpstateOf(k.target)))],
  });

const traced = (
  tasks: Readonly<Record<string, readonly Operation[]>>,
  pick: readonly string[] = [],
  more: Partial<Parameters<typeof machineOf>[0]> = {},
) => machineOf({ tasks, policy: tracing(), schedule: { pick }, ...more });

const A = 0;
const D = 1;

describe('a task that stops for its tracer', () => {
  it('leaves its CPU, and runs again when the tracer says so', () => {
    const machine = traced({ A: [stop, sse.write()], D: [ptrace('A', 'cont'), syscall('nanosleep')] }, ['A', 'D']);
    const seen = eventsOf(machine);
    expect(dataOf(seen, 'task.stopped')).toEqual([{ cpu: 0, task: A }]);
    expect(dataOf(seen, 'task.continued')).toEqual([{ cpu: 0, task: D, target: A }]);
    const lines = story(machine, seen);
    expect(lines.indexOf('D sys_ptrace/ptrace_resume')).toBeGreaterThan(lines.indexOf('A sys_ptrace_stop/ptrace_stop'));
    expect(dataOf(seen, 'fpregs.written').length).toBe(1);
  });

  it('is woken by nobody else: without its tracer’s word nothing is left to run', () => {
    const machine = traced({ A: [stop], D: [ptrace('A', 'read'), syscall('nanosleep'), syscall('nanosleep')] }, [
      'A',
      'D',
    ]);
    const seen = eventsOf(machine);
    const picked = dataOf(seen, 'task.picked').map(({ task }) => task);
    expect(picked.slice(1, picked.lastIndexOf(D) + 1)).not.toContain(A);
  });

  it('goes on when its tracer ends: exit_ptrace()', () => {
    const machine = traced({ A: [stop], D: [], E: [ptrace('A', 'read')] }, ['A', 'E']);
    const seen = eventsOf(machine);
    expect(dataOf(seen, 'task.continued')).toEqual([{ cpu: 0, task: 2, target: A }]);
    expect(dataOf(seen, 'task.exited').map(({ task }) => task)).toContain(A);
  });

  it('does not stop when nobody traces it, or its tracer is dead', () => {
    expect(dataOf(eventsOf(traced({ A: [stop], B: [] })), 'task.stopped')).toEqual([]);
    const late = traced({ A: [syscall('nanosleep'), stop], D: [ptrace('A', 'read')] }, ['D', 'A']);
    expect(dataOf(eventsOf(late), 'task.stopped')).toEqual([]);
  });
});

describe('ptrace()', () => {
  it.each<TraceRequest>(['cont', 'read', 'write'])(
    '%s fails with ESRCH and does nothing while the target runs',
    (request) => {
      const seen = eventsOf(traced({ A: [sse.write()], D: [ptrace('A', request)] }, ['D', 'A']));
      expect(
        seen.map(({ type }) => type).filter((type) => /^fpstate\.(shown|traced)|^task\.continued/.test(type)),
      ).toEqual([]);
    },
  );

  it('fails while the target is stopped but still on its CPU', () => {
    const machine = traced({ A: [stop], D: [ptrace('A', 'read')] }, [], { cpus: 2 });
    const seen = eventsOf(machine);
    const shown = seen.findIndex(({ type }) => type === 'fpstate.shown');
    const left = seen.findIndex(({ type, data }) => type === 'task.switched' && data.prev === A);
    expect(shown === -1 || shown > left).toBe(true);
  });

  it('reads what XRSTOR would load, and changes nothing', () => {
    const seen = eventsOf(traced({ A: [stop], D: [ptrace('A', 'read')] }, ['A', 'D']));
    expect(dataOf(seen, 'fpstate.shown')).toEqual(
      [0, 1, 2].map((component) => ({ cpu: 0, task: D, target: A, component, value: 0 })),
    );
  });

  it.each<[Regset, readonly number[]]>([
    ['fpregs', [0, 1]],
    ['xfpregs', [0, 1]],
    ['xstate', [0, 1, 2]],
  ])('writes %s: one new value of the target’s', (regset, components) => {
    const machine = traced({ A: [sse.write(), stop], D: [ptrace('A', 'write', regset)] }, ['A', 'D']);
    const seen = eventsOf(machine);
    expect(dataOf(seen, 'fpstate.traced')).toEqual(
      components.map((component) => ({ cpu: 0, target: A, fpstate: A, component, value: 0x100002 })),
    );
  });

  it('without XSAVE there is no NT_X86_XSTATE, without FXSAVE no NT_PRXFPREG', () => {
    const shown = (regset: Regset, cpu: string): number =>
      dataOf(
        eventsOf(traced({ A: [stop], D: [ptrace('A', 'read', regset)] }, ['A', 'D'], { compose: { cpu } })),
        'fpstate.shown',
      ).length;
    expect([shown('xstate', 'pentium-iii'), shown('xfpregs', 'pentium-iii')]).toEqual([0, 2]);
    expect([shown('xfpregs', 'pentium-mmx'), shown('fpregs', 'pentium-mmx')]).toEqual([0, 1]);
  });

  it('FPU208: a bad image of a register set without a header', () => {
    expect(fpuErrorOf(() => ptrace('A', 'write-reserved', 'xfpregs')).code).toBe('FPU208');
  });

  it.each<[string, Readonly<Record<string, readonly Operation[]>>, string]>([
    ['itself', { A: [ptrace('A', 'read')] }, "task A of the scenario 'test' traces 'A', which is itself"],
    [
      'nobody',
      { A: [ptrace('Z', 'read')] },
      "task A of the scenario 'test' traces 'Z', but there is no task of that name",
    ],
    [
      'whom another one traces',
      { A: [], B: [ptrace('A', 'read')], C: [ptrace('A', 'cont')] },
      "task B of the scenario 'test' traces 'A', which C traces too; a task has one tracer",
    ],
  ])('FPU208: a task traces %s', (_, tasks, message) => {
    expect(fpuErrorOf(() => traced(tasks))).toMatchObject({ code: 'FPU208', message });
  });

  it('FPU202: tracers and core dumps need a policy that knows register sets', () => {
    const composing = (program: readonly Operation[]) => () =>
      machineOf({ tasks: { A: [], D: program }, policy: openPolicy() });
    expect(fpuErrorOf(composing([ptrace('A', 'read')])).message).toBe(
      "task D of the scenario 'test' traces another task, but 'quiet' does not own 'ptrace-read'",
    );
    expect(fpuErrorOf(composing([syscall('abort')])).message).toBe(
      "task D of the scenario 'test' leaves a core dump, but 'quiet' does not own 'core-dump'",
    );
  });

  it('a traced task is not interchangeable with others: its tracer knows it by name', () => {
    const same = [sse.write(), sse.read()];
    const groups = (tracer: readonly Operation[]) =>
      traced({ A: same, B: same, C: same, D: tracer }).probe().interchangeableTasks();
    expect(groups([])).toEqual([[0, 1, 2]]);
    expect(groups([ptrace('B', 'read')])).toEqual([[0, 2]]);
  });
});

describe('abort()', () => {
  it('dumps the registers of the task itself, then ends it', () => {
    const machine = traced({ A: [sse.write(), syscall('abort'), sse.read()], B: [] }, ['A']);
    const seen = eventsOf(machine);
    expect(dataOf(seen, 'fpstate.shown').map(({ task, target }) => [task, target])).toEqual([
      [A, A],
      [A, A],
      [A, A],
    ]);
    expect(dataOf(seen, 'fpregs.read')).toEqual([]);
    expect(dataOf(seen, 'task.exited').map(({ task }) => task)).toContain(A);
  });
});
