/** The ways to update one component that were proposed, side by side, and what is known of each. */
import type { UpdateHelper, UpdateWay } from './update';

/** A way, and what is expected of it. */
export interface NamedWay {
  readonly id: string;
  readonly title: string;
  /** `trap-gp`: no update where the thread binds; the #GP handler writes the register with interrupts off. */
  readonly way: UpdateWay | 'trap-gp';
  /** Whether no run goes wrong with it. */
  readonly safe: boolean;
}

const THREAD: UpdateHelper = {
  old: 'rdmsr',
  xstateBv: 'begin',
  load: 'xrstors',
  writesInit: true,
  invalidates: true,
  caller: 'changes',
};

const helper = (id: string, title: string, safe: boolean, differs: Partial<UpdateHelper>): NamedWay => ({
  id,
  title,
  way: { ...THREAD, ...differs },
  safe,
});

/** In the order of the thread. */
export const UPDATE_WAYS: readonly NamedWay[] = [
  { id: 'trap-gp', title: 'WRMSR in the #GP handler, interrupts off (merged, 5.18)', way: 'trap-gp', safe: true },
  {
    id: 'msr-or-image',
    title: 'WRMSR if the registers are live, else the image',
    way: 'msr-or-image',
    safe: true,
  },
  {
    id: 'lock-and-load',
    title: 'load all if they are not live, then WRMSR (6.6, for shadow stacks)',
    way: 'lock-and-load',
    safe: true,
  },
  helper('rdmsr+xrstors', 'update: RDMSR, XRSTORS at once', true, {}),
  helper('rdmsr+xrstors, at finish', 'the same, XSTATE_BV set at finish', true, { xstateBv: 'finish' }),
  helper('xsaves-one+xrstors', 'update: XSAVES of one feature, XRSTORS at once', false, { old: 'xsaves-one' }),
  helper('xsaves-all+xrstors', 'update: XSAVES of all, XRSTORS at once', true, { old: 'xsaves-all' }),
  helper('rdmsr+tif', 'update: RDMSR, TIF left set', false, { load: 'deferred' }),
  helper('xsaves-one+tif', 'update: XSAVES of one feature, TIF left set', false, {
    old: 'xsaves-one',
    load: 'deferred',
  }),
  helper('xsaves-all+tif', 'update: XSAVES of all, TIF left set', true, { old: 'xsaves-all', load: 'deferred' }),
  helper('xsaves-all+tif, at finish', 'the same, XSTATE_BV set at finish', true, {
    old: 'xsaves-all',
    load: 'deferred',
    xstateBv: 'finish',
  }),
  helper('full+xrstors', 'full: nothing is saved, the caller writes all, XRSTORS at once', true, {
    old: 'left',
    caller: 'replaces',
  }),
  helper('full+tif', 'full: nothing is saved, the caller writes all, TIF left set', false, {
    old: 'left',
    caller: 'replaces',
    load: 'deferred',
  }),
  helper('full, a part changes', 'full, and the caller changes a part after all', false, { old: 'left' }),
  helper('no init state', 'update: the slot is left as it is where XSTATE_BV says INIT', false, {
    writesInit: false,
  }),
  helper('no init state, full', 'the same, and the caller writes all', true, {
    writesInit: false,
    caller: 'replaces',
  }),
  helper('no invalidation', 'update: last_cpu stays where TIF is set', false, { invalidates: false }),
  helper('xsaves-all+tif, no invalidation', 'XSAVES of all, TIF left set, last_cpu stays', false, {
    old: 'xsaves-all',
    load: 'deferred',
    invalidates: false,
  }),
];
