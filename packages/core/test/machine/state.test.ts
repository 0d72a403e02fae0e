import { CR0_BOOT, coreOffsets, createState, events, readField } from '@fpulab/core';
import { FULL, SMALL, nameOf, smallState, wordOf } from '../support/states';

describe('a fresh state', () => {
  const state = smallState();

  it('has the fields of the core in a fixed order, and slots behind them', () => {
    expect(state.layout.fields.map(({ name, base, width }) => `${base} ${name} ${width}`)).toEqual([
      '0 kernel.serial 1',
      '1 cpu.cr0 1',
      '3 cpu.fpregs 3',
      '9 cpu.current 1',
      '11 task.depth 1',
      '14 task.frame.pc 4',
      '26 task.frame.status 4',
      '38 task.frame.local 8',
      '62 task.lifecycle 1',
      '65 task.last-ran 1',
      '68 task.picked-by 1',
      '71 task.sleeping 1',
      '74 task.architectural 3',
      '83 task.serial 1',
      '86 task.validity 1',
      '89 task.execed 1',
      '92 task.reported 12',
      '128 fpstate.image 3',
      '140 fpstate.allocated 1',
      '144 fpstate.xstate-bv 1',
      '148 fpstate.header 1',
      '152 test.cpu-slot 1',
      '154 test.task-slot 1',
    ]);
    expect(state.words).toHaveLength(157);
  });

  it('has fields for signals, XFD, borrowed address spaces, stopped tasks and CPUs that go down only where the machine has those', () => {
    const extra = smallState(FULL).layout.fields.filter(({ name }) => !state.layout.find(name));
    expect(extra.map(({ name, width }) => `${name} ${width}`)).toEqual([
      'task.signal-pending 1',
      'task.resume 1',
      'task.returning 1',
      'task.interrupted 3',
      'task.frame-pages 1',
      'cpu.xfd 1',
      'cpu.xfd-err 1',
      'task.borrowed-mm 1',
      'task.stopped 1',
      'task.mm-pasid 1',
      'task.updating 1',
      'fpstate.alone 1',
      'cpu.ipi 1',
      'task.exec-state 1',
      'cpu.state 1',
      'cpu.cr4 1',
      'cpu.xcr0 1',
      'kernel.frozen-by 1',
    ]);
    expect([state.at.resume, state.at.xfd, state.at.firstFpstate.sigframe]).toEqual([-1, -1, -1]);
  });

  it('has no memory for the larger images from the start, embedded or not', () => {
    const larger = smallState({
      ...FULL,
      sizes: { ...FULL.sizes, fpstate: 11 },
      fpstateKinds: ['task', 'dynamic', 'sigframe'],
      fpstateEmbedded: true,
    });
    const { base } = larger.layout.field('fpstate.allocated');
    expect([...larger.words.subarray(base, base + 11)]).toEqual([1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1]);
  });

  it('has for a forked child none of what is enabled per task', () => {
    const child = smallState({ ...FULL, dynamicXfeatures: 0b010 });
    const { base } = child.layout.field('task.architectural');
    child.words.set([7, 8, 9], base);
    events.TaskForked.apply(child, 0, 0, 2, 0, 0, 0);
    expect([...child.words.subarray(base + 6, base + 9)]).toEqual([7, 0, 9]);
  });

  it('has images of each kind for every task, and behind them one per CPU', () => {
    const { at } = smallState(FULL);
    expect(at.firstFpstate).toEqual({ task: 0, dynamic: -1, sigframe: 3, guest: -1, user: -1, fsave: 6 });
    expect(at.vcpuFpstates).toBe(9);
  });

  it('differs from zero in CR0, in what names nobody, and in the slots that say so', () => {
    const nonZero = [...state.words].flatMap((value, word) => (value === 0 ? [] : [[nameOf(state, word), value]]));
    expect(Object.fromEntries(nonZero)).toEqual({
      'cpu.cr0[0]': CR0_BOOT,
      'cpu.cr0[1]': CR0_BOOT,
      'cpu.current[0]': -1,
      'cpu.current[1]': -1,
      'task.last-ran[0]': -1,
      'task.last-ran[1]': -1,
      'task.last-ran[2]': -1,
      'task.picked-by[0]': -1,
      'task.picked-by[1]': -1,
      'task.picked-by[2]': -1,
      'test.cpu-slot[0]': -1,
      'test.cpu-slot[1]': -1,
    });
  });

  it('reserves tasks for the task that picked them, not for a CPU', () => {
    expect(state.layout.field('task.picked-by').kind).toBe('task');
  });

  it('has all images allocated when they are embedded in their tasks', () => {
    const allocated = (fpstateEmbedded: boolean): number[] => {
      const { words, at } = smallState({ fpstateEmbedded });
      return [...words.slice(at.allocated, at.allocated + 4)];
    };
    expect(allocated(true)).toEqual([1, 1, 1, 1]);
    expect(allocated(false)).toEqual([0, 0, 0, 0]);
  });

  it('knows where each component lies, and which the CPU lacks', () => {
    const { at } = createState({ ...SMALL, componentBits: [0, 2] }, []);
    expect(at.components).toBe(2);
    expect(at.indexOfBit.slice(0, 4)).toEqual([0, -1, 1, -1]);
  });

  it('offsets are those of the layout', () => {
    expect(coreOffsets(state.layout, SMALL)).toEqual(state.at);
    expect(state.at.fpregs).toBe(state.layout.field('cpu.fpregs').base);
    expect(state.at.allocated).toBe(state.layout.field('fpstate.allocated').base);
  });

  it('readField reads one word by field, instance and element', () => {
    const other = smallState();
    other.words[wordOf(other, 'cpu.fpregs[1.2]')] = 99;
    other.words[wordOf(other, 'kernel.serial')] = 5;
    expect(readField(other, other.layout.field('cpu.fpregs'), 1, 2)).toBe(99);
    expect(readField(other, other.layout.field('kernel.serial'))).toBe(5);
  });
});
