import {
  CONTEXT,
  INIT,
  ORACLES,
  ORACLE_TEXT,
  PRINCIPAL,
  VALIDITY,
  VALIDITY_NAMES,
  events,
  valueId,
  type MachineEvent,
  type MachineState,
  type OracleId,
} from '@fpulab/core';
import { BH_OFF, IRQS_OFF, PREEMPT_OFF } from '../../src/machine/frames';
import { EventStream } from '../../src/machine/stream';
import { OracleMonitor, type MonitoredMachine } from '../../src/oracle/monitor';
import { aliveTask, inUse, setWords, smallState, type Words } from '../support/states';

const NM_ENTRY = 50;
const NM_EXPECTED_AT = 77;
const VCPU_FPSTATE = 3;

const { user, syscall, exception, hardirq } = CONTEXT;

/** Values of tasks 0 and 1, of a kernel FPU section, and of another guest. */
const A1 = valueId(1, 1);
const A2 = valueId(1, 2);
const B1 = valueId(2, 1);
const KERNEL = valueId(PRINCIPAL.kernel, 1);
const GUEST = valueId(PRINCIPAL.otherGuest, 1);

interface Watched {
  readonly state: MachineState;
  readonly stream: EventStream;
  readonly monitor: OracleMonitor;
  /** What was reported so far, oracles by name. */
  reported(...oracles: readonly OracleId[]): readonly Readonly<Record<string, number | string>>[];
}

/** A state under watch: task 0 runs user code on CPU 0. */
function watch(words: Words = {}, machine: Partial<MonitoredMachine> = {}): Watched {
  const state = setWords(smallState(), { 'cpu.current[0]': 0, ...aliveTask(0, 1, 0, user), ...inUse(words) });
  const stream = new EventStream(state);
  const seen: MachineEvent[] = [];
  stream.on(events.OracleViolated).subscribe((event) => seen.push(event));
  const monitor = new OracleMonitor({
    stream,
    trapsUserFpu: () => false,
    registersLive: () => true,
    vcpuFpstate: () => VCPU_FPSTATE,
    nmExpectedAt: (pc) => pc === NM_EXPECTED_AT,
    runsUserCode: () => true,
    nmEntry: NM_ENTRY,
    oracles: ORACLES,
    ...machine,
  });
  return {
    state,
    stream,
    monitor,
    reported: (...oracles) =>
      seen
        .map(({ data }) => ({ ...data, oracle: ORACLES[data.oracle] }))
        .filter(({ oracle }) => oracles.includes(oracle)),
  };
}

describe('the oracles', () => {
  it('have stable ids, in an order that logs rely on, and a text each', () => {
    expect(ORACLES).toEqual([
      'leak',
      'lost-update',
      'kernel-fpu-clobber',
      'atomic-sleep',
      'unexpected-fault',
      'speculative-exposure',
      'validity',
      'pkru-mismatch',
      'stale-msr',
      'image-overrun',
      'livelock',
    ]);
    for (const id of ORACLES) expect(ORACLE_TEXT[id]).not.toBe('');
  });

  it('emit as the oracle, and leave the actor as it was', () => {
    const { stream, monitor } = watch({ 'cpu.fpregs[0.1]': B1 });
    const by: string[] = [];
    stream.events$.subscribe((event) => by.push(event.by));
    stream.actor = 'user';
    monitor.afterStep(0);
    expect(new Set(by)).toEqual(new Set(['oracle']));
    expect(stream.actor).toBe('user');
  });
});

describe('a choice of oracles', () => {
  /** Task 0 reads what B wrote and has lost A1; B1 is in its registers without a trap. */
  const wrong: Words = {
    'cpu.fpregs[0.1]': B1,
    'task.architectural[0.1]': A1,
    'task.serial[0]': 1,
  };

  const reportedBy = (...oracles: readonly OracleId[]): readonly unknown[] => {
    const { stream, monitor, reported } = watch(wrong, { oracles });
    monitor.afterStep(0);
    stream.emit(events.FpregsRead, 0, 0, 1, B1);
    stream.emit(events.MightSleepReached, 0, 0, syscall | IRQS_OFF);
    return reported(...ORACLES).map(({ oracle }) => oracle);
  };

  it.each<[readonly OracleId[], readonly OracleId[]]>([
    [ORACLES, ['speculative-exposure', 'leak', 'lost-update', 'atomic-sleep']],
    [['leak'], ['leak']],
    [['speculative-exposure'], ['speculative-exposure']],
    [
      ['atomic-sleep', 'lost-update'],
      ['lost-update', 'atomic-sleep'],
    ],
    [['validity'], []],
    [[], []],
  ])('%j report, and no others', (oracles, expected) => {
    expect(reportedBy(...oracles)).toEqual(expected);
  });

  it("without 'validity' nobody keeps account of it", () => {
    const changes = (oracles: readonly OracleId[]): number => {
      const { stream } = watch({}, { oracles });
      let seen = 0;
      stream.on(events.ValidityChanged).subscribe(() => seen++);
      stream.emit(events.FpregsWritten, 0, 1, A1);
      return seen;
    };
    expect([changes(['validity']), changes(['leak'])]).toEqual([1, 0]);
  });
});

describe('leak', () => {
  const leak = { oracle: 'leak', cpu: 0, reader: 0 };

  it("fires when user code can read another task's value without a trap, once per task and component", () => {
    const { monitor, reported } = watch({ 'cpu.fpregs[0.1]': B1, 'task.architectural[0.1]': A1 });
    monitor.afterStep(0);
    monitor.afterStep(0);
    expect(reported('leak')).toEqual([{ ...leak, component: 1, value: B1, expected: A1 }]);
  });

  it('fires for each component on its own, and again for another task', () => {
    const { state, monitor, reported } = watch({ 'cpu.fpregs[0.0]': B1, ...aliveTask(2, 1, 0, user) });
    monitor.afterStep(0);
    setWords(state, { 'cpu.fpregs[0.2]': B1 });
    monitor.afterStep(0);
    setWords(state, { 'cpu.current[0]': 2 });
    monitor.afterStep(0);
    expect(reported('leak').map(({ reader, component }) => [reader, component])).toEqual([
      [0, 0],
      [0, 2],
      [2, 0],
      [2, 2],
    ]);
  });

  it.each([
    ['a kernel FPU section', KERNEL],
    ['another guest', GUEST],
  ])('fires for a value of %s', (_, value) => {
    const { monitor, reported } = watch({ 'cpu.fpregs[0.0]': value });
    monitor.afterStep(0);
    expect(reported('leak')).toEqual([{ ...leak, component: 0, value, expected: INIT }]);
  });

  it("fires for the task's own value from before its execve()", () => {
    const { monitor, reported } = watch({ 'cpu.fpregs[0.0]': A1, 'task.execed[0]': 0b001 });
    monitor.afterStep(0);
    expect(reported('leak')).toHaveLength(1);
  });

  it("is silent about the task's own value where it put the component into INIT itself: that is a lost update", () => {
    const { monitor, reported } = watch({ 'cpu.fpregs[0.0]': A1, 'task.execed[0]': 0b110 });
    monitor.afterStep(0);
    expect(reported('leak')).toEqual([]);
  });

  it('fires for what the hypervisor will load: the image of the vCPU, where the registers are not live', () => {
    const words = { [`fpstate.image[${VCPU_FPSTATE}.1]`]: B1, 'cpu.fpregs[0.0]': GUEST };
    const { monitor, reported } = watch(words, { registersLive: () => false });
    monitor.afterStep(0);
    expect(reported('leak')).toEqual([{ ...leak, component: 1, value: B1, expected: INIT }]);
  });

  it.each<[string, Words]>([
    ['INIT', {}],
    ["the task's own latest value", { 'cpu.fpregs[0.1]': A1, 'task.architectural[0.1]': A1 }],
    ["the task's own older value, which is a lost update", { 'cpu.fpregs[0.1]': A1, 'task.architectural[0.1]': A2 }],
    ["the parent's value after a fork", { 'cpu.fpregs[0.1]': B1, 'task.architectural[0.1]': B1 }],
    ["another task's value on another CPU", { 'cpu.fpregs[1.1]': B1 }],
    ["another task's value while the kernel runs", { 'cpu.fpregs[0.1]': B1, ...aliveTask(0, 2, 9, syscall) }],
    ["another task's value while nobody runs", { 'cpu.fpregs[0.1]': B1, 'cpu.current[0]': -1 }],
  ])('is silent about %s', (_, words) => {
    const { monitor, reported } = watch(words);
    monitor.afterStep(0);
    expect(reported('leak')).toEqual([]);
  });

  it('is silent behind a trap', () => {
    const { monitor, reported } = watch({ 'cpu.fpregs[0.1]': B1 }, { trapsUserFpu: () => true });
    monitor.afterStep(0);
    expect(reported('leak')).toEqual([]);
  });
});

describe('speculative-exposure', () => {
  it("fires when another principal's data is in the registers under user code, even behind a trap; once", () => {
    const { monitor, reported } = watch({ 'cpu.fpregs[0.1]': B1 }, { trapsUserFpu: () => true });
    monitor.afterStep(0);
    monitor.afterStep(0);
    expect(reported('speculative-exposure')).toEqual([
      { oracle: 'speculative-exposure', cpu: 0, reader: 0, component: 1, value: B1, expected: INIT },
    ]);
  });

  it('is about the registers of the processor, live for the guest or not', () => {
    const words = { [`fpstate.image[${VCPU_FPSTATE}.1]`]: B1, 'cpu.fpregs[0.0]': GUEST };
    const { monitor, reported } = watch(words, { registersLive: () => false });
    monitor.afterStep(0);
    expect(reported('speculative-exposure').map(({ component }) => component)).toEqual([0]);
  });

  it.each<[string, Words]>([
    ['own data', { 'cpu.fpregs[0.1]': A1, 'task.architectural[0.1]': A1 }],
    ["another task's data while the kernel runs", { 'cpu.fpregs[0.1]': B1, ...aliveTask(0, 2, 9, syscall) }],
  ])('is silent about %s', (_, words) => {
    const { monitor, reported } = watch(words);
    monitor.afterStep(0);
    expect(reported('speculative-exposure')).toEqual([]);
  });
});

describe('lost-update', () => {
  const read = ({ stream }: Watched, component: number, value: number): void =>
    stream.emit(events.FpregsRead, 0, 0, component, value);

  it('fires when a task reads something else than it wrote last, once per task and component', () => {
    const watched = watch({ 'task.architectural[0.0]': A1, 'task.architectural[0.1]': A2 });
    read(watched, 1, A1);
    read(watched, 1, INIT);
    read(watched, 0, B1);
    expect(watched.reported('lost-update')).toEqual([
      { oracle: 'lost-update', cpu: 0, reader: 0, component: 1, value: A1, expected: A2 },
      { oracle: 'lost-update', cpu: 0, reader: 0, component: 0, value: B1, expected: A1 },
    ]);
  });

  it('is silent about the latest value, and where the task has not written anything', () => {
    const watched = watch({ 'task.architectural[0.1]': A2, 'task.execed[0]': 0b001 });
    read(watched, 1, A2);
    read(watched, 0, B1);
    expect(watched.reported('lost-update')).toEqual([]);
  });

  it('fires when a task reads something in a component that it put into INIT itself', () => {
    const watched = watch({ 'task.execed[0]': 0b110 });
    read(watched, 0, A1);
    expect(watched.reported('lost-update')).toEqual([
      { oracle: 'lost-update', cpu: 0, reader: 0, component: 0, value: A1, expected: INIT },
    ]);
  });
});

describe('kernel-fpu-clobber', () => {
  const check = ({ stream }: Watched, value: number): void =>
    stream.emit(events.KernelFpregsChecked, 0, 0, 1, value, KERNEL);

  it('fires when a kernel FPU section finds something else than it computed, once per task and component', () => {
    const watched = watch();
    check(watched, B1);
    check(watched, INIT);
    expect(watched.reported('kernel-fpu-clobber')).toEqual([
      { oracle: 'kernel-fpu-clobber', cpu: 0, reader: 0, component: 1, value: B1, expected: KERNEL },
    ]);
  });

  it('is silent about its own value', () => {
    const watched = watch();
    check(watched, KERNEL);
    expect(watched.reported('kernel-fpu-clobber')).toEqual([]);
  });
});

describe('atomic-sleep', () => {
  const sleepIn = (...statuses: readonly number[]): Watched => {
    const watched = watch();
    for (const status of statuses) watched.stream.emit(events.MightSleepReached, 0, 0, status);
    return watched;
  };

  it.each([
    ['interrupts off', syscall | IRQS_OFF],
    ['preemption off', syscall | PREEMPT_OFF],
    ['bottom halves off', syscall | BH_OFF],
    ['a hardirq', hardirq],
  ])('fires at a sleeping point with %s, once per task', (_, status) => {
    expect(sleepIn(status, status).reported('atomic-sleep')).toEqual([
      { oracle: 'atomic-sleep', cpu: 0, reader: 0, component: -1, value: INIT, expected: INIT },
    ]);
  });

  it('is silent at a sleeping point in a system call or an exception', () => {
    expect(sleepIn(syscall, exception).reported('atomic-sleep')).toEqual([]);
  });
});

describe('unexpected-fault', () => {
  /** Enters a context on top of a frame at `pc` with `status`. */
  const enter = (pc: number, status: number, entry: number): Watched => {
    const watched = watch(aliveTask(0, 2, pc, status));
    watched.stream.emit(events.ContextEntered, 0, 0, entry, exception | IRQS_OFF);
    return watched;
  };

  it('fires when #NM interrupts kernel code, once per task', () => {
    const watched = enter(9, syscall, NM_ENTRY);
    watched.stream.emit(events.ContextEntered, 0, 0, NM_ENTRY, exception | IRQS_OFF);
    expect(watched.reported('unexpected-fault')).toEqual([
      { oracle: 'unexpected-fault', cpu: 0, reader: 0, component: -1, value: INIT, expected: INIT },
    ]);
  });

  it.each<[string, number, number, number]>([
    ['#NM that interrupts user code', 0, user, NM_ENTRY],
    ['#NM where the kernel expects it', NM_EXPECTED_AT, syscall, NM_ENTRY],
    ['another context', 9, syscall, NM_ENTRY + 1],
  ])('is silent about %s', (_, pc, status, entry) => {
    expect(enter(pc, status, entry).reported('unexpected-fault')).toEqual([]);
  });

  it.each([
    ['a kernel stack overflows', events.StackOverflowed],
    ['the kernel panics', events.KernelPanicked],
  ])('fires when %s: the CPU stops', (_, type) => {
    const watched = watch(aliveTask(0, 2, 9, syscall));
    watched.stream.emit(type, 0, 0);
    expect(watched.reported('unexpected-fault')).toEqual([
      { oracle: 'unexpected-fault', cpu: 0, reader: 0, component: -1, value: INIT, expected: INIT },
    ]);
  });
});

describe('validity', () => {
  const ALLOCATED = { 'fpstate.allocated[0]': 1, 'fpstate.allocated[1]': 1 };

  /** Task 0's validity after each event, by name, from where it was before. */
  function validities({ stream }: Watched, act: () => void): readonly string[] {
    const seen: string[] = [];
    const subscription = stream.on(events.ValidityChanged).subscribe(({ data }) => {
      if (data.task === 0) seen.push(`${VALIDITY_NAMES[data.from]} > ${VALIDITY_NAMES[data.to]}`);
    });
    act();
    subscription.unsubscribe();
    return seen;
  }

  it('has the names of the 2016 thread', () => {
    expect(VALIDITY_NAMES).toEqual(['unused', '1', '2a', '2b', 'split', 'lost', 'in transit']);
    expect(Object.values(VALIDITY)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(VALIDITY_NAMES[VALIDITY.transit]).toBe('in transit');
  });

  it('goes unused > 1 > 2a > 2b > 2a > 1 > unused: write, save, another loads, restore, write, exit', () => {
    const watched = watch({ ...ALLOCATED, 'fpstate.image[1.1]': B1 });
    const { stream } = watched;
    const seen = validities(watched, () => {
      stream.emit(events.FpregsWritten, 0, 1, A1);
      stream.emit(events.FpregsSaved, 0, 0, 0b111, 832);
      stream.emit(events.FpregsRestored, 0, 1, 0b111, 832);
      stream.emit(events.FpregsRestored, 0, 0, 0b111, 832);
      stream.emit(events.FpregsWritten, 0, 1, A2);
      stream.emit(events.TaskExiting, 0, 0);
    });
    expect(seen).toEqual(['unused > 1', '1 > 2a', '2a > 2b', '2b > 2a', '2a > 1', '1 > unused']);
    expect(watched.reported('validity')).toEqual([]);
  });

  it('losing the only copy is illegal; the component that is lost is named, not one that was never written', () => {
    const words = { ...ALLOCATED, 'fpstate.image[1.0]': B1, 'fpstate.image[1.1]': B1, 'fpstate.image[0.0]': A2 };
    const watched = watch({ ...words, 'task.last-ran[0]': 1, 'cpu.fpregs[1.1]': GUEST });
    const seen = validities(watched, () => {
      watched.stream.emit(events.FpregsWritten, 0, 1, A1);
      watched.stream.emit(events.FpregsRestored, 0, 1, 0b111, 832);
    });
    expect(seen.at(-1)).toMatch(/> lost$/);
    expect(watched.reported('validity')).toEqual([
      { oracle: 'validity', cpu: 1, reader: 0, component: 1, value: GUEST, expected: A1 },
    ]);
  });

  it("what is there now is what the guest's registers hold, also while the hypervisor has them in its image", () => {
    const words = { ...ALLOCATED, 'task.architectural[0.1]': A1, 'fpstate.image[0.1]': A1, 'task.validity[0]': 3 };
    const registers = { 'task.last-ran[0]': 1, 'cpu.fpregs[1.1]': GUEST, [`fpstate.image[${VCPU_FPSTATE}.1]`]: B1 };
    const watched = watch({ ...words, ...registers }, { registersLive: () => false });
    watched.stream.emit(events.FpstateFreed, 0);
    expect(watched.reported('validity')).toEqual([
      { oracle: 'validity', cpu: 1, reader: 0, component: 1, value: B1, expected: A1 },
    ]);
  });

  it('freeing the only copy is illegal', () => {
    const watched = watch({
      ...ALLOCATED,
      'task.architectural[0.1]': A1,
      'fpstate.image[0.1]': A1,
      'task.validity[0]': 3,
    });
    expect(validities(watched, () => watched.stream.emit(events.FpstateFreed, 0))).toEqual(['2b > lost']);
    expect(watched.reported('validity')).toEqual([
      { oracle: 'validity', cpu: -1, reader: 0, component: 1, value: INIT, expected: A1 },
    ]);
  });

  it('writing registers that were not loaded first is illegal: 2b > 1', () => {
    const watched = watch({
      ...ALLOCATED,
      'task.architectural[0.1]': A1,
      'fpstate.image[0.1]': A1,
      'task.validity[0]': VALIDITY.memory,
      'cpu.fpregs[0.1]': B1,
    });
    expect(validities(watched, () => watched.stream.emit(events.FpregsWritten, 0, 1, A2))).toEqual(['2b > 1']);
    expect(watched.reported('validity')).toEqual([
      { oracle: 'validity', cpu: -1, reader: 0, component: -1, value: INIT, expected: INIT },
    ]);
  });

  it('a mixture is illegal: one component valid in the registers, another in memory', () => {
    const watched = watch({
      ...ALLOCATED,
      'task.architectural[0.0]': A1,
      'task.architectural[0.1]': A1,
      'fpstate.image[0.0]': A1,
      'fpstate.image[0.1]': A1,
      'cpu.fpregs[0.0]': B1,
      'cpu.fpregs[0.1]': B1,
      'task.validity[0]': VALIDITY.memory,
    });
    expect(validities(watched, () => watched.stream.emit(events.FpregsWritten, 0, 1, A2))).toEqual(['2b > split']);
    expect(watched.reported('validity')).toEqual([
      { oracle: 'validity', cpu: -1, reader: 0, component: -1, value: INIT, expected: INIT },
    ]);
  });

  it('registers on another CPU are a copy too', () => {
    const watched = watch({ 'task.architectural[0.1]': A1, 'cpu.fpregs[1.1]': A1, 'task.validity[0]': VALIDITY.cpu });
    expect(validities(watched, () => watched.stream.emit(events.FpregsInitialised, 0, 0b111))).toEqual([]);
  });

  it('a copy in memory that is not allocated is none', () => {
    const watched = watch({ 'fpstate.image[0.1]': A1 });
    expect(validities(watched, () => watched.stream.emit(events.FpregsWritten, 0, 1, A1))).toEqual(['unused > 1']);
  });

  it('in transit is legal: only in the image of another task, until it is copied from there', () => {
    const watched = watch(ALLOCATED);
    const { stream } = watched;
    const seen = validities(watched, () => {
      stream.emit(events.FpregsWritten, 0, 1, A1);
      stream.emit(events.FpregsSaved, 0, 1, 0b111, 832);
      stream.emit(events.FpregsInitialised, 0, 0b111);
      stream.emit(events.FpstateCopied, 1, 0);
      stream.emit(events.FpregsRestored, 0, 0, 0b111, 832);
    });
    expect(seen).toEqual(['unused > 1', '1 > in transit', 'in transit > 2b', '2b > 2a']);
    expect(watched.reported('validity')).toEqual([]);
  });

  it('what was in transit is lost when that image is freed', () => {
    const watched = watch(ALLOCATED);
    const { stream } = watched;
    const seen = validities(watched, () => {
      stream.emit(events.FpregsWritten, 0, 1, A1);
      stream.emit(events.FpregsSaved, 0, 1, 0b111, 832);
      stream.emit(events.FpregsInitialised, 0, 0b111);
      stream.emit(events.FpstateFreed, 1);
    });
    expect(seen).toEqual(['unused > 1', '1 > in transit', 'in transit > lost']);
    expect(watched.reported('validity')).toEqual([
      { oracle: 'validity', cpu: -1, reader: 0, component: 1, value: INIT, expected: A1 },
    ]);
  });

  it.each([
    ['of a task that is not allocated', 1, {}],
    ['of a vCPU', VCPU_FPSTATE, { [`fpstate.allocated[${VCPU_FPSTATE}]`]: 1 }],
  ])('nothing is in transit in an image %s', (_, fpstate, words) => {
    const watched = watch({ 'fpstate.allocated[0]': 1, ...words });
    const { stream } = watched;
    const seen = validities(watched, () => {
      stream.emit(events.FpregsWritten, 0, 1, A1);
      stream.emit(events.FpregsSaved, 0, fpstate, 0b111, 832);
      stream.emit(events.FpregsInitialised, 0, 0b111);
    });
    expect(seen).toEqual(['unused > 1', '1 > lost']);
  });

  it('lost goes before in transit, where one component is lost and another in transit', () => {
    const watched = watch({ ...ALLOCATED, 'cpu.fpregs[0.0]': A2, 'task.architectural[0.0]': A2 });
    const { stream } = watched;
    const seen = validities(watched, () => {
      stream.emit(events.FpregsWritten, 0, 1, A1);
      stream.emit(events.FpregsSaved, 0, 1, 0b010, 832);
      stream.emit(events.FpregsInitialised, 0, 0b111);
    });
    expect(seen).toEqual(['unused > 1', '1 > lost']);
    expect(watched.reported('validity')).toEqual([
      { oracle: 'validity', cpu: -1, reader: 0, component: 0, value: INIT, expected: A2 },
    ]);
  });

  it('is reported once, however often a state is lost', () => {
    const watched = watch({ ...ALLOCATED, 'fpstate.image[1.1]': B1 });
    for (const value of [A1, A2]) {
      watched.stream.emit(events.FpregsWritten, 0, 1, value);
      watched.stream.emit(events.FpregsRestored, 0, 1, 0b111, 832);
    }
    expect(watched.reported('validity')).toEqual([
      { oracle: 'validity', cpu: -1, reader: 0, component: 1, value: B1, expected: A1 },
    ]);
  });
});
