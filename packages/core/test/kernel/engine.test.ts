import {
  CONTEXT,
  CR0_EM,
  MOVE_INSTRUCTIONS,
  NOBODY,
  ORACLES,
  PRINCIPAL,
  contextOf,
  either,
  events,
  firstDriver,
  fork,
  forever,
  isEvent,
  loop,
  mmx,
  routine,
  sse,
  step,
  syscall,
  valueId,
  when,
  whileHolds,
  type Machine,
  type MachineEvent,
  type RoutineNode,
  type StepAction,
} from '@fpulab/core';
import { NEXT_LOCAL } from '../../src/kernel/cpu-core';

import { LOCALS } from '../../src/machine/state';
import { fpuErrorOf } from '../support/errors';
import { enabledNames, wantingDriver } from '../support/requests';
import { Stacks } from '../support/stacks';
import {
  CLEAR_TS,
  GP,
  NM,
  UD,
  answering,
  dataOf,
  eventsOf,
  idleStep,
  machineOf,
  platformWith,
  quietPolicy,
  recorded,
  story,
  type MachineOptions,
} from '../support/machines';

/** What a machine does, in words, from the first line that starts with `from` up to the last one that ends with `to`. */
function storyOf(options: MachineOptions, from: string, to: string): readonly string[] {
  const machine = machineOf(options);
  const lines = story(machine, eventsOf(machine));
  const start = lines.findIndex((line) => line.startsWith(from));
  const end = lines.length - 1 - [...lines].reverse().findIndex((line) => line.endsWith(to));
  return lines.slice(start, end + 1);
}

/** Locals hold tasks as their numbers plus one. */
const NO_TASK = NOBODY + 1;

describe('user code', () => {
  it('traps with TS=1, its kernel handles that, and the same operation is tried again', () => {
    const policy = answering({ 'trap-nm': [step('clts', (k) => k.clts())] });
    expect(storyOf({ tasks: { A: [sse.write()] }, policy }, 'A #NM', 'user 0')).toEqual([
      'A #NM from user',
      'A enters exception irqs-off: device_not_available',
      'A device_not_available/do_device_not_available',
      'A calls test.trap-nm',
      'A test.trap-nm/clts',
      'A device_not_available/iret',
      'A user 0',
    ]);
  });

  it('does not trap with TS=0', () => {
    expect(dataOf(eventsOf(machineOf({ tasks: { A: [sse.write(), mmx.read()] } })), 'trap.raised')).toEqual([]);
  });

  it('has no effect before it traps: nothing is written until the operation is tried again', () => {
    const policy = answering({ 'trap-nm': [step('clts', (k) => k.clts())] });
    const types = eventsOf(machineOf({ tasks: { A: [sse.write()] }, policy })).map(({ type }) => type);
    expect(types.filter((type) => type === 'fpregs.written')).toHaveLength(1);
    expect(types.indexOf('fpregs.written')).toBeGreaterThan(types.indexOf('cr0.written'));
  });

  it('traps for ever when nobody clears TS: the step limit ends the run', () => {
    const machine = machineOf({ tasks: { A: [sse.write()] }, policy: quietPolicy() });
    const seen = recorded(machine);
    expect(machine.run({ stepsMax: 300 })).toEqual({ outcome: 'step-limit', steps: 300 });
    expect(dataOf(seen, 'user.stepped')).toEqual([]);
    expect(new Set(dataOf(seen, 'trap.raised').map(({ vector }) => vector))).toEqual(new Set([NM]));
  });

  it('dies of #UD when EM is set: SSE has no emulator', () => {
    const policy = answering({ 'cpu-up': [step('set EM', (k) => k.writeCr0(k.readCr0() | CR0_EM))] });
    const machine = machineOf({ tasks: { A: [sse.write(), syscall('getpid')] }, policy });
    const seen = eventsOf(machine);
    expect(dataOf(seen, 'trap.raised')).toEqual([{ cpu: 0, task: 0, vector: UD, user: 1, at: 0 }]);
    expect(dataOf(seen, 'task.exited')).toEqual([{ cpu: 0, task: 0 }]);
    expect(story(machine, seen)).toEqual(
      expect.arrayContaining(['A enters exception irqs-off: invalid_op', 'A invalid_op/die', 'A calls do_exit']),
    );
    expect(story(machine, seen)).not.toContain('A enters syscall: sys_getpid');
  });

  it('reads what it wrote; each write is a new value of its own', () => {
    const seen = eventsOf(machineOf({ tasks: { A: [sse.write(), sse.read(), sse.update(), mmx.write()] } }));
    const [first, second, third] = [1, 2, 3].map((serial) => valueId(1, serial));
    expect(dataOf(seen, 'fpregs.written')).toEqual([
      { cpu: 0, component: 1, value: first },
      { cpu: 0, component: 1, value: second },
      { cpu: 0, component: 0, value: third },
    ]);
    expect(dataOf(seen, 'fpregs.read')).toEqual([
      { cpu: 0, task: 0, component: 1, value: first },
      { cpu: 0, task: 0, component: 1, value: first },
    ]);
  });

  it('goes the way that the driver chooses at an either; the choice is recorded', () => {
    const options = { tasks: { A: [either(sse.write(), mmx.write())] }, schedule: { program: ['mmx.write'] } };
    const seen = eventsOf(machineOf(options));
    expect(dataOf(seen, 'fpregs.written')).toEqual([{ cpu: 0, component: 0, value: valueId(1, 1) }]);
    expect(dataOf(seen, 'choice.made')).toEqual([expect.objectContaining({ kind: 3, taken: 2, index: 1, count: 2 })]);
  });

  it('can choose between many alternatives, more than a CPU has actions', () => {
    const alternatives = [...Array.from({ length: 39 }, () => sse.write()), mmx.write()];
    const options = { tasks: { A: [either(...alternatives)] }, schedule: { program: ['mmx.write'] } };
    const seen = eventsOf(machineOf(options));
    expect(dataOf(seen, 'choice.made')).toEqual([expect.objectContaining({ taken: 40, index: 39, count: 40 })]);
    expect(dataOf(seen, 'fpregs.written')).toEqual([{ cpu: 0, component: 0, value: valueId(1, 1) }]);
  });
});

describe('events say who did it and in the course of what', () => {
  const policy = answering({ 'trap-nm': [step('clts', (k) => k.clts())] });
  const seen = eventsOf(
    machineOf({ tasks: { A: [sse.write()], B: [syscall('sched_yield'), syscall('nanosleep')] }, policy }),
  );
  const by = (type: string): ReadonlySet<string> =>
    new Set(seen.filter((event) => event.type === type).map((event) => event.by));

  it('user, kernel, hardware, scheduler, plugins', () => {
    expect(by('user.stepped')).toEqual(new Set(['user']));
    expect(by('fpregs.written')).toEqual(new Set(['user']));
    expect(by('trap.raised')).toEqual(new Set(['hardware']));
    expect(by('task.switched')).toEqual(new Set(['kernel']));
    expect(by('cr0.written')).toEqual(new Set(['bare-metal']));
    expect(by('choice.made')).toEqual(new Set(['scheduler']));
  });

  it.each<[string, StepAction]>([
    ['clts', (k) => k.clts()],
    ['stts', (k) => k.stts()],
    ['writeCr0', (k) => k.writeCr0(k.readCr0() | CR0_EM)],
    ['executeClts', (k) => k.executeClts()],
    ['executeMovToCr0', (k) => k.executeMovToCr0(CR0_EM)],
    ['executeLmsw', (k) => k.executeLmsw(CR0_EM)],
  ])('%s is done by the platform; what the step does before and after it, by the policy', (_, access) => {
    const around: StepAction = (k) => {
      k.preemptDisable();
      access(k);
      k.preemptEnable();
    };
    const machine = machineOf({
      tasks: { A: [] },
      policy: answering({ exec: [step('access', around), idleStep('end')] }),
    });
    const all = eventsOf(machine);
    const at = machine.stepLabels.indexOf('test.exec/access');
    const start = all.findIndex(({ type, data }) => type === 'kernel.stepped' && data.at === at);
    expect(all.slice(start, start + 4).map(({ type, by, cause }) => [type, by, cause])).toEqual([
      ['kernel.stepped', 'quiet', -1],
      ['masks.changed', 'quiet', start],
      ['cr0.written', 'bare-metal', start],
      ['masks.changed', 'quiet', start],
    ]);
  });

  it('a hypercall on the way to CR0 is made by the platform, also for a mere read', () => {
    const { cr0, ...rest } = platformWith({ id: 'asking' });
    const read: typeof cr0.pv.read = (k) => {
      k.recordHypercall(5, 1);
      return cr0.pv.read(k);
    };
    const platform = { ...rest, cr0: { ...cr0, pv: { ...cr0.pv, read } } };
    const policy = answering({ exec: [step('read', (k) => void k.readCr0()), idleStep('end')] });
    const all = eventsOf(machineOf({ tasks: { A: [] }, policy, platform }));
    const made = all.filter(({ type }) => type === 'hypercall.made');
    expect(made.map(({ by, data }) => ({ by, ...data }))).toEqual([
      { by: 'asking', cpu: 0, task: 0, number: 5, argument: 1 },
    ]);
    expect(all[made[0].cause].by).toBe('quiet');
  });

  it('a cause is an earlier step or exception', () => {
    const types = new Set(seen.filter(({ cause }) => cause >= 0).map(({ cause }) => seen[cause].type));
    expect(types).toEqual(new Set(['kernel.stepped', 'user.stepped', 'trap.raised']));
    for (const { seq, cause } of seen) expect(cause).toBeLessThan(seq);
  });

  it('steps have no cause', () => {
    const steps = seen.filter(({ type }) => type === 'kernel.stepped' || type === 'user.stepped');
    expect(new Set(steps.map(({ cause }) => cause))).toEqual(new Set([-1]));
  });
});

describe('kernel code', () => {
  it('reads a condition together with the step that follows it, and only once', () => {
    const asked = jest.fn(() => true);
    const policy = answering({
      exec: [when(asked, [idleStep('yes 1'), idleStep('yes 2')], [idleStep('no')]), idleStep('end')],
    });
    const lines = storyOf({ tasks: { A: [] }, policy }, 'A calls test.exec', 'test.exec/end');
    expect(lines).toEqual(['A calls test.exec', 'A test.exec/yes 1', 'A test.exec/yes 2', 'A test.exec/end']);
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it('keeps locals per frame: a called routine has its own, and they start as 0', () => {
    const seen: number[] = [];
    const callee = routine('callee', [
      step('look', (k) => seen.push(k.local(0))),
      step('write', (k) => k.setLocal(0, 2)),
      step('look again', (k) => seen.push(k.local(0))),
      idleStep('return'),
    ]);
    const caller = routine('test.exec', [
      step('write', (k) => k.setLocal(0, 1)),
      step('call', (k) => k.call('callee')),
      step('look', (k) => seen.push(k.local(0))),
      idleStep('return'),
    ]);
    const policy = quietPolicy({ routines: [caller, callee], hooks: { exec: 'test.exec' } });
    eventsOf(machineOf({ tasks: { A: [] }, policy }));
    expect(seen).toEqual([0, 2, 1]);
  });

  it('says what the locals of its own routines hold', () => {
    const machine = machineOf({ tasks: { A: [] } });
    const { localKinds } = machine.probe();
    const kinds = new Map<string, string>();
    machine.stepLabels.forEach((label, pc) => kinds.set(label.split(/[/@]/)[0], localKinds[pc].join(' ')));
    expect([...kinds].filter(([, kind]) => kind !== 'number number')).toEqual([
      ['schedule', 'number task'],
      ['do_IRQ', 'number value'],
      ['do_softirq', 'number value'],
      ['sys_kernel_fpu', 'number value'],
      ['sys_fork', 'task number'],
    ]);
  });

  it('a last step that reads a local is a mistake that ends the run: its frame has returned', () => {
    const machine = machineOf({
      tasks: { A: [] },
      policy: answering({ exec: [step('last', (k) => void k.local(0))] }),
    });
    expect(() => machine.run()).toThrow(/^the step 'test\.exec\/last' reads a local of a frame that has returned$/);
  });

  it('a last step that writes a local writes nothing: nobody can read it any more', () => {
    const policy = answering({ exec: [step('last', (k) => k.setLocal(0, 5))] });
    const seen = eventsOf(machineOf({ tasks: { A: [] }, policy }));
    // What is written is schedule()'s: the idle task's next is A, and A's is the idle task; nobody, once they switch.
    expect(dataOf(seen, 'local.written')).toEqual([
      { cpu: 0, task: 1, frame: 1, index: NEXT_LOCAL, value: 0 + 1 },
      { cpu: 0, task: 1, frame: 1, index: NEXT_LOCAL, value: NO_TASK },
      { cpu: 0, task: 0, frame: 2, index: NEXT_LOCAL, value: 1 + 1 },
      { cpu: 0, task: 0, frame: 2, index: NEXT_LOCAL, value: NO_TASK },
    ]);
  });

  it('a routine leaves its masks to its caller', () => {
    const status: number[] = [];
    const policy = quietPolicy({
      routines: [
        routine('test.exec', [
          step('call', (k) => k.call('locks')),
          step('look', (k) => status.push(k.status)),
          step('preempt_enable', (k) => k.preemptEnable()),
        ]),
        routine('locks', [step('preempt_disable', (k) => k.preemptDisable())]),
      ],
      hooks: { exec: 'test.exec' },
    });
    eventsOf(machineOf({ tasks: { A: [] }, policy }));
    expect(status.map((each) => each >>> 16)).toEqual([1]);
  });

  it('counts preempt_disable and local_bh_disable; enabling once too often is a mistake that ends the run', () => {
    const twice = answering({
      exec: [step('disable', (k) => k.localBhDisable()), step('enable', (k) => (k.localBhEnable(), k.localBhEnable()))],
    });
    expect(() => eventsOf(machineOf({ tasks: { A: [] }, policy: twice }))).toThrow(
      /^the step 'test\.exec\/enable' does local_bh_enable without local_bh_disable$/,
    );
    const preempt = answering({ exec: [step('enable', (k) => k.preemptEnable())] });
    expect(() => eventsOf(machineOf({ tasks: { A: [] }, policy: preempt }))).toThrow(
      /^the step 'test\.exec\/enable' does preempt_enable without preempt_disable$/,
    );
  });

  it('traps like user code where a step holds an FPU instruction, and tries the step again', () => {
    const policy = answering({
      exec: [step('xsave', () => {}, { instruction: 'xsave' }), idleStep('after')],
      'trap-nm': [step('clts', (k) => k.clts())],
    });
    expect(storyOf({ tasks: { A: [] }, policy }, 'A calls test.exec', 'test.exec/after')).toEqual([
      'A calls test.exec',
      'A #NM from kernel',
      'A enters exception irqs-off: device_not_available',
      'A device_not_available/do_device_not_available',
      'A calls test.trap-nm',
      'A test.trap-nm/clts',
      'A device_not_available/iret',
      'A test.exec/xsave',
      'A test.exec/after',
    ]);
  });

  it('a trap names the step that met it; in user code there is none', () => {
    const policy = answering({
      exec: [step('xsave', () => {}, { instruction: 'xsave' }), step('stts', (k) => k.stts()), idleStep('return')],
      'trap-nm': [step('clts', (k) => k.clts()), idleStep('return')],
    });
    const machine = machineOf({ tasks: { A: [sse.write()] }, policy });
    const at = machine.stepLabels.indexOf('test.exec/xsave');
    expect(at).toBeGreaterThan(0);
    expect(dataOf(eventsOf(machine), 'trap.raised')).toEqual([
      { cpu: 0, task: 0, vector: NM, user: 0, at },
      { cpu: 0, task: 0, vector: NM, user: 1, at: 0 },
    ]);
    expect(machine.stepPath(0)).toEqual([]);
  });

  it('an error in a step ends the run there', () => {
    const policy = answering({
      exec: [
        step('fail', () => {
          throw new Error('not written yet');
        }),
      ],
    });
    expect(() => machineOf({ tasks: { A: [] }, policy }).run()).toThrow('not written yet');
  });
});

describe('kernel FPU sections', () => {
  const answeringYes = { 'irq-fpu-usable': [step('answer', (k) => k.answer(true))], 'cpu-up': CLEAR_TS };

  it('of a system call write a value of the kernel and look at it', () => {
    const seen = eventsOf(machineOf({ tasks: { A: [loop(2, syscall('kernel_fpu'))] } }));
    const [first, second] = [1, 2].map((serial) => valueId(PRINCIPAL.kernel, serial));
    expect(dataOf(seen, 'fpregs.written').map(({ value }) => value)).toEqual([first, second]);
    expect(dataOf(seen, 'kernel.fpregs-checked')).toEqual([
      { cpu: 0, task: 0, component: 1, value: first, expected: first },
      { cpu: 0, task: 0, component: 1, value: second, expected: second },
    ]);
  });

  it('of an interrupt run where irq_fpu_usable() says yes, between begin and end', () => {
    const options = {
      tasks: { A: [syscall('getpid')] },
      interference: { hardirq: true },
      schedule: { next: ['cpu0:hardirq'] },
    };
    const types = eventsOf(machineOf({ ...options, policy: answering(answeringYes) })).map(({ type }) => type);
    const hooks = types.filter((type) => /^(hook\.(kernel|irq)|fpregs\.written)/.test(type));
    expect(hooks).toEqual(['hook.irq-fpu-usable', 'hook.kernel-fpu-begin', 'fpregs.written', 'hook.kernel-fpu-end']);
  });

  it('of an interrupt do not run where nobody answers, or the answer is no', () => {
    const policies = [
      answering({ 'cpu-up': CLEAR_TS }),
      answering({ ...answeringYes, 'irq-fpu-usable': [step('answer', (k) => k.answer(false))] }),
    ];
    for (const policy of policies) {
      const seen = eventsOf(
        machineOf({
          tasks: { A: [] },
          interference: { softirq: true },
          schedule: { next: ['cpu0:softirq'] },
          policy,
        }),
      );
      expect(dataOf(seen, 'hook.irq-fpu-usable')).toHaveLength(1);
      expect(dataOf(seen, 'hook.kernel-fpu-begin')).toEqual([]);
    }
  });

  it('use x87 on a CPU without SSE', () => {
    const seen = eventsOf(machineOf({ tasks: { A: [syscall('kernel_fpu')] }, compose: { cpu: 'pentium-mmx' } }));
    expect(dataOf(seen, 'fpregs.written').map(({ component }) => component)).toEqual([0]);
  });
});

describe('saving and restoring', () => {
  const XSAVE = { instruction: 'xsave' } as const;
  const saving = answering({
    exec: [
      step('save', (k) => k.setLocal(0, k.save(k.fpstateOf(k.task)) ? 1 : 2), XSAVE),
      step('restore', (k) => k.restore(k.fpstateOf(k.task)), XSAVE),
    ],
    'cpu-up': CLEAR_TS,
  });
  const INSTRUCTION = (name: (typeof MOVE_INSTRUCTIONS)[number]): number => MOVE_INSTRUCTIONS.indexOf(name);
  const saved = (cpu: string): readonly MachineEvent[] =>
    eventsOf(machineOf({ tasks: { A: [] }, policy: saving, compose: { cpu } })).filter(
      ({ type, by }) => /^(fpregs|local)/.test(type) && by === 'quiet',
    );

  it.each([
    ['XSAVE', 'XRSTOR', 'sandybridge', 0b111, 832],
    ['FXSAVE', 'FXRSTOR', 'nehalem', 0b011, 512],
  ] as const)(
    '%s writes all components and keeps the registers, %s reads them back',
    (save, restore, cpu, xfeatures, bytes) => {
      const image = { cpu: 0, fpstate: 0, xfeatures, bytes };
      expect(saved(cpu).map(({ type, data }) => [type, data])).toEqual([
        ['fpregs.saved', { ...image, instruction: INSTRUCTION(save) }],
        ['local.written', { cpu: 0, task: 0, frame: 2, index: 0, value: 1 }],
        ['fpregs.restored', { ...image, instruction: INSTRUCTION(restore) }],
      ]);
    },
  );

  it('FNSAVE leaves INIT in the registers, and says so; FRSTOR reads them back', () => {
    const image = { cpu: 0, fpstate: 0, xfeatures: 1, bytes: 108 };
    expect(saved('pentium-mmx').map(({ type, data }) => [type, data])).toEqual([
      ['fpregs.saved', { ...image, instruction: INSTRUCTION('FNSAVE') }],
      ['fpregs.initialised', { cpu: 0, xfeatures: 1 }],
      ['local.written', { cpu: 0, task: 0, frame: 2, index: 0, value: 2 }],
      ['fpregs.restored', { ...image, instruction: INSTRUCTION('FRSTOR') }],
    ]);
  });
});

describe('a step that executes an FPU instruction must say so: FPU209', () => {
  it.each<[string, StepAction]>([
    ['saves', (k) => void k.save(0)],
    ['restores', (k) => k.restore(0)],
    ['restores from user memory', (k) => void k.restoreFromUser()],
    ['initialises', (k) => k.initFpregs()],
  ])('when it %s', (_, run) => {
    const machine = machineOf({ tasks: { A: [] }, policy: answering({ exec: [step('undeclared', run)] }) });
    const error = fpuErrorOf(() => machine.run());
    expect(error.code).toBe('FPU209');
    expect(error.message).toContain("the step 'test.exec/undeclared'");
  });
});

describe('a loop that takes no step never ends: FPU209', () => {
  const always = (): boolean => true;
  it.each<[string, RoutineNode]>([
    ['with nothing in it', whileHolds(always, [])],
    ['whose steps are all behind a condition', whileHolds(always, [when(() => false, [step('never', () => {})])])],
    ['in a loop', whileHolds(always, [whileHolds(always, [])])],
  ])('%s', (_, loop) => {
    const machine = machineOf({ tasks: { A: [] }, policy: answering({ exec: [loop] }) });
    const error = fpuErrorOf(() => machine.run());
    expect(error.code).toBe('FPU209');
    expect(error.message).toBe("a loop in the routine 'test.exec' takes no step and never ends");
  });

  it('goes round as often as its steps say, also in a loop', () => {
    const counting = (index: 0 | 1, name: string): RoutineNode =>
      step(name, (k) => k.setLocal(index, k.local(index) + 1));
    const policy = answering({
      exec: [
        whileHolds(
          (k) => k.local(0) < 3,
          [
            whileHolds((k) => k.local(1) % 2 === 0, [counting(1, 'inner')]),
            counting(0, 'outer'),
            when((k) => k.local(0) < 3, [counting(1, 'again')]),
          ],
        ),
        step('end', () => {}),
      ],
    });
    const machine = machineOf({ tasks: { A: [] }, policy });
    const seen = recorded(machine);
    machine.run();
    const steps = story(machine, seen).flatMap((line) => /test\.exec\/(\w+)/.exec(line)?.[1] ?? []);
    expect(steps.join(' ')).toBe('inner outer again inner outer again inner outer end');
  });
});

describe('contexts nest', () => {
  it('user > system call > softirq > hardirq, and come back in reverse', () => {
    const options: MachineOptions = {
      tasks: { A: [syscall('getpid')] },
      interference: { hardirq: true, softirq: true },
    };
    const machine = machineOf(options);
    const seen = recorded(machine);
    const wanted = ['cpu0:softirq', 'cpu0:hardirq'];
    machine.driver = wantingDriver((name) => {
      const wants = seen.some(({ type }) => type === 'user.stepped') && name === wanted[0];
      if (wants) wanted.shift();
      return wants;
    });
    machine.run();
    const lines = story(machine, seen);
    expect(lines.slice(lines.indexOf('A user 0'), lines.indexOf('A user 1'))).toEqual([
      'A user 0',
      'A enters syscall: sys_getpid',
      'A enters softirq: do_softirq',
      'A enters hardirq irqs-off: do_IRQ',
      'A do_IRQ/irq_fpu_usable',
      'A do_IRQ/iret',
      'A do_softirq/irq_fpu_usable',
      'A do_softirq/iret',
      'A sys_getpid/sysret',
    ]);
  });

  it('a hardirq is no alternative in an exception that interrupted a hardirq, interrupts on or not', () => {
    const policy = answering({
      'irq-fpu-usable': [step('answer', (k) => k.answer(true))],
      'trap-nm': [step('sti', (k) => k.localIrqEnable()), step('clts', (k) => k.clts()), idleStep('return')],
    });
    const machine = machineOf({ tasks: { A: [] }, interference: { hardirq: true, softirq: true }, policy });
    machine.driver = wantingDriver((name) => name.endsWith('hardirq'));
    const stacks = new Stacks();
    const nested: number[] = [];
    let traps = 0;
    machine.events$.subscribe((event) => {
      const entered = event.type === 'context.entered' ? contextOf(event.data.status) : CONTEXT.user;
      if (entered === CONTEXT.exception && stacks.contexts(event.data.task).includes(CONTEXT.hardirq)) traps++;
      if (entered === CONTEXT.hardirq && stacks.contexts(event.data.task).includes(CONTEXT.hardirq))
        nested.push(event.seq);
      stacks.follow(event);
    });
    machine.run({ stepsMax: 300 });
    expect(traps).toBeGreaterThan(0);
    expect(nested).toEqual([]);
  });

  it('exit-to-user is asked before user code goes on, interrupts off, and not on a return to the kernel', () => {
    const status: number[] = [];
    const policy = answering({
      'exit-to-user': [step('look', (k) => status.push(k.status))],
      'cpu-up': CLEAR_TS,
    });
    const machine = machineOf({
      tasks: { A: [syscall('getpid')] },
      interference: { hardirq: true },
      // Five steps into kernel_execve(), where the return to the kernel is.
      schedule: { next: [...Array<string>(3).fill('cpu0:continue'), 'cpu0:hardirq'] },
      policy,
    });
    const lines = story(machine, eventsOf(machine));
    expect(lines.filter((line) => line.includes('test.exit-to-user/look'))).toHaveLength(2);
    expect(lines).toContain('A sys_getpid/exit_to_user');
    expect(status.map((each) => (each >> 4) & 1)).toEqual([1, 1]);
  });
});

describe('sleeping points', () => {
  const sleeping = (...before: readonly ReturnType<typeof idleStep>[]): readonly MachineEvent[] => {
    const policy = answering({
      'trap-nm': [...before, step('clts', (k) => k.clts()), step('sleep', (k) => k.sleep()), idleStep('awake')],
    });
    return eventsOf(machineOf({ tasks: { A: [sse.write()] }, policy }));
  };
  const violations = (seen: readonly MachineEvent[]): readonly MachineEvent['data'][] =>
    dataOf(seen, 'oracle.violated').filter(({ oracle }) => oracle === 3);

  it('are silent with interrupts on', () => {
    const seen = sleeping(step('sti', (k) => k.localIrqEnable()));
    expect(dataOf(seen, 'kernel.might-sleep')).toHaveLength(1);
    expect(violations(seen)).toEqual([]);
  });

  it('are a violation with interrupts off', () => {
    expect(violations(sleeping())).toEqual([{ oracle: 3, cpu: 0, reader: 0, component: -1, value: 0, expected: 0 }]);
  });

  it('are a violation with preemption off', () => {
    const seen = sleeping(
      step('sti', (k) => k.localIrqEnable()),
      step('preempt_disable', (k) => k.preemptDisable()),
    );
    expect(violations(seen)).toHaveLength(1);
  });

  it.each(['hardirq', 'softirq'] as const)('are a violation in an exception that interrupted a %s', (interrupt) => {
    const policy = answering({
      'irq-fpu-usable': [step('answer', (k) => k.answer(true))],
      'trap-nm': [
        step('sti', (k) => k.localIrqEnable()),
        step('clts', (k) => k.clts()),
        step('sleep', (k) => k.sleep()),
        idleStep('awake'),
      ],
    });
    const machine = machineOf({
      tasks: { A: [] },
      interference: { [interrupt]: true },
      schedule: { next: [`cpu0:${interrupt}`] },
      policy,
    });
    expect(violations(eventsOf(machine))).toHaveLength(1);
  });

  it('of an allocation end as the driver chooses: at once, after sleeping, or not at all', () => {
    const answers: Record<string, unknown> = {};
    const types: Record<string, readonly string[]> = {};
    for (const how of ['ok', 'sleep', 'fail']) {
      const policy = answering({
        exec: [step('alloc', (k) => void (answers[how] = k.allocationMaySleep()))],
      });
      const options = { tasks: { A: [] }, interference: { allocation: { sleep: true, fail: true } } };
      const seen = eventsOf(machineOf({ ...options, policy, schedule: { alloc: [how] } }));
      types[how] = seen
        .map(({ type }) => type)
        .filter((type) => type === 'task.slept' || type === 'kernel.might-sleep');
    }
    expect(answers).toEqual({ ok: true, sleep: true, fail: false });
    expect(types).toEqual({
      ok: ['kernel.might-sleep'],
      sleep: ['kernel.might-sleep', 'task.slept'],
      fail: ['kernel.might-sleep'],
    });
  });

  it('a scenario that does not let allocations sleep or fail asks nobody', () => {
    const policy = answering({ exec: [step('alloc', (k) => void k.allocationMaySleep())] });
    expect(dataOf(eventsOf(machineOf({ tasks: { A: [] }, policy })), 'choice.made')).toEqual([]);
  });
});

describe('tasks', () => {
  it('start as threads that execute a program: exec is their first hook', () => {
    expect(storyOf({ tasks: { A: [] } }, 'idle0 > A', 'A enters syscall: do_exit')).toEqual([
      'idle0 > A',
      'A kernel_execve/__switch_to/switch_fpu_finish',
      'A kernel_execve/schedule_tail',
      'A kernel_execve/flush_thread',
      'A kernel_execve/return to user',
      'A user 0',
      'A enters syscall: do_exit',
    ]);
  });

  it("fork: the hook runs first, then the child is there with its parent's state and runs its own program", () => {
    const machine = machineOf({
      tasks: { P: [sse.write(), fork('C'), syscall('sched_yield')], C: [sse.read()] },
      unborn: ['C'],
      policy: answering({ 'cpu-up': CLEAR_TS, fork: [step('copy', (k) => void k.child)] }),
    });
    const seen = eventsOf(machine);
    const lines = story(machine, seen);
    expect(lines.slice(lines.indexOf('P user 1'), lines.indexOf('P sys_fork/sysret') + 1)).toEqual([
      'P user 1',
      'P enters syscall: sys_fork',
      'P sys_fork/dup_task_struct',
      'P calls test.fork',
      'P test.fork/copy',
      'P sys_fork/wake_up_new_task',
      'P sys_fork/sysret',
    ]);
    expect(lines.slice(lines.indexOf('P > C') + 1, lines.indexOf('C user 0') + 1)).toEqual([
      'C ret_from_fork/__switch_to/switch_fpu_finish',
      'C ret_from_fork/schedule_tail',
      'C ret_from_fork/return to user',
      'C user 0',
    ]);
    expect(dataOf(seen, 'hook.fork')).toEqual([{ cpu: 0, task: 0, child: 1 }]);
    expect(dataOf(seen, 'task.forked')).toEqual([{ cpu: 0, parent: 0, child: 1 }]);
    expect(dataOf(seen, 'fpregs.read')).toEqual([{ cpu: 0, task: 1, component: 1, value: valueId(1, 1) }]);
  });

  it('a fork that the policy refuses has no child, and its parent goes on', () => {
    const policy = answering({ fork: [step('refuse', (k) => k.refuse()), idleStep('return')] });
    const machine = machineOf({ tasks: { P: [fork('C'), syscall('getpid')], C: [] }, unborn: ['C'], policy });
    const seen = eventsOf(machine);
    expect(dataOf(seen, 'hook.fork')).toHaveLength(1);
    expect(dataOf(seen, 'task.forked')).toEqual([]);
    expect(story(machine, seen)).toContain('P enters syscall: sys_getpid');
  });

  it('a second fork of the same slot does nothing', () => {
    const seen = eventsOf(machineOf({ tasks: { P: [loop(3, fork('C'))], C: [] }, unborn: ['C'] }));
    expect(dataOf(seen, 'hook.fork')).toHaveLength(1);
    expect(dataOf(seen, 'task.created').filter(({ task }) => task === 1)).toHaveLength(1);
  });

  it('an unborn task that nobody forks never runs', () => {
    const machine = machineOf({ tasks: { A: [syscall('sched_yield')], C: [sse.read()] }, unborn: ['C'] });
    const seen = eventsOf(machine);
    expect(story(machine, seen).filter((line) => line.includes('C'))).toEqual([]);
  });

  it('execve: the old state is INIT before the policy hears of it', () => {
    const seen = eventsOf(machineOf({ tasks: { A: [sse.write(), syscall('execve')] } }));
    const start = seen.findIndex(({ type }) => type === 'fpregs.written');
    const types = seen.slice(start).map(({ type }) => type);
    expect(types.filter((type) => type.endsWith('.execed') || type === 'hook.exec')).toEqual([
      'task.execed',
      'hook.exec',
    ]);
  });

  it('exit: hook, death, and another task runs; when all are dead the machine is finished', () => {
    const machine = machineOf({ tasks: { A: [], B: [] } });
    const seen = recorded(machine);
    const { outcome } = machine.run();
    expect(outcome).toBe('finished');
    expect(machine.step()).toBe(false);
    const types = seen.map(({ type }) => type);
    expect(types.filter((type) => /^(task\.exit|hook\.exit)/.test(type))).toEqual([
      'task.exiting',
      'hook.exit',
      'task.exited',
      'task.exiting',
      'hook.exit',
      'task.exited',
    ]);
    expect(
      dataOf(seen, 'task.switched').map(({ prev, next }) => [machine.taskNames[prev], machine.taskNames[next]]),
    ).toEqual([
      ['idle0', 'A'],
      ['A', 'B'],
      ['B', 'idle0'],
    ]);
  });

  it('killed by a failed allocation exit like any other', () => {
    const policy = answering({ exec: [step('no memory', (k) => k.killCurrent()), idleStep('never')] });
    const machine = machineOf({ tasks: { A: [sse.read()] }, policy });
    const lines = story(machine, eventsOf(machine));
    expect(lines).toContain('A do_exit/exit_thread');
    expect(lines).not.toContain('A test.exec/never');
    expect(lines).not.toContain('A user 0');
  });
});

describe('the scheduler', () => {
  const switches = (options: MachineOptions): readonly string[] => {
    const machine = machineOf(options);
    return story(machine, eventsOf(machine)).filter((line) => line.includes(' > '));
  };

  it('takes tasks in turn', () => {
    const yielding = [loop(2, syscall('sched_yield'))];
    expect(switches({ tasks: { A: yielding, B: yielding, C: yielding } })).toEqual([
      'idle0 > A',
      'A > B',
      'B > C',
      'C > A',
      'A > B',
      'B > C',
      'C > A',
      'A > B',
      'B > C',
      'C > idle0',
    ]);
  });

  it('takes whom the driver wants', () => {
    const yielding = [loop(2, syscall('sched_yield'))];
    const pick = ['C', 'A', 'C'];
    expect(switches({ tasks: { A: yielding, B: yielding, C: yielding }, schedule: { pick } }).slice(0, 3)).toEqual([
      'idle0 > C',
      'C > A',
      'A > C',
    ]);
  });

  it('stays with a task that yields when no other can run', () => {
    expect(switches({ tasks: { A: [loop(5, syscall('sched_yield'))] } })).toEqual(['idle0 > A', 'A > idle0']);
  });

  it('idles when the only task sleeps, and wakes it', () => {
    expect(switches({ tasks: { A: [syscall('nanosleep')] } })).toEqual([
      'idle0 > A',
      'A > idle0',
      'idle0 > A',
      'A > idle0',
    ]);
  });

  it('may idle although others could run, where the scenario lets it', () => {
    const tasks = { A: [syscall('sched_yield')], B: [], C: [] };
    const options = { tasks, schedule: { pick: ['A', 'idle0', 'A'] } };
    expect(switches({ ...options, interference: { idle: true } }).slice(0, 3)).toEqual([
      'idle0 > A',
      'A > idle0',
      'idle0 > A',
    ]);
    expect(() => switches(options)).toThrow("the schedule wants 'idle0' at pick number 2, but enabled are: B, C");
  });

  it('forgets whom it switched to, in the step of the switch and before anybody else runs', () => {
    const machine = machineOf({ tasks: { A: [syscall('sched_yield')], B: [] }, schedule: { pick: ['A', 'B'] } });
    const { words, at } = machine.state;
    const [A, B] = [0, 1];
    const kept: number[] = [];
    machine.on(events.TaskSwitched).subscribe(({ data: { prev } }) => {
      const frame = prev * at.stackDepth + words[at.depth + prev] - 1;
      kept.push(words[at.frameLocal + frame * LOCALS + NEXT_LOCAL]);
    });
    const seen = recorded(machine);
    machine.run();
    const at0 = seen.findIndex(({ type, data }) => type === 'task.switched' && data.prev === A);
    expect(machine.stepLabels[seen[at0 - 2].data.at]).toBe('schedule/__switch_to/change stacks and current');
    expect(seen.slice(at0 - 2, at0 + 1).map(({ type, cause, data }) => [type, cause, data])).toEqual([
      ['kernel.stepped', -1, seen[at0 - 2].data],
      ['local.written', at0 - 2, { cpu: 0, task: A, frame: 2, index: NEXT_LOCAL, value: NO_TASK }],
      ['task.switched', at0 - 2, { cpu: 0, prev: A, next: B }],
    ]);
    expect(new Set(kept)).toEqual(new Set([NO_TASK]));
    expect(dataOf(seen, 'local.written').filter(({ value }) => value === NO_TASK)).toHaveLength(kept.length);
  });

  it('keeps nothing to forget when it stays with the same task', () => {
    const seen = eventsOf(machineOf({ tasks: { A: [syscall('sched_yield')] } }));
    const values = dataOf(seen, 'local.written').filter(({ task }) => task === 0);
    expect(values.map(({ value }) => value)).toEqual([0 + 1, 1 + 1, NO_TASK]);
  });

  it('records choices between several, with kind, alternative, index and count; one alternative is no choice', () => {
    const seen = eventsOf(machineOf({ tasks: { A: [], B: [] }, schedule: { pick: ['B'] } }));
    expect(dataOf(seen, 'choice.made')).toEqual([
      { kind: 1, taken: 1, index: 1, count: 2, enabled: expect.any(Number) },
    ]);
  });
});

describe('preemption', () => {
  it('of user code enters the kernel, and comes back to the same operation', () => {
    const options: MachineOptions = {
      tasks: { A: [sse.write(), sse.read()], B: [] },
      interference: { preempt: 'user' },
      schedule: { next: ['cpu0:preempt'] },
    };
    const machine = machineOf(options);
    const lines = story(machine, eventsOf(machine));
    expect(lines.slice(lines.indexOf('A enters exception irqs-off: retint_resched'), lines.indexOf('A > B'))).toEqual([
      'A enters exception irqs-off: retint_resched',
      'A retint_resched/preempt',
      'A calls schedule',
      'A schedule/pick_next_task',
      'A schedule/__switch_to/switch_fpu_prepare',
      'A schedule/__switch_to/change stacks and current',
    ]);
    const back = lines.indexOf('A retint_resched/local_irq_disable');
    expect(lines.slice(back - 1, back + 3)).toEqual([
      'A schedule/finish_task_switch',
      'A retint_resched/local_irq_disable',
      'A retint_resched/iret',
      'A user 0',
    ]);
  });

  it('is no alternative without another task', () => {
    const options: MachineOptions = { tasks: { A: [sse.write()] }, interference: { preempt: 'full' } };
    expect(dataOf(eventsOf(machineOf(options)), 'choice.made')).toEqual([]);
  });

  it("of kernel code needs 'full'", () => {
    const before = (preempt: 'user' | 'full'): string => {
      const machine = machineOf({
        tasks: { A: [], B: [] },
        interference: { preempt },
        schedule: { next: ['cpu0:preempt'] },
      });
      const lines = story(machine, eventsOf(machine));
      return lines[lines.indexOf('A enters exception irqs-off: retint_resched') - 1];
    };
    expect(before('full')).toBe('A kernel_execve/schedule_tail');
    expect(before('user')).toBe('A kernel_execve/return to user');
  });
});

describe('two CPUs', () => {
  const yielding = [loop(3, sse.write(), syscall('sched_yield'))];

  it('boot with an idle task each, and both run tasks', () => {
    const machine = machineOf({
      tasks: { A: yielding, B: yielding },
      cpus: 2,
      schedule: { next: Array<string>(12).fill('cpu1:continue') },
    });
    const seen = eventsOf(machine);
    expect(dataOf(seen, 'cpu.booted')).toEqual([
      { cpu: 0, task: 2 },
      { cpu: 1, task: 3 },
    ]);
    expect(new Set(dataOf(seen, 'user.stepped').map(({ cpu }) => cpu))).toEqual(new Set([0, 1]));
  });

  it('have a CR0 and registers each', () => {
    const policy = answering({ 'cpu-up': [step('clts on CPU 1', (k) => k.cpu === 1 && k.clts())] });
    const machine = machineOf({ tasks: { A: [], B: [] }, cpus: 2, policy });
    const seen = eventsOf(machine);
    expect(dataOf(seen, 'cr0.written')).toEqual([{ cpu: 1, value: 0x33 }]);
    const { words, at } = machine.state;
    expect([...words.slice(at.cr0, at.cr0 + 2)]).toEqual([0x3b, 0x33]);
  });

  it('do not run one task at once', () => {
    const machine = machineOf({
      tasks: { A: [forever(sse.write(), syscall('sched_yield'))], B: yielding, C: yielding },
      cpus: 2,
      interference: { migration: true, preempt: 'user' },
      schedule: { next: Array.from({ length: 200 }, (_, index) => `cpu${index % 2}:continue`) },
    });
    const { words, at } = machine.state;
    const both: number[] = [];
    machine.on(events.TaskSwitched).subscribe(({ seq }) => {
      if (words[at.current] === words[at.current + 1]) both.push(seq);
    });
    expect(machine.run({ stepsMax: 190 }).outcome).toBe('step-limit');
    expect(both).toEqual([]);
  });
});

describe('a kernel stack without end', () => {
  const recursive = (): ReturnType<typeof quietPolicy> =>
    quietPolicy({
      routines: [routine('deeper', [step('again', (k) => k.call('deeper')), idleStep('never')])],
      hooks: { exec: 'deeper' },
    });

  it('ends its CPU in the middle of the step, with one event, of which the oracles tell', () => {
    const machine = machineOf({ tasks: { A: [sse.write()], B: [] }, policy: recursive() });
    const seen = recorded(machine);
    expect(machine.run().outcome).toBe('halted');
    expect(dataOf(seen, 'kernel.stack-overflowed')).toEqual([{ cpu: 0, task: 0 }]);
    expect(seen.slice(-2).map(({ type }) => type)).toEqual(['kernel.stack-overflowed', 'oracle.violated']);
    expect(machine.step()).toBe(false);
    expect(machine.run()).toEqual({ outcome: 'halted', steps: 0 });
    expect(machine.state.words[machine.state.at.current]).toBe(-1);
  });

  it('leaves the other CPU running, to its end: the run is halted all the same', () => {
    const machine = machineOf({ tasks: { A: [], B: [sse.write()] }, cpus: 2, policy: onlyTask0() });
    const seen = recorded(machine);
    expect(machine.run().outcome).toBe('halted');
    expect(dataOf(seen, 'kernel.stack-overflowed')).toEqual([{ cpu: 0, task: 0 }]);
    expect(dataOf(seen, 'task.exited')).toEqual([{ cpu: 1, task: 1 }]);
  });

  it('halts nothing that the other CPU still has to do: that run ends at the step limit', () => {
    const machine = machineOf({ tasks: { A: [], B: [forever(sse.write())] }, cpus: 2, policy: onlyTask0() });
    const seen = recorded(machine);
    expect(machine.run({ stepsMax: 300 })).toEqual({ outcome: 'step-limit', steps: 300 });
    expect(dataOf(seen, 'kernel.stack-overflowed')).toEqual([{ cpu: 0, task: 0 }]);
  });

  it('is found too when a reaction to a hook wants the frame that is missing', () => {
    const policy = answering({ 'trap-nm': [step('fxsave', () => {}, { instruction: 'fxsave' }), idleStep('never')] });
    const machine = machineOf({ tasks: { A: [sse.write()] }, policy });
    const seen = eventsOf(machine);
    expect(seen.at(-1)?.type).toBe('kernel.stack-overflowed');
    expect(seen.at(-2)?.type).toBe('hook.trap-nm');
  });

  function onlyTask0(): ReturnType<typeof quietPolicy> {
    return quietPolicy({
      routines: [
        routine('deeper', [step('again', (k) => (k.task === 0 ? k.call('deeper') : undefined)), idleStep('end')]),
        routine('clts', CLEAR_TS),
      ],
      hooks: { exec: 'deeper', 'cpu-up': 'clts' },
    });
  }
});

describe('a switch within a switch', () => {
  const switched = (machine: Machine, seen: readonly MachineEvent[]): readonly string[] =>
    story(machine, seen).filter((line) => line.includes(' > '));

  it('has a next of its own: a policy that sleeps in switch-out gets on to whom the outer switch picked, which nobody ran', () => {
    const next: string[] = [];
    const policy = answering({
      'switch-out': [
        step('sleep', (k) => (k.task === IDLE0 ? k.sleep() : undefined)),
        idleStep('awake', (k) => next.push(`${k.task} > ${k.next}`)),
        idleStep('return'),
      ],
    });
    const machine = machineOf({ tasks: { A: [], B: [] }, policy });
    const IDLE0 = machine.taskNames.indexOf('idle0');
    const seen = recorded(machine);
    expect(machine.run().outcome).toBe('finished');
    // The outer schedule() picks A, one within it B, and one within that nobody but the idle task itself.
    expect(dataOf(seen, 'task.picked').map(({ task }) => machine.taskNames[task])).toEqual([
      'A',
      'B',
      'idle0',
      'idle0',
      'idle0',
    ]);
    expect(switched(machine, seen)).toEqual(['idle0 > B', 'B > idle0', 'idle0 > A', 'A > idle0']);
    expect(next).toEqual(['2 > 1', '1 > 2', '2 > 0', '0 > 2']);
    expect(dataOf(seen, 'kernel.panicked')).toEqual([]);
    const lines = story(machine, seen);
    expect(lines.slice(lines.indexOf('B > idle0') + 1, lines.indexOf('idle0 > A') + 1)).toEqual([
      'idle0 schedule/__switch_to/switch_fpu_finish',
      'idle0 schedule/finish_task_switch',
      'idle0 test.switch-out/awake',
      'idle0 test.switch-out/return',
      'idle0 schedule/__switch_to/change stacks and current',
      'idle0 > A',
    ]);
  });

  it('works when the #NM handler of the switch itself sleeps, after the oracles have told of it', () => {
    const policy = answering({
      'switch-out': [step('xsave', () => {}, { instruction: 'xsave' }), idleStep('saved')],
      'trap-nm': [step('clts', (k) => k.clts()), step('sleep', (k) => k.sleep()), idleStep('awake')],
    });
    const machine = machineOf({ tasks: { A: [], B: [] }, policy });
    const seen = recorded(machine);
    expect(machine.run().outcome).toBe('finished');
    const found = dataOf(seen, 'oracle.violated').map(({ oracle }) => ORACLES[oracle]);
    expect(found).toEqual(['unexpected-fault', 'atomic-sleep']);
    expect(switched(machine, seen)).toEqual(['idle0 > B', 'B > idle0', 'idle0 > A', 'A > idle0']);
    const lines = story(machine, seen);
    expect(lines.slice(lines.indexOf('B > idle0') + 1, lines.indexOf('idle0 > A') + 1)).toEqual([
      'idle0 schedule/__switch_to/switch_fpu_finish',
      'idle0 schedule/finish_task_switch',
      'idle0 test.trap-nm/awake',
      'idle0 device_not_available/iret',
      'idle0 test.switch-out/xsave',
      'idle0 test.switch-out/saved',
      'idle0 schedule/__switch_to/change stacks and current',
      'idle0 > A',
    ]);
  });

  it('keeps whom the outer switch picked from the other CPU, however long that looks for work', () => {
    const policy = answering({
      'switch-out': [step('sleep', (k) => (k.task === IDLE0 ? k.sleep() : undefined)), idleStep('awake')],
    });
    const options = { tasks: { A: [], B: [] }, cpus: 2, interference: { migration: true } };
    const machine = machineOf({ ...options, policy });
    const [A, IDLE0] = ['A', 'idle0'].map((name) => machine.taskNames.indexOf(name));
    const { words, at } = machine.state;
    const reserved: number[] = [];
    // CPU 1 acts whenever it can, as soon as CPU 0 has picked A.
    machine.driver = wantingDriver((name) => name === 'cpu1:continue' && words[at.pickedBy + A] === IDLE0);
    machine.on(events.KernelStepped).subscribe(({ data }) => {
      if (data.cpu === 1) reserved.push(words[at.pickedBy + A]);
    });
    const seen = recorded(machine);
    expect(machine.run().outcome).toBe('finished');
    expect(reserved.filter((picker) => picker === IDLE0).length).toBeGreaterThan(10);
    const runs = dataOf(seen, 'task.switched').map(({ cpu, next }) => `${cpu}: ${machine.taskNames[next]}`);
    expect(runs).toEqual(['1: B', '1: idle1', '0: A', '0: idle0']);
  });

  it('keeps whom a sleeping task picked when another task of that CPU exits', () => {
    const policy = answering({
      'switch-out': [step('sleep', (k) => (k.task === IDLE0 ? k.sleep() : undefined)), idleStep('awake')],
    });
    const machine = machineOf({ tasks: { A: [], B: [] }, policy });
    const [A, B, IDLE0] = ['A', 'B', 'idle0'].map((name) => machine.taskNames.indexOf(name));
    const { words, at } = machine.state;
    const pickers: (readonly number[])[] = [];
    machine.on(events.TaskExited).subscribe(({ data }) => pickers.push([data.task, words[at.pickedBy + A]]));
    expect(machine.run().outcome).toBe('finished');
    expect(pickers).toEqual([
      [B, IDLE0],
      [A, -1],
    ]);
  });

  it('keeps whom a sleeping task picked from the other CPU, when another task ends their CPU', () => {
    const policy = answering({
      'switch-out': [step('sleep', (k) => (k.task === IDLE0 ? k.sleep() : undefined)), idleStep('awake')],
      exec: [step('again', (k) => (k.task === B ? k.call('test.exec') : undefined)), idleStep('end')],
    });
    const machine = machineOf({ tasks: { A: [], B: [] }, cpus: 2, interference: { migration: true }, policy });
    const [A, B, IDLE0] = ['A', 'B', 'idle0'].map((name) => machine.taskNames.indexOf(name));
    const seen = recorded(machine);
    expect(machine.run().outcome).toBe('halted');
    expect(dataOf(seen, 'kernel.stack-overflowed')).toEqual([{ cpu: 0, task: B }]);
    expect(dataOf(seen, 'task.switched')).toEqual([{ cpu: 0, prev: IDLE0, next: B }]);
    expect(machine.state.words[machine.state.at.pickedBy + A]).toBe(IDLE0);
  });

  it('frees whom a task had picked that dies in the middle of the switch: its last schedule() picks the same one', () => {
    let killed = false;
    const killOnce: StepAction = (k) => {
      if (k.task !== 0 || killed) return;
      killed = true;
      k.killCurrent();
    };
    const policy = answering({ 'switch-out': [step('kill', killOnce), idleStep('end')] });
    const machine = machineOf({ tasks: { A: [syscall('sched_yield')], B: [] }, policy });
    const seen = recorded(machine);
    expect(machine.run().outcome).toBe('finished');
    const said = seen.flatMap(({ type, data }) => {
      if (type === 'task.picked') return [`picks ${machine.taskNames[data.task]}`];
      return type === 'task.exited' ? [`${machine.taskNames[data.task]} exits`] : [];
    });
    expect(said).toEqual(['picks A', 'picks B', 'A exits', 'picks B', 'B exits', 'picks idle0']);
    expect(switched(machine, seen)).toEqual(['idle0 > A', 'A > B', 'B > idle0']);
  });
});

describe('a kernel that stops a CPU', () => {
  /** The idle task of CPU 0 kills itself in the middle of its first switch, or exhausts its stack there. */
  const stopping = (routineOfStop: string): ReturnType<typeof quietPolicy> => {
    const stop = step('stop CPU 0', (k) => (k.cpu === 0 ? k.call(routineOfStop) : undefined));
    return answering({ 'switch-out': [stop, idleStep('return')] });
  };

  it.each([
    ['kernel.panicked', 'do_exit'],
    ['kernel.stack-overflowed', 'test.switch-out'],
  ])(
    'in the middle of a switch (%s) leaves whom its CPU had picked to the other CPU; the run is halted',
    (type, routineOfStop) => {
      const machine = machineOf({ tasks: { A: [] }, cpus: 2, policy: stopping(routineOfStop) });
      const seen = recorded(machine);
      expect(machine.run().outcome).toBe('halted');
      expect(dataOf(seen, type)).toEqual([{ cpu: 0, task: 1 }]);
      expect(dataOf(seen, 'task.picked').slice(0, 2)).toEqual([
        { cpu: 0, task: 0 },
        { cpu: 1, task: 0 },
      ]);
      expect(dataOf(seen, 'task.exited')).toEqual([{ cpu: 1, task: 0 }]);
    },
  );

  it('panics when it is to kill an idle task', () => {
    const policy = answering({ 'cpu-up': [step('kill', (k) => k.killCurrent()), idleStep('never')] });
    const machine = machineOf({ tasks: { A: [] }, policy });
    const seen = recorded(machine);
    expect(machine.run().outcome).toBe('halted');
    expect(dataOf(seen, 'kernel.panicked')).toEqual([{ cpu: 0, task: 1 }]);
    expect(seen.slice(-2).map(({ type }) => type)).toEqual(['kernel.panicked', 'oracle.violated']);
    expect(dataOf(seen, 'task.exited')).toEqual([]);
  });
});

describe('platform hooks', () => {
  const hypervisor = (name: string): ReturnType<typeof routine> =>
    routine(`test.${name}`, [idleStep('exit'), idleStep('resume')]);

  it('enter the hypervisor as a context of its own, interrupts off, where nothing interferes', () => {
    const machine = machineOf({
      tasks: { A: [] },
      platform: platformWith({ routines: [hypervisor('halt')], hooks: { halt: 'test.halt' } }),
      interference: { hardirq: true },
    });
    const lines = story(machine, eventsOf(machine));
    expect(lines).toContain('idle0 cpu_idle/safe_halt');
    const start = lines.indexOf('idle0 enters hypervisor irqs-off: test.halt');
    expect(lines.slice(start, start + 3)).toEqual([
      'idle0 enters hypervisor irqs-off: test.halt',
      'idle0 test.halt/exit',
      'idle0 test.halt/resume',
    ]);
  });

  it('#NM goes to the guest when the platform says so at run time, and to the hypervisor otherwise', () => {
    const storyWith = (intercepts: boolean): readonly string[] => {
      const machine = machineOf({
        tasks: { A: [sse.write()] },
        policy: answering({ 'trap-nm': [step('clts', (k) => k.clts())] }),
        platform: platformWith({
          routines: [routine('test.nm', [step('clts', (k) => k.executeClts()), idleStep('resume')])],
          hooks: { 'nm-raised': () => (intercepts ? 'test.nm' : undefined) },
        }),
      });
      const lines = story(machine, eventsOf(machine));
      return lines.slice(lines.indexOf('A #NM from user') + 1, lines.indexOf('A user 0'));
    };
    expect(storyWith(true)).toEqual(['A enters hypervisor irqs-off: test.nm', 'A test.nm/clts', 'A test.nm/resume']);
    expect(storyWith(false)[0]).toBe('A enters exception irqs-off: device_not_available');
  });

  it("'vcpu' is an alternative wherever the guest runs, but only on a platform that answers vcpu-preempted", () => {
    const asked = (overrides: Parameters<typeof platformWith>[0]): ReadonlySet<string> => {
      const machine = machineOf({
        tasks: { A: [syscall('getpid')] },
        interference: { vcpu: true, hardirq: true },
        platform: platformWith(overrides),
      });
      const seen = new Set<string>();
      machine.driver = {
        ...firstDriver(),
        choose(request) {
          seen.add(enabledNames(request).join(' '));
          return 0;
        },
      };
      expect(machine.run().outcome).toBe('finished');
      return seen;
    };
    expect(asked({})).toEqual(new Set(['cpu0:continue cpu0:hardirq']));
    const preemptible = { routines: [hypervisor('deschedule')], hooks: { 'vcpu-preempted': 'test.deschedule' } };
    expect(asked(preemptible)).toEqual(new Set(['cpu0:continue cpu0:hardirq cpu0:vcpu', 'cpu0:continue cpu0:vcpu']));
  });

  it("without a platform that answers vcpu-preempted, a scenario's vcpu asks nobody", () => {
    const options: MachineOptions = { tasks: { A: [syscall('getpid')] }, interference: { vcpu: true } };
    expect(dataOf(eventsOf(machineOf(options)), 'choice.made')).toEqual([]);
    const platform = platformWith({
      routines: [hypervisor('deschedule')],
      hooks: { 'vcpu-preempted': 'test.deschedule' },
    });
    const machine = machineOf({ ...options, platform, schedule: { next: ['cpu0:vcpu'] } });
    const lines = story(machine, eventsOf(machine));
    expect(lines.slice(0, 3)).toEqual([
      'idle0 enters hypervisor irqs-off: test.deschedule',
      'idle0 test.deschedule/exit',
      'idle0 test.deschedule/resume',
    ]);
  });

  it('bare metal has no steps for hooks that nobody answers', () => {
    const machine = machineOf({ tasks: { A: [] } });
    const labels = machine.stepLabels.join('\n');
    expect(labels).not.toContain('safe_halt');
    expect(labels).not.toContain('arch_start_context_switch');
    expect(labels).not.toContain('exit_to_user');
  });

  it('#GP kills a task in the kernel', () => {
    const { cr0, ...rest } = platformWith({});
    const platform = {
      ...rest,
      cr0: { ...cr0, insn: { ...cr0.insn, lmsw: (k: { deliverGp(): void }) => k.deliverGp() } },
    };
    const policy = answering({ exec: [step('lmsw', (k) => k.executeLmsw(0)), idleStep('never')] });
    const machine = machineOf({ tasks: { A: [] }, policy, platform });
    const seen = eventsOf(machine);
    const at = machine.stepLabels.indexOf('test.exec/lmsw');
    expect(dataOf(seen, 'trap.raised')).toEqual([{ cpu: 0, task: 0, vector: GP, user: 0, at }]);
    expect(story(machine, seen)).not.toContain('A test.exec/never');
    expect(dataOf(seen, 'task.exited')).toEqual([{ cpu: 0, task: 0 }]);
  });
});

describe('isEvent on a machine stream', () => {
  it('narrows what events$ delivers', () => {
    const machine = machineOf({ tasks: { A: [sse.write()] } });
    const values: number[] = [];
    machine.events$.subscribe((event) => {
      if (isEvent(event, events.FpregsWritten)) values.push(event.data.value);
    });
    machine.run();
    expect(values).toEqual([valueId(1, 1)]);
  });
});
