/**
 * What kernel and hypervisor code sees of the machine: the CPU that runs it.
 *
 * Everything here either reads the state or emits events.
 */
import type { FieldKind, Space } from '../machine/layout';
import type { FpstateKind } from '../machine/state';
import { INIT } from '../machine/values';
import type { XfdMsrs } from './xfd';

/** A word per CPU, task, ... that a policy or platform declares as part of the machine state. */
export interface Slot {
  readonly name: string;
  readonly space: Exclude<Space, 'fpstate'>;
  readonly kind: FieldKind;
  readonly initial: number;
  /** For a value: the component that it is of. */
  readonly component?: number;
  /** For a counter: what the code compares it with, and where it wraps. */
  readonly counter?: CounterRange;
  /** Where the slot lies in the packed state; set when a machine is composed. */
  base: number;
}

/** A counter of which the code only asks whether it is above a threshold. */
export interface CounterRange {
  readonly threshold: number;
  /** The count after `modulus - 1` is 0. */
  readonly modulus: number;
}

/** Declares a slot per CPU: `slot.cpu('fpu_owner_task', 'task', -1)`; likewise per task or once per machine. */
export const slot = {
  cpu: (name: string, kind: FieldKind, initial = 0): Slot => ({ name, space: 'cpu', kind, initial, base: -1 }),
  task: (name: string, kind: FieldKind, initial = 0): Slot => ({ name, space: 'task', kind, initial, base: -1 }),
  machine: (name: string, kind: FieldKind, initial = 0): Slot => ({ name, space: 'machine', kind, initial, base: -1 }),
  /** What a task has in a component, in a place of its own: `slot.taskValue('thread.pkru', PKRU)`. */
  taskValue: (name: string, component: number, initial = INIT): Slot => ({
    name,
    space: 'task',
    kind: 'value',
    initial,
    component,
    base: -1,
  }),
  /** A counter per task. The code may set it to 0, count it up, and ask whether it is above its threshold. */
  taskCounter: (name: string, counter: CounterRange): Slot => ({
    name,
    space: 'task',
    kind: 'number',
    initial: 0,
    counter,
    base: -1,
  }),
};

/** "Nobody" in slots that name a task, and "no CPU" in slots that name a CPU. Linux: NULL and ~0. */
export const NOBODY = -1;

/** The CPU that a step of a policy runs on. */
export interface Kernel {
  readonly cpu: number;
  /** The current task. */
  readonly task: number;
  /** In the routine that answers switch-out: the task that comes next. */
  readonly next: number;
  /** During fork: the new task. */
  readonly child: number;
  /** During ptrace-read and ptrace-write: the stopped task. During core-dump: the current one. */
  readonly target: number;

  /**
   * The slot of this name: how patches, which are written for no machine in particular, get at a policy's state.
   *
   * @throws FpuError FPU209 when no plugin of this machine declares it
   */
  slotNamed(name: string): Slot;
  /** A slot of this CPU, of a given task, or of the machine. */
  read(slot: Slot, instance: number): number;
  /** Writes a slot. */
  write(slot: Slot, instance: number, value: number): void;

  /** Counts a counter slot up by one. */
  count(slot: Slot, instance: number): void;
  /** True when a counter slot is above its threshold. */
  isAbove(slot: Slot, instance: number): boolean;

  /** CR0 as the kernel reads it (on a paravirtual kernel: through its cache). */
  readCr0(): number;
  /** Writes CR0 the way this kernel does on this platform. */
  writeCr0(value: number): void;
  /** Clears CR0.TS the way this kernel does on this platform. */
  clts(): void;
  /** Sets CR0.TS the way this kernel does: write_cr0(read_cr0() | X86_CR0_TS). */
  stts(): void;
  /** Executes the CLTS instruction itself, paravirtual kernel or not. */
  executeClts(): void;
  /** Executes MOV to CR0 itself. */
  executeMovToCr0(value: number): void;
  /** Executes LMSW. */
  executeLmsw(value: number): void;
  /** Executes SMSW: what it returns. */
  executeSmsw(): number;

  /** True for kernel threads and idle tasks: PF_KTHREAD. They have no user registers. */
  isKernelThread(task: number): boolean;
  /** True for IO workers: PF_IO_WORKER. They are threads of a user process that never run user code. */
  isIoWorker(task: number): boolean;
  /** True for tasks with an address space, their own or a borrowed one: task->mm != NULL. */
  hasMm(task: number): boolean;

  /** The guest that a task runs by KVM_RUN, now or at other times; NOBODY for most tasks. */
  guestOf(task: number): number;
  /** True for a guest that sets CR4.PKE; its XCR0 has PKRU in any case. */
  setsPke(guest: number): boolean;
  /** The task whose `struct signal` all threads of a process share: `task->group_leader`; itself unless it is a thread of another one. */
  groupLeader(task: number): number;
  /** All threads of a task's process, itself among them: for_each_thread(). */
  threadsOf(task: number): readonly number[];

  /** True for a task that has ended and only switches to the next one: TASK_DEAD. */
  isDead(task: number): boolean;

  /** A memory image of a task; its own when no kind is named. */
  fpstateOf(task: number, kind?: FpstateKind): number;
  /** Images are in the compacted format: the kernel uses XSAVES, and the processor has it. Linux: using_compacted_format(). */
  readonly compacted: boolean;
  /** All components that this kernel enables, as a bitmap. */
  readonly xfeatures: number;
  /** Those that it enables per task, and for which only the image `dynamic` has room; 0 on processors without XFD. */
  readonly dynamicXfeatures: number;
  /** IA32_XFD and IA32_XFD_ERR of this CPU. */
  readonly xfd: XfdMsrs;
  /** Components that are not INIT: XGETBV with ECX = 1. */
  xinuse(): number;
  /**
   * Writes components (all when none are named) to an image with the CPU's best instruction. Returns false when the registers are gone
   * (FNSAVE). Like `restore` and `initFpregs` an FPU instruction: the step must declare it, for it can raise #NM.
   *
   * @throws FpuError FPU209 when the step declares no `instruction`
   */
  save(fpstate: number, xfeatures?: number): boolean;
  /** Writes x87 and SSE to an image with FXSAVE, whatever the kernel saves with otherwise. */
  fxsave(fpstate: number): void;
  /**
   * Loads components (all when none are named) from an image. False when its header makes XRSTOR raise #GP: nothing is loaded
   * then. #NM, from which the step does not come back, when it would load a component that IA32_XFD disables.
   */
  restore(fpstate: number, xfeatures?: number): boolean;
  /** Notes that a restore was not needed. */
  skipRestore(task: number): void;
  /** Puts components (all when none are named) into INIT state. */
  initFpregs(xfeatures?: number): void;
  /**
   * XSETBV: XCR0 of this CPU. XSAVE and XRSTOR move no others from here on, and XRSTOR of an image that has others raises #GP.
   *
   * @throws FpuError FPU209 in machines whose XCR0 never changes
   */
  writeXcr0(xfeatures: number): void;
  /** What a register holds: RDPKRU, RDMSR. To be moved, not to be looked at: see docs/explorer.md. */
  readRegister(component: number): number;
  /** Puts a value into a register: WRPKRU, WRMSR. */
  writeRegister(component: number, value: number): void;
  /** The same with a value that the current task did not have before: from now on it is its own. */
  giveRegister(component: number, value: number): void;
  /** Reads a register into the slot of its component: RDPKRU, RDMSR. XSTATE_BV stays. */
  storeRegister(fpstate: number, component: number): void;
  /** XSAVES of one component: afterwards the image has that one alone, in a place of its own. Declare it, like `save`. */
  saveAlone(fpstate: number, component: number): void;
  /** Changes a part of what is in the slot of a component of the current task; the rest of it stays as it was. */
  changeFpstate(fpstate: number, component: number, value: number): void;
  /**
   * The PKRU that the current task asks for: the one that it has, with the bits of a key changed. It is a value of its own, and a new one until it
   * has been given, by `giveRegister` or `finishUpdate`. Ask for it in each step that needs it.
   */
  readonly askedPkru: number;
  /** Reads a register to change a part of what the current task has there: RDPKRU. */
  readToChange(component: number): void;
  /** The current task will have another value in a component, as soon as `finishUpdate` says which. */
  beginUpdate(component: number): void;
  finishUpdate(component: number, value: number): void;
  /** Asks every other CPU that runs a thread of the current process to run a function: `call-function` is the hook that it runs. */
  callOthers(): void;
  /** True while some other CPU has yet to run it. */
  readonly othersAreCalled: boolean;
  /** `mm->pasid` of the current task; INIT for none. */
  readonly mmPasid: number;

  /** The slot of a component in an image, whatever XSTATE_BV says. To be moved, not to be looked at. */
  readFpstate(fpstate: number, component: number): number;
  /** Writes the slot of a component, and leaves XSTATE_BV alone. */
  writeFpstate(fpstate: number, component: number, value: number): void;
  /** XSTATE_BV of an image: components whose bit is clear are INIT. */
  xstateBv(fpstate: number): number;
  writeXstateBv(fpstate: number, xfeatures: number): void;
  /** The header of an image: one of HEADER. */
  headerOf(fpstate: number): number;
  writeHeader(fpstate: number, header: number): void;

  /** Components of the register set that a tracer reads or writes, or that a core dump has. */
  readonly regset: number;
  /** The header of the image that the tracer writes: one of TRACED_HEADER. */
  readonly tracedHeader: number;
  /** During ptrace-write: the tracer's XSTATE_BV marks what is enabled per task, whether or not the target has room for it. */
  readonly tracerMarksDynamic: boolean;
  /** Shows components of an image (all of the register set when none are named), as XRSTOR would load them. */
  showFpstate(fpstate: number, xfeatures?: number): void;
  /** Shows a component of the target that lies elsewhere than in an image. */
  showValue(component: number, value: number): void;
  /**
   * Takes components (all of the register set when none are named) from the tracer: they are in the image and in its XSTATE_BV, and the
   * target has them from now on.
   */
  takeFromTracer(fpstate: number, xfeatures?: number): void;

  /** Writes components from the registers to the current task's signal frame, page faults disabled. False when a page is missing. */
  saveToUser(xfeatures?: number): boolean;
  /**
   * Loads components from the current task's signal frame, page faults disabled. Where a page is missing, what had been loaded by then
   * stays in the registers (Linux d8778e393afa was needed because of that).
   */
  restoreFromUser(xfeatures?: number): UserRestore;
  /** Copies an image to the signal frame (__copy_to_user). False when a page is missing. */
  copyToUser(fpstate: number): boolean;
  /**
   * Copies the signal frame to an image, header and all (__copy_from_user), or only these components with their bits of XSTATE_BV
   * (copy_user_to_xstate). False when a page is missing.
   */
  copyFromUser(fpstate: number, xfeatures?: number): boolean;
  /** An access to the current task's signal frame. False when a page is missing. */
  frameIsThere(): boolean;
  /** The signal frame gets no FPU state: the task has none. */
  leaveOutOfFrame(): void;
  /**
   * Brings the pages of the signal frame in (fault_in_writeable(), or a fault that the kernel takes); may sleep. False: there are none.
   *
   * @param frameSaysHowFar true: no further than the frame says that it goes, which its task can change
   */
  faultIn(frameSaysHowFar?: boolean): boolean;
  /** True when the image's memory is there. */
  isAllocated(fpstate: number): boolean;
  /** The image's memory is there from now on; its contents are undefined. */
  allocate(fpstate: number): void;
  /** Gives the image's memory back. */
  free(fpstate: number): void;
  /** Fills the image with the INIT state. */
  initFpstate(fpstate: number): void;
  /** Copies an image. */
  copyFpstate(options: { readonly from: number; readonly to: number }): void;

  /** The status word of the running frame: context and masks. */
  readonly status: number;
  /** The status word of the frame below the running context: what it interrupted. */
  readonly interrupted: number;
  localIrqDisable(): void;
  localIrqEnable(): void;
  preemptDisable(): void;
  preemptEnable(): void;
  localBhDisable(): void;
  localBhEnable(): void;

  /** A local of the routine: a number that the code holds in a register or on its stack. */
  local(index: 0 | 1): number;
  /** Writes a local. In the last step of a routine, whose frame has returned, nothing happens. */
  setLocal(index: 0 | 1, value: number): void;
  /** Answers the hook that called this routine, in local 0 of the frame that asked. */
  answer(value: boolean): void;
  /** Refuses what a hook asks for, in local 1 of the frame that asked. Fork: -ENOMEM, the child is not born. */
  refuse(): void;

  /** A sleeping allocation: it succeeds, sleeps first, or fails, by choice. Returns false when it failed. */
  allocationMaySleep(): boolean;
  /** The task waits for something and another one runs. */
  sleep(): void;
  /** Calls a routine; its first step is the CPU's next one. */
  call(routine: string): void;
  /** Ends the current task: policy's exit hook first, then the scheduler. */
  killCurrent(): void;
  /** A signal that cannot wait (force_sig()): the task's handler runs next; the task ends if it has none, or is in it already. */
  forceSignal(): void;
}

/** How a restore from user memory ended: by the exception that it raised. */
export type UserRestore = 'ok' | 'page-fault' | 'general-protection';

/** The physical CPU under a guest, for platforms. */
export interface Hypervisor extends Kernel {
  /** CR0 as the processor obeys it. */
  readonly realCr0: number;
  /** Writes the real CR0. */
  setRealCr0(value: number): void;
  /** Writes the vCPU's registers to the hypervisor's image of it. The hypervisor has cleared TS for itself. */
  saveVcpu(): void;
  /** Loads the vCPU's registers from that image. */
  restoreVcpu(): void;
  /** Notes a hypercall of the guest: its number in the Xen interface, and its argument. */
  recordHypercall(number: number, argument: number): void;
  /** Another guest ran on this physical CPU: its values are in the registers. */
  clobberByOtherGuest(): void;
  /** The guest kernel receives #NM: its handler is entered with interrupts off. */
  deliverNm(): void;
  /** The guest kernel receives #GP, which its code does not expect. */
  deliverGp(): void;
}

/** What a machine needs of its platform beside its routines. */
export interface MachinePlatform {
  readonly id: string;
  readonly cr0: Cr0Access;
  /**
   * CPUs go down and come up by hypercalls: INIT has no part in it, and what a CPU holds is kept (VCPUOP_down, VCPUOP_up). The same is
   * true of suspend.
   */
  readonly paravirtualCpus?: boolean;
  /** What INIT and RESET of CPU `k.cpu` do to CR0 and to what the platform knows of the CPU; left out where CR0 is the hardware's. */
  reset?(k: Hypervisor): void;
}

/** How a kernel on this platform gets at CR0. `pv` is what its clts() and write_cr0() do; `insn` executes the instruction itself. */
export interface Cr0Access {
  readonly pv: { read(k: Hypervisor): number; write(k: Hypervisor, value: number): void; clts(k: Hypervisor): void };
  readonly insn: {
    movFrom(k: Hypervisor): number;
    movTo(k: Hypervisor, value: number): void;
    clts(k: Hypervisor): void;
    lmsw(k: Hypervisor, value: number): void;
    smsw(k: Hypervisor): number;
  };
}
