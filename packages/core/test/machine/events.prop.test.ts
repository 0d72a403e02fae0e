import * as fc from 'fast-check';
import {
  MOVE_INSTRUCTIONS,
  PRINCIPAL,
  applyEvent,
  eventTypes,
  serialOf,
  taskOfPrincipal,
  valueId,
  writerOf,
  type EventType,
  type MachineState,
} from '@fpulab/core';
import { CALLED } from '../../src/machine/frames';
import { anyEvent, anyState, below, status } from '../support/arbitrary-events';
import { FULL, changedWords, nameOf, smallState } from '../support/states';

const { sizes, stackDepth } = FULL;
const COMPONENTS = FULL.componentBits.length;
const LOCALS = 2;

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
const each = (field: string, instance: number, count: number): readonly string[] =>
  range(count).map((element) => `${field}[${instance}.${element}]`);

type Data = Readonly<Record<string, number>>;

/** The words of a frame. */
const frame = (task: number, index: number): readonly string[] => [
  `task.frame.pc[${task}.${index}]`,
  `task.frame.status[${task}.${index}]`,
  `task.frame.local[${task}.${2 * index}]`,
  `task.frame.local[${task}.${2 * index + 1}]`,
];

const serialOfWriter = (value: number): readonly string[] => {
  const task = taskOfPrincipal(writerOf(value));
  return task >= 0 ? [`task.serial[${task}]`] : [];
};

/** The words that an event may touch: written down a second time, independently of `apply`. */
const FOOTPRINT: Readonly<Record<string, (data: Data, state: MachineState) => readonly string[]>> = {
  'kernel.stepped': ({ task, next }, s) => {
    const top = s.words[s.at.depth + task] - 1;
    if (next !== -1) return [`task.frame.pc[${task}.${top}]`];
    const called = s.words[s.at.frameStatus + task * stackDepth + top] & CALLED;
    return [`task.depth[${task}]`, ...frame(task, top), ...(called ? [`task.frame.status[${task}.${top - 1}]`] : [])];
  },
  'kernel.reached': ({ task }, s) => [`task.frame.pc[${task}.${s.words[s.at.depth + task] - 1}]`],
  'user.stepped': ({ task }, s) => [`task.frame.pc[${task}.${s.words[s.at.depth + task] - 1}]`],
  'context.entered': ({ task }, s) => pushed(task, s.words[s.at.depth + task]),
  'routine.entered': ({ task }, s) => pushed(task, s.words[s.at.depth + task]),
  'guest.created': ({ task }) => [`task.lifecycle[${task}]`, ...pushed(task, 0)],
  'guest.entered': ({ task }, s) => pushed(task, s.words[s.at.depth + task]),
  'guest.exited': ({ task }, s) => {
    const top = s.words[s.at.depth + task] - 1;
    const called = s.words[s.at.frameStatus + task * stackDepth + top] & CALLED;
    return [
      `task.depth[${task}]`,
      ...frame(task, top),
      `task.frame.local[${task}.${2 * (top - 1)}]`,
      ...(called ? [`task.frame.status[${task}.${top - 1}]`] : []),
    ];
  },
  'masks.changed': ({ task }, s) => [`task.frame.status[${task}.${s.words[s.at.depth + task] - 1}]`],
  'local.written': ({ task, frame, index }) => [`task.frame.local[${task}.${2 * frame + index}]`],
  'kernel.stack-overflowed': stopped,
  'kernel.panicked': stopped,
  'task.created': ({ task, user }) => [
    `task.lifecycle[${task}]`,
    ...pushed(task, 0),
    ...(user >= 0 ? pushed(task, 1) : []),
  ],
  'cpu.booted': ({ cpu, task }) => [`cpu.current[${cpu}]`, `task.last-ran[${task}]`],
  'task.slept': ({ task }) => [`task.sleeping[${task}]`],
  'task.picked': ({ cpu, task }, s) => [
    ...(s.words[s.at.current + cpu] === task ? [] : [`task.picked-by[${task}]`]),
    `task.sleeping[${task}]`,
  ],
  'task.switched': ({ cpu, next }) => [`cpu.current[${cpu}]`, `task.picked-by[${next}]`, `task.last-ran[${next}]`],
  'task.forked': ({ child }) => [...each('task.architectural', child, COMPONENTS), `task.execed[${child}]`],
  'task.execed': forgotten,
  'task.exiting': forgotten,
  'architectural.set': ({ task, component }) => [`task.architectural[${task}.${component}]`, `task.execed[${task}]`],
  'task.exited': buried,
  'cr0.written': ({ cpu }) => [`cpu.cr0[${cpu}]`],
  'fpregs.written': ({ cpu, component, value }) => {
    const task = taskOfPrincipal(writerOf(value));
    return [
      `cpu.fpregs[${cpu}.${component}]`,
      ...(task >= 0
        ? [`task.architectural[${task}.${component}]`, `task.serial[${task}]`, `task.execed[${task}]`]
        : []),
      ...(writerOf(value) === PRINCIPAL.kernel ? ['kernel.serial'] : []),
    ];
  },
  'fpregs.initialised': ({ cpu, xfeatures }) => inBitmap(`cpu.fpregs`, cpu, xfeatures),
  'fpregs.released': ({ cpu, task, xfeatures }) => [
    ...inBitmap('cpu.fpregs', cpu, xfeatures),
    ...inBitmap('task.architectural', task, xfeatures),
    `task.execed[${task}]`,
  ],
  'fpregs.loaded': ({ cpu, component }) => [`cpu.fpregs[${cpu}.${component}]`],
  'fpregs.saved': ({ fpstate, xfeatures }) => [...inBitmap('fpstate.image', fpstate, xfeatures), ...header(fpstate)],
  'fpregs.restored': ({ cpu, xfeatures }) => inBitmap('cpu.fpregs', cpu, xfeatures),
  'fpstate.allocated': ({ fpstate }) => [`fpstate.allocated[${fpstate}]`],
  'fpstate.freed': ({ fpstate }) => [`fpstate.allocated[${fpstate}]`],
  'fpstate.initialised': ({ fpstate }) => [...each('fpstate.image', fpstate, COMPONENTS), ...header(fpstate)],
  'fpstate.copied': ({ to }) => [...each('fpstate.image', to, COMPONENTS), ...header(to)],
  'fpstate.written': ({ fpstate, component }) => [`fpstate.image[${fpstate}.${component}]`],
  'fpstate.xstate-bv-written': ({ fpstate }) => [`fpstate.xstate-bv[${fpstate}]`],
  'fpstate.header-written': ({ fpstate }) => [`fpstate.header[${fpstate}]`],
  'signal.sent': ({ task }) => [`task.signal-pending[${task}]`],
  'signal.taken': ({ task }) => [`task.signal-pending[${task}]`],
  'signal.frame-placed': ({ task }) => frameless(task),
  'signal.frame-overflowed': () => [],
  'signal.frame-pages': ({ task }) => [`task.frame-pages[${task}]`],
  'signal.frame-completed': ({ task, initialised }) => [
    ...each('task.interrupted', task, COMPONENTS),
    ...inBitmap('task.architectural', task, initialised),
  ],
  'signal.handler-entered': ({ task }) => [`task.resume[${task}]`, `task.frame.pc[${task}.0]`],
  'signal.fsave-written': ({ task, component }) => [
    `fpstate.image[${2 * sizes.task + task}.${component}]`,
    `task.interrupted[${task}.${component}]`,
    `task.serial[${task}]`,
  ],
  'signal.frame-returned': ({ task, restored, initialised }) => [
    ...each('task.interrupted', task, COMPONENTS),
    ...inBitmap('task.architectural', task, restored | initialised),
    `task.returning[${task}]`,
  ],
  'signal.handler-left': ({ task }) => [...frameless(task), `task.resume[${task}]`, `task.frame.pc[${task}.0]`],
  'xfd.written': ({ cpu }) => [`cpu.xfd[${cpu}]`],
  'xfd.err-written': ({ cpu }) => [`cpu.xfd-err[${cpu}]`],
  'cpu.leaving': ({ target }) => [`cpu.state[${target}]`],
  'cpu.died': ({ cpu }) => [`cpu.state[${cpu}]`],
  'cpu.kicked': ({ target }) => [`cpu.state[${target}]`],
  'cpu.online': ({ cpu }) => [`cpu.state[${cpu}]`],
  'cpu.init-received': ({ cpu }) => [`cpu.cr4[${cpu}]`],
  'cpu.power-lost': ({ cpu }, { at }) => [
    ...each('cpu.fpregs', cpu, COMPONENTS),
    ...each('fpstate.image', at.vcpuFpstates + cpu, COMPONENTS),
    `fpstate.xstate-bv[${at.vcpuFpstates + cpu}]`,
    ...['cpu.cr4', 'cpu.xcr0', 'cpu.xfd', 'cpu.xfd-err'].map((field) => `${field}[${cpu}]`),
  ],
  'cr4.written': ({ cpu }) => [`cpu.cr4[${cpu}]`],
  'xcr0.written': ({ cpu }) => [`cpu.xcr0[${cpu}]`],
  'xss.written': ({ cpu }) => [`cpu.xcr0[${cpu}]`],
  'tasks.frozen': ({ by }, s) => [nameOf(s, by)],
  'tasks.thawed': ({ by }, s) => [nameOf(s, by)],
  'kthread.stepped': ({ task }) => [`task.frame.local[${task}.1]`],
  'mm.borrowed': ({ task }) => [`task.borrowed-mm[${task}]`],
  'mm.pasid-written': ({ leader }) => [`task.mm-pasid[${leader}]`],
  'ipi.sent': ({ target }) => [`cpu.ipi[${target}]`],
  'ipi.done': ({ cpu }) => [`cpu.ipi[${cpu}]`],
  'thread.killed': ({ target }) => [`task.exec-state[${target}]`, `task.stopped[${target}]`],
  'exec.waited': ({ task }) => [`task.exec-state[${task}]`],
  'exec.woken': ({ target }) => [`task.exec-state[${target}]`],
  'update.begun': ({ task }) => [`task.updating[${task}]`],
  'update.finished': ({ task, component, value }) => [
    `task.updating[${task}]`,
    `task.architectural[${task}.${component}]`,
    `task.execed[${task}]`,
    ...serialOfWriter(value),
  ],
  'fpstate.register-stored': ({ fpstate, component }) => [`fpstate.image[${fpstate}.${component}]`],
  'fpstate.changed': ({ fpstate, component }) => [`fpstate.image[${fpstate}.${component}]`],
  'fpregs.saved-alone': ({ fpstate }) => [`fpstate.image[${fpstate}.2]`, ...header(fpstate)],
  'fpregs.given': ({ cpu, task, component, value }) => [
    `cpu.fpregs[${cpu}.${component}]`,
    `task.architectural[${task}.${component}]`,
    `task.execed[${task}]`,
    ...serialOfWriter(value),
  ],
  'task.stopped': ({ task }) => [`task.stopped[${task}]`],
  'task.continued': ({ target }) => [`task.stopped[${target}]`],
  'fpstate.traced': ({ fpstate, target, component }) => [
    `fpstate.image[${fpstate}.${component}]`,
    `fpstate.xstate-bv[${fpstate}]`,
    `task.architectural[${target}.${component}]`,
    `task.execed[${target}]`,
    `task.serial[${target}]`,
  ],
  'user-memory.accessed': () => [],
  'kernel.pkru-changed': () => [],
  'slot.written': ({ slot }, s) => [nameOf(s, slot)],
  'validity.changed': ({ task }) => [`task.validity[${task}]`],
  'oracle.violated': ({ reader, oracle }) => [`task.reported[${reader}.${oracle}]`],
};

/** What XSAVE writes of a header. */
function header(fpstate: number): readonly string[] {
  return [`fpstate.xstate-bv[${fpstate}]`, `fpstate.header[${fpstate}]`, `fpstate.alone[${fpstate}]`];
}

/** A task without a signal frame. */
function frameless(task: number): readonly string[] {
  const fpstate = sizes.task + task;
  return [
    ...each('task.interrupted', task, COMPONENTS),
    ...each('fpstate.image', fpstate, COMPONENTS),
    ...each('fpstate.image', fpstate + sizes.task, COMPONENTS),
    ...header(fpstate),
    `task.frame-pages[${task}]`,
    `task.returning[${task}]`,
  ];
}

function forgotten({ task }: Data): readonly string[] {
  return [
    ...each('task.architectural', task, COMPONENTS),
    ...frameless(task),
    `task.execed[${task}]`,
    `task.resume[${task}]`,
    `task.signal-pending[${task}]`,
  ];
}

function stopped(data: Data, state: MachineState): readonly string[] {
  return [`cpu.current[${data.cpu}]`, ...buried(data, state)];
}

function buried({ task }: Data, { words, at }: MachineState): readonly string[] {
  const picked = range(sizes.task).filter((other) => words[at.pickedBy + other] === task);
  return [`task.lifecycle[${task}]`, ...picked.map((other) => `task.picked-by[${other}]`)];
}

function pushed(task: number, depth: number): readonly string[] {
  return [`task.depth[${task}]`, `task.frame.pc[${task}.${depth}]`, `task.frame.status[${task}.${depth}]`];
}

function inBitmap(field: string, instance: number, xfeatures: number): readonly string[] {
  return range(COMPONENTS)
    .filter((component) => xfeatures & (1 << component))
    .map((component) => `${field}[${instance}.${component}]`);
}

describe('apply', () => {
  it('changes only the words that the event is about', () => {
    fc.assert(
      fc.property(anyState, anyEvent, (state, { type, data }) => {
        const before = state.words.slice();
        const allowed = FOOTPRINT[type.name]?.(data, state) ?? [];
        applyEvent(state, type, data);
        const changed = Object.keys(changedWords(state, before));
        expect(changed.filter((word) => !allowed.includes(word))).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });

  it('of a death leaves nobody reserved for the dead task, and everybody else reserved as before', () => {
    const deaths = eventTypes().filter(({ name }) =>
      ['task.exited', 'kernel.panicked', 'kernel.stack-overflowed'].includes(name),
    );
    expect(deaths).toHaveLength(3);
    fc.assert(
      fc.property(
        anyState,
        fc.constantFrom(...deaths),
        below(sizes.cpu),
        below(sizes.task),
        (state, type, cpu, task) => {
          const pickers = (): readonly number[] => [
            ...state.words.subarray(state.at.pickedBy, state.at.pickedBy + sizes.task),
          ];
          const before = pickers();
          applyEvent(state, type, { cpu, task });
          expect(pickers()).toEqual(before.map((picker) => (picker === task ? -1 : picker)));
        },
      ),
    );
  });

  it('depends on nothing but state and data: two equal states stay equal', () => {
    fc.assert(
      fc.property(anyState, anyEvent, (state, { type, data }) => {
        const twin = smallState(FULL);
        twin.words.set(state.words);
        applyEvent(state, type, data);
        applyEvent(twin, type, data);
        expect(twin.words).toEqual(state.words);
      }),
      { numRuns: 500 },
    );
  });

  it('a context that is entered and left again leaves the state as it was, apart from its locals', () => {
    const [entered, stepped] = ['context.entered', 'kernel.stepped'].map(
      (name) => eventTypes().find((type) => type.name === name) as EventType,
    );
    fc.assert(
      fc.property(anyState, below(sizes.task), fc.nat({ max: 500 }), status, (state, task, at, mask) => {
        const depth = state.words[state.at.depth + task];
        const word = state.at.frameLocal + (task * stackDepth + depth) * LOCALS;
        state.words.fill(0, word, word + LOCALS);
        state.words[state.at.framePc + task * stackDepth + depth] = 0;
        state.words[state.at.frameStatus + task * stackDepth + depth] = 0;
        const before = state.words.slice();
        applyEvent(state, entered, { cpu: 0, task, at, status: mask & ~CALLED });
        applyEvent(state, stepped, { cpu: 0, task, at, next: -1 });
        expect(changedWords(state, before)).toEqual({});
      }),
    );
  });

  it("a task's write is what a save and a restore on another CPU bring back", () => {
    const named = (name: string): EventType => eventTypes().find((type) => type.name === name) as EventType;
    fc.assert(
      fc.property(
        below(sizes.task),
        below(COMPONENTS),
        fc.integer({ min: 1, max: 2 ** 20 - 1 }),
        (task, bit, serial) => {
          const state = smallState(FULL);
          const id = valueId(task + 1, serial);
          applyEvent(state, named('fpregs.written'), { cpu: 0, component: bit, value: id });
          const image = { fpstate: task, xfeatures: 0b111, bytes: 832 };
          applyEvent(state, named('fpregs.saved'), {
            cpu: 0,
            ...image,
            instruction: MOVE_INSTRUCTIONS.indexOf('XSAVE'),
          });
          applyEvent(state, named('fpregs.restored'), {
            cpu: 1,
            ...image,
            instruction: MOVE_INSTRUCTIONS.indexOf('XRSTOR'),
          });
          const { words, at } = state;
          expect(words[at.fpregs + COMPONENTS + bit]).toBe(id);
          expect(words[at.architectural + task * COMPONENTS + bit]).toBe(id);
          expect(words[at.serial + task]).toBe(serialOf(id));
        },
      ),
    );
  });
});
