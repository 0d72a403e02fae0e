/** What processors do: control registers, exceptions, FPU registers, IA32_XFD, accesses to user memory. */
import { defineEvent } from '../event-type';
import { HEADER } from '../state';
import { INIT, PRINCIPAL, serialOf, taskOfPrincipal, writerOf } from '../values';
import { SUPERVISOR_COMPONENTS } from '../../x86/components';
import { eachComponent, slotOf } from './changes';

/** CR0 as the processor obeys it got a new value. */
export const Cr0Written = defineEvent(
  'cr0.written',
  { cpu: 'cpu', value: 'mask' },
  (s, cpu, value) => {
    s.words[s.at.cr0 + cpu] = value;
  },
  { local: true },
);

/** The processor raised an exception. `user` is 1 when it interrupted user code; else `at` is the kernel's step. */
export const TrapRaised = defineEvent(
  'trap.raised',
  { cpu: 'cpu', task: 'task', vector: 'number', user: 'number', at: 'pc' },
  () => {},
  { local: true },
);

/** The guest kernel asked its hypervisor for something. `number` is the hypercall's in the Xen interface. */
export const HypercallMade = defineEvent(
  'hypercall.made',
  { cpu: 'cpu', task: 'task', number: 'number', argument: 'number' },
  () => {},
  { local: true },
);

/** A component of the fpregs got a new value. For a task this is its latest architectural value. */
export const FpregsWritten = defineEvent(
  'fpregs.written',
  { cpu: 'cpu', component: 'component', value: 'value' },
  (s, cpu, component, value) => {
    const n = s.at.components;
    const index = s.at.indexOfBit[component];
    s.words[s.at.fpregs + cpu * n + index] = value;
    const task = taskOfPrincipal(writerOf(value));
    if (task >= 0) {
      s.words[s.at.architectural + task * n + index] = value;
      s.words[s.at.execed + task] &= ~(1 << component);
      s.words[s.at.serial + task] = serialOf(value);
    } else if (writerOf(value) === PRINCIPAL.kernel) s.words[s.at.kernelSerial] = serialOf(value);
  },
  { fpu: true },
);

/** The kernel put a value that exists already into a component of the fpregs: WRPKRU, WRMSR, XRSTOR of one component. */
export const FpregsLoaded = defineEvent(
  'fpregs.loaded',
  { cpu: 'cpu', component: 'component', value: 'value' },
  (s, cpu, component, value) => {
    s.words[s.at.fpregs + cpu * s.at.components + s.at.indexOfBit[component]] = value;
  },
  { fpu: true },
);

/** User code read a component of the fpregs, or the kernel did to change a part of it for the task. */
export const FpregsRead = defineEvent(
  'fpregs.read',
  { cpu: 'cpu', task: 'task', component: 'component', value: 'value' },
  () => {},
  { fpu: true },
);

/** A kernel FPU section looked at its registers: `expected` is what it had written. */
export const KernelFpregsChecked = defineEvent(
  'kernel.fpregs-checked',
  { cpu: 'cpu', task: 'task', component: 'component', value: 'value', expected: 'value' },
  () => {},
  { fpu: true },
);

/** Components of the fpregs went to their INIT state (FNINIT, XRSTOR of INIT). `xfeatures` is an XCR0-style bitmap. */
export const FpregsInitialised = defineEvent(
  'fpregs.initialised',
  { cpu: 'cpu', xfeatures: 'mask' },
  (s, cpu, xfeatures) => {
    eachComponent(s, xfeatures, (index) => {
      s.words[s.at.fpregs + cpu * s.at.components + index] = INIT;
    });
  },
  { fpu: true },
);

/**
 * User code put components into INIT state (TILERELEASE, XRSTOR without them): from here on that is what it ought to see. One event,
 * because no moment lies between the two.
 */
export const FpregsReleased = defineEvent(
  'fpregs.released',
  { cpu: 'cpu', task: 'task', xfeatures: 'mask' },
  (s, cpu, task, xfeatures) => {
    const n = s.at.components;
    eachComponent(s, xfeatures, (index, bit) => {
      s.words[s.at.fpregs + cpu * n + index] = INIT;
      s.words[s.at.architectural + task * n + index] = INIT;
      s.words[s.at.execed + task] &= ~bit;
    });
  },
  { fpu: true },
);

/** The fpregs were written to an image (XSAVE, FXSAVE, FNSAVE). Linux: save_fpregs_to_fpstate(). */
export const FpregsSaved = defineEvent(
  'fpregs.saved',
  { cpu: 'cpu', fpstate: 'fpstate', xfeatures: 'mask', bytes: 'number', instruction: 'instruction' },
  (s, cpu, fpstate, xfeatures) => {
    const n = s.at.components;
    const disabled = s.at.xfd < 0 ? 0 : s.words[s.at.xfd + cpu];
    const kept = SUPERVISOR_COMPONENTS | s.at.updated; // see Dimensions
    let inUse = s.words[s.at.xstateBv + fpstate] & ~xfeatures;
    eachComponent(s, xfeatures, (index, bit) => {
      const value = disabled & bit ? INIT : s.words[s.at.fpregs + cpu * n + index];
      if (value !== INIT || !(bit & kept)) s.words[s.at.image + fpstate * n + index] = value;
      if (value !== INIT) inUse |= bit;
    });
    s.words[s.at.xstateBv + fpstate] = inUse;
    s.words[s.at.header + fpstate] = HEADER.valid;
    if (s.at.alone >= 0) s.words[s.at.alone + fpstate] = 0;
  },
  { fpu: true },
);

/** The fpregs were loaded from an image (XRSTOR, FXRSTOR, FRSTOR). Linux: restore_fpregs_from_fpstate(). */
export const FpregsRestored = defineEvent(
  'fpregs.restored',
  { cpu: 'cpu', fpstate: 'fpstate', xfeatures: 'mask', bytes: 'number', instruction: 'instruction' },
  (s, cpu, fpstate, xfeatures) => {
    const n = s.at.components;
    const inUse = s.words[s.at.xstateBv + fpstate];
    eachComponent(s, xfeatures, (index, bit) => {
      const slot = s.at.image + fpstate * n + slotOf(s, fpstate, index);
      s.words[s.at.fpregs + cpu * n + index] = inUse & bit ? s.words[slot] : INIT;
    });
  },
  { fpu: true },
);

/** A restore was left out because the registers were believed to be valid already. */
export const RestoreSkipped = defineEvent('fpregs.restore-skipped', { cpu: 'cpu', task: 'task' }, () => {}, {
  local: true,
});

/**
 * The kernel accessed user memory: under the PKRU that was in the register, where `expected` is the task's; a kernel thread's is the kernel's
 * default.
 */
export const UserMemoryAccessed = defineEvent(
  'user-memory.accessed',
  { cpu: 'cpu', task: 'task', pkru: 'value', expected: 'value' },
  () => {},
);

/** Something changed PKRU inside a kernel FPU section. `at` is the step that did it: a debug watch. */
export const KernelPkruChanged = defineEvent(
  'kernel.pkru-changed',
  { cpu: 'cpu', task: 'task', at: 'pc', from: 'value', to: 'value' },
  () => {},
);

/** IA32_XFD of a CPU got a value. */
export const XfdWritten = defineEvent(
  'xfd.written',
  { cpu: 'cpu', value: 'mask' },
  (s, cpu, value) => {
    s.words[s.at.xfd + cpu] = value;
  },
  { fpu: true },
);

/** IA32_XFD_ERR of a CPU got a value: by #NM, or by the kernel. */
export const XfdErrWritten = defineEvent(
  'xfd.err-written',
  { cpu: 'cpu', value: 'mask' },
  (s, cpu, value) => {
    s.words[s.at.xfdErr + cpu] = value;
  },
  { fpu: true },
);
