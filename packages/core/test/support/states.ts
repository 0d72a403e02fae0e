import { LIFECYCLE, TILEDATA, createState, type Dimensions, type MachineState } from '@fpulab/core';

/** Two CPUs, three tasks, four images, x87, SSE and AVX, four frames a task. */
export const SMALL: Dimensions = {
  sizes: { machine: 1, cpu: 2, task: 3, fpstate: 4 },
  componentBits: [0, 1, 2],
  stackDepth: 4,
  fpstateEmbedded: false,
};

/** The same with the fields that only some machines have: a signal frame per task with an FSAVE header, and XFD. Eleven images. */
export const FULL: Dimensions = {
  ...SMALL,
  sizes: { ...SMALL.sizes, fpstate: 11 },
  fpstateKinds: ['task', 'sigframe', 'fsave'],
  signals: true,
  dynamicXfeatures: 1 << TILEDATA,
  borrowedMm: true,
  ptrace: true,
  pasids: true,
  deThreads: true,
  hotplug: { cr4: 0, xfeatures: 0 },
};

/** A fresh state of SMALL dimensions with one slot per CPU and one per task. */
export function smallState(overrides: Partial<Dimensions> = {}): MachineState {
  return createState({ ...SMALL, ...overrides }, [
    { name: 'test.cpu-slot', space: 'cpu', kind: 'task', width: 1, initial: -1 },
    { name: 'test.task-slot', space: 'task', kind: 'flag', width: 1, initial: 0 },
  ]);
}

/** Words of images, with the bits of XSTATE_BV that say that these components are in use. */
export function inUse(words: Words): Words {
  const bitmaps: Record<string, number> = {};
  for (const [name, value] of Object.entries(words)) {
    const [, fpstate, component] = /^fpstate\.image\[(\d+)\.(\d+)\]$/.exec(name) ?? [];
    if (fpstate === undefined || value === 0) continue;
    bitmaps[`fpstate.xstate-bv[${fpstate}]`] =
      (bitmaps[`fpstate.xstate-bv[${fpstate}]`] ?? 0) | (1 << Number(component));
  }
  return { ...bitmaps, ...words };
}

/** Index of a word, from `field[instance.element]`: `cpu.fpregs[1.2]`, `task.depth[0]`, `kernel.serial`. */
export function wordOf({ layout }: MachineState, name: string): number {
  const match = /^([^[]+)(?:\[(\d+)(?:\.(\d+))?\])?$/.exec(name);
  if (!match) throw new Error(`not a word: '${name}'`);
  const field = layout.field(match[1]);
  return field.base + Number(match[2] ?? 0) * field.width + Number(match[3] ?? 0);
}

/** `cpu.fpregs[1.2]` for a word index: the inverse of `wordOf`. */
export function nameOf({ layout }: MachineState, word: number): string {
  const field = layout.fields.find(({ base, instances, width }) => word >= base && word < base + instances * width);
  if (!field) throw new Error(`no field holds word ${word}`);
  const instance = Math.floor((word - field.base) / field.width);
  const element = (word - field.base) % field.width;
  if (field.space === 'machine' && field.width === 1) return field.name;
  return field.width === 1 ? `${field.name}[${instance}]` : `${field.name}[${instance}.${element}]`;
}

/** Words by name. */
export type Words = Readonly<Record<string, number>>;

/** Sets words by name. */
export function setWords(state: MachineState, words: Words): MachineState {
  for (const [name, value] of Object.entries(words)) state.words[wordOf(state, name)] = value;
  return state;
}

/** What differs between two states of one layout, as words by name with their values in `after`. */
export function changedWords(after: MachineState, before: Int32Array): Words {
  const changed: Record<string, number> = {};
  after.words.forEach((value, word) => {
    if (value !== before[word]) changed[nameOf(after, word)] = value;
  });
  return changed;
}

/** A task that is alive with `depth` frames, the top one at `pc` with `status`. */
export function aliveTask(task: number, depth: number, pc = 10, status = 0): Words {
  return {
    [`task.lifecycle[${task}]`]: LIFECYCLE.alive,
    [`task.depth[${task}]`]: depth,
    [`task.frame.pc[${task}.${depth - 1}]`]: pc,
    [`task.frame.status[${task}.${depth - 1}]`]: status,
  };
}
