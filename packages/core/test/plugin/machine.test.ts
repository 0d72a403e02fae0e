import { events, forever, loop, replayDriver, seededDriver, sse, step, syscall } from '@fpulab/core';
import { fpuErrorOf } from '../support/errors';
import { CLEAR_TS, answering, eventsOf, machineOf, recorded } from '../support/machines';

const endless = { tasks: { A: [forever(sse.write(), sse.read())] } };

describe('running', () => {
  it('ends when nothing can run any more', () => {
    const machine = machineOf({ tasks: { A: [sse.write()] } });
    const result = machine.run();
    expect(result.outcome).toBe('finished');
    expect(machine.run()).toEqual({ outcome: 'finished', steps: 0 });
  });

  it('ends halted, not finished, when a CPU has stopped for good: in every run from there on', () => {
    const policy = answering({
      'cpu-up': [step('kill the idle task', (k) => k.killCurrent()), step('never', () => {})],
    });
    const machine = machineOf({ tasks: { A: [sse.write()] }, policy });
    const seen = recorded(machine);
    const { outcome, steps } = machine.run();
    expect([outcome, seen.at(-2)?.type]).toEqual(['halted', 'kernel.panicked']);
    expect(machine.run()).toEqual({ outcome: 'halted', steps: 0 });
    const again = machineOf({ tasks: { A: [sse.write()] }, policy });
    expect(again.run({ stepsMax: steps })).toEqual({ outcome: 'step-limit', steps });
    expect(again.run()).toEqual({ outcome: 'halted', steps: 0 });
  });

  it("ends at the step limit, the scenario's when none is given", () => {
    expect(machineOf(endless).run({ stepsMax: 10 })).toEqual({ outcome: 'step-limit', steps: 10 });
    expect(machineOf(endless).run()).toEqual({ outcome: 'step-limit', steps: 5000 });
    expect(machineOf(endless).run({ stepsMax: 0 })).toEqual({ outcome: 'step-limit', steps: 0 });
  });

  it('goes on where it ended', () => {
    const [whole, parts] = [machineOf(endless), machineOf(endless)];
    whole.run({ stepsMax: 100 });
    for (const stepsMax of [1, 9, 90]) parts.run({ stepsMax });
    expect(parts.digest()).toBe(whole.digest());
    expect(parts.eventCount).toBe(whole.eventCount);
  });

  it('step() takes one of the steps that run() takes', () => {
    const [running, stepping] = [machineOf(endless), machineOf(endless)];
    running.run({ stepsMax: 25 });
    for (let step = 0; step < 25; step++) expect(stepping.step()).toBe(true);
    expect(stepping.digest()).toBe(running.digest());
  });

  it('stops when it is asked to, every 1,024 steps', () => {
    let asked = 0;
    const result = machineOf(endless).run({ stop: () => ++asked === 3 });
    expect(result).toEqual({ outcome: 'interrupted', steps: 2048 });
    expect(machineOf(endless).run({ stop: () => true })).toEqual({ outcome: 'interrupted', steps: 0 });
  });

  it('boots once, by itself or when it is told to', () => {
    const machine = machineOf({ tasks: { A: [] } });
    const seen = recorded(machine);
    machine.boot();
    machine.boot();
    machine.run();
    expect(seen.filter(({ type }) => type === 'cpu.booted')).toHaveLength(1);
    expect(seen.slice(0, 3).map(({ type }) => type)).toEqual(['task.created', 'task.created', 'cpu.booted']);
  });

  it('tells a driver when the run is over: recorded choices that were not used are an error', () => {
    const tasks = { A: [], B: [] };
    const error = fpuErrorOf(() => machineOf({ tasks, compose: { choices: replayDriver([0, 0, 0]) } }).run());
    expect([error.code, error.message]).toEqual(['FPU302', 'the run ended after 1 choices, but 3 were recorded']);
    expect(() => machineOf({ tasks, compose: { choices: replayDriver([0]) } }).run()).not.toThrow();
  });

  it('does not tell it at the step limit: the run may go on', () => {
    const machine = machineOf({ tasks: { A: [], B: [] }, compose: { choices: replayDriver([0, 0, 0]) } });
    expect(machine.run({ stepsMax: 10 }).outcome).toBe('step-limit');
  });
});

describe('listening', () => {
  it('on() delivers one type, in the order of events$', () => {
    const machine = machineOf({ tasks: { A: [sse.write(), sse.write()] } });
    const values: number[] = [];
    machine.on(events.FpregsWritten).subscribe(({ data }) => values.push(data.value & 0xff));
    machine.run();
    expect(values).toEqual([1, 2]);
  });

  it('subscribers do not change the run', () => {
    const [alone, watched] = [machineOf(endless), machineOf(endless)];
    recorded(watched);
    watched.on(events.KernelStepped).subscribe();
    alone.run({ stepsMax: 200 });
    watched.run({ stepsMax: 200 });
    expect(watched.digest()).toBe(alone.digest());
  });

  it('a machine without oracles runs the same, but emits no verdicts and no validity', () => {
    const policy = () => answering({ 'cpu-up': CLEAR_TS });
    const tasks = { A: [sse.write(), syscall('sched_yield')], B: [sse.read()] };
    const types = (oracles?: false): readonly string[] =>
      eventsOf(machineOf({ tasks, policy: policy(), compose: { oracles } })).map(({ type }) => type);
    const judged = (type: string): boolean => type === 'oracle.violated' || type === 'validity.changed';
    expect(types().filter(judged).length).toBeGreaterThan(0);
    expect(types(false)).toEqual(types().filter((type) => !judged(type)));
  });
});

describe('isInside', () => {
  it('is true while a frame of the routine is on the stack, also below others', () => {
    const machine = machineOf({ tasks: { A: [syscall('nanosleep')], B: [] } });
    const [A, B] = [0, 1];
    const routines = ['sys_nanosleep', 'schedule', 'do_exit', 'nothing'];
    const inside = (task: number): readonly string[] => routines.filter((name) => machine.isInside(task, name));
    const found: unknown[] = [];
    machine.events$.subscribe(({ type, data }) => {
      if (type === 'task.slept' || type === 'task.exited') found.push([type, data.task, inside(A), inside(B)]);
    });
    machine.run();
    expect(found).toEqual([
      ['task.slept', A, ['sys_nanosleep'], []],
      ['task.exited', B, ['sys_nanosleep', 'schedule'], ['do_exit']],
      ['task.exited', A, ['do_exit'], ['schedule', 'do_exit']],
    ]);
  });

  it('is not about user code, whose positions are no addresses of the kernel', () => {
    const machine = machineOf({ tasks: { A: [loop(60, sse.write())] } });
    const names = new Set(machine.stepLabels.map((label) => label.split(/[/@]/)[0]));
    const found = new Set<string>();
    machine.on(events.FpregsWritten).subscribe(() => {
      for (const name of names) if (machine.isInside(0, name)) found.add(name);
    });
    machine.run();
    expect([...found]).toEqual([]);
  });
});

describe('stepping from a subscriber', () => {
  const BUG = 'fpulab bug: step() was called from a subscriber; subscribers only look';

  /** The message of what is thrown; caught at once, because RxJS would report it on another stack. */
  function thrownBy(act: () => void): string {
    try {
      act();
    } catch (error) {
      return (error as Error).message;
    }
    return 'nothing';
  }

  it.each<[string, (machine: ReturnType<typeof machineOf>) => void]>([
    ['step()', (machine) => machine.step()],
    ['run()', (machine) => machine.run({ stepsMax: 1 })],
  ])('%s throws, every time, and changes nothing', (_, act) => {
    const [alone, watched] = [machineOf(endless), machineOf(endless)];
    const messages: string[] = [];
    watched.on(events.UserStepped).subscribe(() => messages.push(thrownBy(() => act(watched))));
    const seen = recorded(watched);
    alone.run({ stepsMax: 50 });
    watched.run({ stepsMax: 50 });
    const count = seen.filter(({ type }) => type === 'user.stepped').length;
    expect(count).toBeGreaterThan(0);
    expect(messages).toEqual(Array.from({ length: count }, () => BUG));
    expect([watched.digest(), watched.eventCount]).toEqual([alone.digest(), alone.eventCount]);
  });

  it('the machine steps on afterwards', () => {
    const machine = machineOf(endless);
    const messages: string[] = [];
    const subscription = machine
      .on(events.KernelStepped)
      .subscribe(() => messages.push(thrownBy(() => machine.step())));
    expect(machine.step()).toBe(true);
    expect(messages).toEqual([BUG]);
    subscription.unsubscribe();
    expect(machine.step()).toBe(true);
  });
});

describe('snapshots', () => {
  it('are copies: running on does not change them', () => {
    const machine = machineOf(endless);
    machine.run({ stepsMax: 20 });
    const snapshot = machine.snapshot();
    const copy = snapshot.slice();
    machine.run({ stepsMax: 20 });
    expect(snapshot).toEqual(copy);
    expect(machine.snapshot()).not.toEqual(copy);
  });

  it('bring back the digest; subscriptions stay, positions go on', () => {
    const machine = machineOf(endless);
    const seen = recorded(machine);
    machine.run({ stepsMax: 20 });
    const [snapshot, digest, count] = [machine.snapshot(), machine.digest(), machine.eventCount];
    machine.run({ stepsMax: 7 });
    const afterwards = machine.eventCount;
    machine.restore(snapshot);
    expect(machine.digest()).toBe(digest);
    machine.run({ stepsMax: 7 });
    expect(seen).toHaveLength(machine.eventCount);
    expect(machine.eventCount - afterwards).toBe(afterwards - count);
  });

  it('of a machine that has not booted can be restored: it boots again', () => {
    const machine = machineOf({ tasks: { A: [sse.write()] } });
    const fresh = machine.snapshot();
    machine.run();
    const digest = machine.digest();
    machine.restore(fresh);
    expect(machine.run().steps).toBeGreaterThan(0);
    expect(machine.digest()).toBe(digest);
  });
});

describe('names', () => {
  const machine = machineOf({ tasks: { A: [sse.write()], B: [] }, cpus: 2 });

  it('of tasks: those of the scenario, then an idle task per CPU', () => {
    expect(machine.taskNames).toEqual(['A', 'B', 'idle0', 'idle1']);
  });

  it('of steps: a label per address, and the functions that enclose a step', () => {
    const pc = machine.stepLabels.indexOf('schedule/__switch_to/change stacks and current');
    expect(machine.stepPath(pc)).toEqual(['schedule', '__switch_to']);
    expect(machine.stepPath(0)).toEqual([]);
    expect(machine.stepPath(1_000_000)).toEqual([]);
  });

  it('of drivers: the one in charge can be exchanged in the middle of a run', () => {
    const running = machineOf({ tasks: { A: [], B: [] } });
    const driver = seededDriver(4n);
    running.driver = driver;
    running.run();
    expect(running.driver).toBe(driver);
    expect(driver.getPosition()).toBe(1);
  });
});
