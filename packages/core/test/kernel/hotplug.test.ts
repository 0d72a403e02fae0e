import {
  AVX,
  CPU_STATE,
  CR0_RESET,
  SSE,
  X87,
  applyEvent,
  avx,
  events,
  fork,
  forever,
  mmx,
  sse,
  step,
  syscall,
  scriptDriver,
  type BasePolicy,
  type ChoiceDriver,
  type Machine,
  type Operation,
  type Schedule,
} from '@fpulab/core';
import { xenHvm, xenPv } from '@fpulab/hypervisor';
import { fpuErrorOf } from '../support/errors';
import {
  UD,
  CLEAR_TS,
  answering,
  dataOf,
  eventsOf,
  machineOf,
  openPolicy,
  recorded,
  story,
  type MachineOptions,
} from '../support/machines';

const down = syscall('cpu_down');
const up = syscall('cpu_up');
const suspend = syscall('suspend');
const yielding = syscall('sched_yield');
const compute = forever(sse.update(), syscall('getpid'));

/** No FPU instruction traps, and everything about CPUs is answered with a step that says so. */
const policy = (more: Parameters<typeof answering>[0] = {}): BasePolicy =>
  answering({
    'cpu-up': CLEAR_TS,
    'native-cpu-up': [step('nobody owns it', () => {})],
    'cpu-init': CLEAR_TS,
    ...more,
  });

/** CPUs take turns, and what can be preempted is; other choices are the schedule's. */
function takingTurns(schedule: Schedule): ChoiceDriver {
  const script = scriptDriver(schedule);
  let turn = 0;
  return {
    ...script,
    choose(request) {
      const names = Array.from({ length: request.count }, (_, index) => request.name(request.alternatives[index]));
      if (!names[0].includes(':')) return script.choose(request);
      const cpu = turn++ % 2;
      const wanted = [`cpu${cpu}:preempt`, `cpu${cpu}:continue`].find((name) => names.includes(name)) ?? names[0];
      return names.indexOf(wanted);
    },
  };
}

const machine = (
  tasks: Readonly<Record<string, readonly Operation[]>>,
  { schedule = {}, ...more }: Partial<MachineOptions> = {},
): Machine => machineOf({ tasks, policy: policy(), cpus: 2, compose: { choices: takingTurns(schedule) }, ...more });

const statesOf = ({ state: { words, at } }: Machine): readonly number[] => [
  ...words.slice(at.cpuState, at.cpuState + at.cpus),
];

/** Lines of a story about CPUs, and who leaves which task for whom. */
const about = (lines: readonly string[], ...words: readonly string[]): readonly string[] =>
  lines.filter((line) => words.some((word) => line.includes(word)));

const currentOf = ({ state: { words, at } }: Machine, cpu: number): number => words[at.current + cpu];

/** Runs until an event of this type has come, and stops behind its step. */
function runTo(it: Machine, type: string): Machine {
  let seen = false;
  const watch = it.events$.subscribe((event) => {
    seen ||= event.type === type;
  });
  for (let steps = 0; steps < 2000 && !seen; steps++) it.step();
  watch.unsubscribe();
  if (!seen) throw new Error(`no ${type}`);
  return it;
}

describe('a CPU that goes down', () => {
  it('takes its idle task, and nobody else runs there', () => {
    const it = machine({ A: [down, yielding, yielding] });
    const seen = eventsOf(it);
    expect(dataOf(seen, 'cpu.leaving')).toEqual([{ target: 1 }]);
    expect(dataOf(seen, 'cpu.died')).toEqual([{ cpu: 1 }]);
    expect(statesOf(it)).toEqual([CPU_STATE.online, CPU_STATE.dead]);
    expect(currentOf(it, 1)).toBe(it.taskNames.indexOf('idle1'));
  });

  it('is left by the user code that computes there: it is preempted, and goes on on another CPU', () => {
    const pick = ['B', 'A'];
    const it = machine({ A: [yielding, down, yielding], B: [compute] }, { schedule: { pick } });
    const seen = recorded(it);
    runTo(it, 'cpu.died');
    for (let steps = 0; steps < 200; steps++) it.step();
    const cpus = dataOf(seen, 'user.stepped').flatMap(({ cpu, task }) => (task === 1 ? [cpu] : []));
    expect(dataOf(seen, 'cpu.leaving')).toHaveLength(1);
    const [{ target }] = dataOf(seen, 'cpu.leaving');
    const after = seen.findIndex(({ type }) => type === 'cpu.died');
    const later = seen.slice(after).flatMap(({ type, data }) => (type === 'user.stepped' ? [data.cpu] : []));
    expect(cpus.length).toBeGreaterThan(2);
    expect(new Set(later)).toEqual(new Set([1 - target]));
  });

  it('is never the last one', () => {
    const it = machine({ A: [down, yielding, down, yielding] });
    expect(dataOf(eventsOf(it), 'cpu.leaving')).toHaveLength(1);
    const alone = machineOf({ tasks: { A: [down] }, policy: policy(), cpus: 1 });
    expect(dataOf(eventsOf(alone), 'cpu.leaving')).toEqual([]);
  });

  it('may be the one on which it is asked for: the task leaves it', () => {
    const it = machine({ A: [down, sse.read(), sse.read()] }, { schedule: { cpu: ['cpu0'] } });
    const seen = eventsOf(it);
    expect(dataOf(seen, 'cpu.died')).toEqual([{ cpu: 0 }]);
    const last = dataOf(seen, 'user.stepped').at(-1);
    expect(last).toMatchObject({ task: 0, cpu: 1 });
  });

  it('answers to nothing until another one brings it up', () => {
    const it = machine({ A: [down, yielding, yielding], B: [yielding] }, { interference: { hardirq: true } });
    runTo(it, 'cpu.died');
    const seen = eventsOf(it, 300);
    expect(seen.filter(({ data }) => data.cpu === 1).map(({ type }) => type)).toEqual([]);
  });
});

describe('a CPU that comes up', () => {
  it('on bare metal: native_cpu_up(), INIT, the kernel, fpu__init_cpu(), CR4, XCR0, in this order', () => {
    const it = machine({ A: [down, yielding, yielding, yielding, up, yielding, yielding] });
    const lines = story(it, eventsOf(it));
    expect(about(lines, 'play_dead', 'start_secondary', 'test.cpu-init', 'test.native')).toEqual([
      'idle1 cpu_idle/play_dead',
      'idle1 cpu_idle/start_secondary/native_cpu_up',
      'idle1 calls test.native-cpu-up',
      'idle1 test.native-cpu-up/nobody owns it',
      'idle1 cpu_idle/start_secondary/INIT, SIPI',
      'idle1 cpu_idle/start_secondary/secondary_startup_64',
      'idle1 cpu_idle/start_secondary/fpu__init_cpu',
      'idle1 calls test.cpu-init',
      'idle1 test.cpu-init/clts',
      'idle1 cpu_idle/start_secondary/cr4_set_bits',
      'idle1 cpu_idle/start_secondary/xsetbv(XCR0) in cpu_init',
      'idle1 cpu_idle/start_secondary/set_cpu_online',
    ]);
    expect(statesOf(it)).toEqual([CPU_STATE.online, CPU_STATE.online]);
  });

  it('has by INIT a fresh CR0 and CR4, and the registers that it had', () => {
    const tasks = { A: [sse.write(), down, yielding, yielding, up, yielding, yielding] };
    const it = machine(tasks, { schedule: { cpu: ['cpu0'] } });
    const seen = recorded(it);
    runTo(it, 'cpu.init-received');
    const { words, at } = it.state;
    expect(words[at.cr0]).toBe(CR0_RESET);
    expect(words[at.cr4]).toBe(0);
    expect(words[at.fpregs + at.indexOfBit[SSE]]).not.toBe(0);
    runTo(it, 'cpu.online');
    expect(words[at.cr4]).toBe(words[at.cr4 + 1]);
    expect(dataOf(seen, 'cpu.power-lost')).toEqual([]);
  });

  it('under Xen PV: goes on behind its hypercall, without INIT', () => {
    const it = machine({ A: [down, yielding, yielding, yielding, up, yielding, yielding] }, { platform: xenPv() });
    const lines = story(it, eventsOf(it));
    expect(about(lines, 'start_secondary').map((line) => line.split('/').at(-1))).toEqual([
      'VCPUOP_up',
      'fpu__init_cpu',
      'cr4_set_bits',
      'xsetbv(XCR0) in cpu_init',
      'set_cpu_online',
    ]);
  });

  it('under Xen HVM: INIT resets the CR0 of the guest; its registers stay in the image, and the processor traps', () => {
    const it = machine({ A: [sse.write(), down, yielding, yielding, up, yielding] }, { platform: xenHvm() });
    runTo(it, 'cpu.init-received');
    const slot = (name: string): number => it.state.words[it.state.layout.field(name).base + 1];
    expect([slot('xen-hvm.cr0_read_shadow'), slot('xen-hvm.guest_ts'), slot('xen-hvm.nm_intercept')]).toEqual([
      CR0_RESET,
      0,
      1,
    ]);
    expect(slot('cpu.cr0') & 8).toBe(8);
  });

  it('raises #UD for an SSE instruction before its CR4 is written', () => {
    const early = step('early', () => {}, { instruction: 'sse' });
    const it = machine(
      { A: [down, yielding, yielding, up, yielding] },
      { policy: policy({ 'cpu-init': [...CLEAR_TS, early] }) },
    );
    const seen = eventsOf(it);
    expect(dataOf(seen, 'trap.raised').map(({ vector, cpu }) => [vector, cpu])).toEqual([[UD, 1]]);
    expect(dataOf(seen, 'kernel.panicked')).toHaveLength(1);
  });
});

describe('suspend', () => {
  it('freezes the others, takes their CPUs down, saves, sleeps, restores, brings the CPUs up, and lets everybody go on', () => {
    const it = machine({ A: [suspend, sse.read()], B: [compute] }, { schedule: { pick: ['B', 'A'] } });
    const seen = recorded(it);
    runTo(it, 'tasks.thawed');
    const order = ['tasks.frozen', 'cpu.leaving', 'cpu.died', 'hook.kernel-fpu-begin', 'cpu.power-lost', 'cr4.written'];
    const rest = ['xcr0.written', 'hook.kernel-fpu-end', 'cpu.kicked', 'tasks.thawed'];
    const types = seen.map(({ type }) => type);
    const places = [...order, ...rest].map((type) => types.indexOf(type));
    expect(places.every((place, index) => place > (places[index - 1] ?? -1))).toBe(true);
    const frozen = seen.slice(places[2], places.at(-1)).filter(({ type }) => type === 'user.stepped');
    expect(frozen).toEqual([]);
    expect(
      dataOf(seen, 'cpu.power-lost')
        .map(({ cpu }) => cpu)
        .sort(),
    ).toEqual([0, 1]);
  });

  it('takes the registers of all CPUs, CR0, CR4, XCR0', () => {
    const it = machine({ A: [sse.write(), suspend], B: [sse.write(), yielding] });
    runTo(it, 'cpu.power-lost');
    const { words, at } = it.state;
    expect([...words.slice(at.fpregs, at.fpregs + 2 * at.components)].every((value) => value === 0)).toBe(true);
    expect([...words.slice(at.cr4, at.cr4 + 2)]).toEqual([0, 0]);
    expect([...words.slice(at.xcr0, at.xcr0 + 2)]).toEqual([1 << X87, 1 << X87]);
  });

  it('waits, and does nothing else, while another CPU has not gone down', () => {
    const it = machine(
      { A: [suspend], B: [sse.write(), sse.write(), sse.write()] },
      { schedule: { pick: ['A', 'B'] } },
    );
    const seen = recorded(it);
    runTo(it, 'cpu.power-lost');
    const died = seen.findIndex(({ type }) => type === 'cpu.died');
    const waited = seen.findIndex(
      ({ type, data }) => type === 'kernel.stepped' && it.stepLabels[data.at].endsWith('wait for the other CPUs'),
    );
    expect(waited).toBeGreaterThan(died);
  });

  it('is refused while another task suspends the machine', () => {
    const it = machine({ A: [suspend, yielding], B: [suspend, down, up] });
    const seen = eventsOf(it);
    const frozen = dataOf(seen, 'tasks.frozen').length;
    expect(frozen).toBe(dataOf(seen, 'tasks.thawed').length);
    expect(frozen).toBeGreaterThan(0);
  });

  it('leaves a guest of Xen PV what its vCPUs held: nothing is saved, nothing lost', () => {
    const it = machine({ A: [suspend], B: [] }, { platform: xenPv() });
    const seen = eventsOf(it);
    expect(dataOf(seen, 'hook.suspend')).toHaveLength(1);
    expect(dataOf(seen, 'cpu.power-lost')).toEqual([]);
    expect(dataOf(seen, 'hook.kernel-fpu-begin')).toEqual([]);
  });
});

describe('XCR0 after suspend', () => {
  it('is as RESET left it until it is written: XSAVE stores x87 alone, as long as XCR0 enables nothing else', () => {
    const save = step('save', (k) => void k.save(k.fpstateOf(k.task)), { instruction: 'xsave' });
    const it = machine({ A: [avx.write(), suspend] }, { cpus: 1, policy: policy({ 'kernel-fpu-end': [save] }) });
    const seen = recorded(it);
    runTo(it, 'xcr0.written');
    applyEvent(it.state, events.Xcr0Written, { cpu: 0, value: 1 << X87 }); // as if it had not been written
    runTo(it, 'fpregs.saved');
    const all = (1 << X87) | (1 << SSE) | (1 << AVX);
    expect(dataOf(seen, 'xcr0.written').map(({ value }) => value)).toEqual([all]);
    expect(dataOf(seen, 'fpregs.saved').map(({ xfeatures }) => xfeatures)).toEqual([1 << X87]);
  });
});

describe('what is refused', () => {
  it('a policy that does not say what a CPU does when it comes up again', () => {
    expect(fpuErrorOf(() => machineOf({ tasks: { A: [down] }, policy: openPolicy(), cpus: 2 }))).toMatchObject({
      code: 'FPU202',
      message: "task A of the scenario 'test' takes CPUs down, but 'quiet' does not own 'native-cpu-up'",
    });
  });

  it('nothing costs a machine whose CPUs stay up', () => {
    const { state } = machineOf({ tasks: { A: [mmx.read(), fork('B')], B: [] }, unborn: ['B'], cpus: 2 });
    expect([state.at.cpuState, state.at.cr4, state.at.xcr0, state.at.frozenBy]).toEqual([-1, -1, -1, -1]);
    expect(state.layout.find('cpu.state')).toBeUndefined();
    expect(events.CpuDied.local).toBe(false);
  });
});
