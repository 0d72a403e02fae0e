import type { Field, FieldDeclaration, SpaceSizes } from './layout';
import { StateLayout } from './layout';
import { PASID } from '../x86/components';
import { CR0_BOOT } from '../x86/control-registers';

/**
 * The packed state of the whole machine, and where the core's own fields lie in it.
 *
 * Only `apply` functions of event types write `words`.
 */
export interface MachineState {
  readonly words: Int32Array;
  readonly at: CoreOffsets;
  readonly layout: StateLayout;
}

/** Dimensions of the core's fields. */
export interface Dimensions {
  readonly sizes: SpaceSizes;
  /** Components of the CPU model; index i of a register file or image is component `componentBits[i]`. */
  readonly componentBits: readonly number[];
  /** Frames per task: user code, contexts and routine calls nest this deep. */
  readonly stackDepth: number;
  /** True when the memory of every task's image is there from the start. */
  readonly fpstateEmbedded: boolean;
  /** The images that a task can have, `task` first; only that one when left out. */
  readonly fpstateKinds?: readonly FpstateKind[];
  /** User code has signal handlers. */
  readonly signals?: boolean;
  /** Components that the kernel enables per task, by IA32_XFD and a larger image, as a bitmap; none when left out. */
  readonly dynamicXfeatures?: number;
  /** There are kernel threads that borrow address spaces. */
  readonly borrowedMm?: boolean;
  /** Tasks trace others. */
  readonly ptrace?: boolean;
  /** Processes have PASIDs, and kernel code may update one component of an image; where PASID is among the components, when left out. */
  readonly pasids?: boolean;
  /**
   * User components that kernel code updates one by one, as a bitmap; none when left out. XSAVES writes no INIT components: of these, and of
   * supervisor components, the old value that stays in the slot is kept.
   */
  readonly updated?: number;
  /** A thread calls execve(), which ends the others of its process. */
  readonly deThreads?: boolean;
  /** CPUs go down and come up, or the machine is suspended: what CR4 is, and what XCR0 and IA32_XSS enable, while a CPU runs. */
  readonly hotplug?: ControlRegisters;
  /** Where CPUs stay up, but their XCR0 changes all the same: guests of KVM set their own. */
  readonly controls?: ControlRegisters;
}

/** CR4, and what XCR0 and IA32_XSS enable, while a CPU runs. */
export interface ControlRegisters {
  readonly cr4: number;
  readonly xfeatures: number;
}

/**
 * What a memory image of a task is: `task` is embedded in it or allocated at first use, `dynamic` the larger one that it
 * gets for dynamically enabled components, `sigframe` lies on the user's stack. Image `k * tasks + t` is the k-th kind of
 * task t; behind all those a hypervisor has one image per CPU. A thread that runs a guest of KVM has two more: `guest` (vcpu->arch.guest_fpu),
 * and before Linux 5.16 `user` (vcpu->arch.user_fpu), for its own state meanwhile. `fsave` lies in front of the signal frame of a 32-bit program: x87 alone,
 * in the form of FSAVE.
 */
export const FPSTATE_KINDS = ['task', 'dynamic', 'sigframe', 'guest', 'user', 'fsave'] as const;

/** One of FPSTATE_KINDS. */
export type FpstateKind = (typeof FPSTATE_KINDS)[number];

/** Base word (and width, where it is not 1) of each core field. */
export interface CoreOffsets {
  readonly components: number;
  readonly componentBits: readonly number[];
  /** Index of a component bit within a register file or image; -1 where the CPU lacks it. */
  readonly indexOfBit: readonly number[];
  readonly stackDepth: number;
  readonly tasks: number;
  readonly cpus: number;
  readonly kernelSerial: number;
  readonly cr0: number;
  readonly fpregs: number;
  readonly current: number;
  readonly pickedBy: number;
  readonly depth: number;
  readonly framePc: number;
  readonly frameStatus: number;
  readonly frameLocal: number;
  readonly lifecycle: number;
  readonly lastRan: number;
  readonly sleeping: number;
  readonly architectural: number;
  readonly serial: number;
  readonly validity: number;
  readonly reported: number;
  /** Bitmap: components that are INIT since execve(), so that older values of the task's own are another program's. */
  readonly execed: number;
  readonly image: number;
  readonly allocated: number;
  readonly xstateBv: number;
  /** One of HEADER. */
  readonly header: number;
  /** First image of each kind; -1 for kinds that this machine does not have. */
  readonly firstFpstate: Readonly<Record<FpstateKind, number>>;
  /** The hypervisor's image of CPU 0. */
  readonly vcpuFpstates: number;
  /** -1 in machines without signal handlers, like the five below. */
  readonly signalPending: number;
  /** Where the program goes on after its handler; -1 outside of handlers. */
  readonly resume: number;
  /** 1 from sigreturn until the task is back: what its frame holds is its state. */
  readonly returning: number;
  /** What the task's registers were when its handler was entered. */
  readonly interrupted: number;
  /** One of FRAME_PAGES: whether an access to the signal frame faults. */
  readonly framePages: number;
  /** Components for which only the image `dynamic` has room, and which a child does not inherit; see Dimensions. */
  readonly dynamicXfeatures: number;
  /** User components that kernel code updates one by one; see Dimensions. */
  readonly updated: number;
  /** IA32_XFD and IA32_XFD_ERR; -1 where nothing uses them. */
  readonly xfd: number;
  readonly xfdErr: number;
  /** 1 while a kernel thread has borrowed an address space; -1 where none does. */
  readonly borrowedMm: number;
  /** 1 while a task waits for its tracer; -1 where nobody traces. */
  readonly stopped: number;
  /** `mm->pasid` of the process that a task leads, INIT for none; -1 on kernels that do not enable PASID. */
  readonly mmPasid: number;
  /** Components of a task that kernel code is about to update: they may be in no place that counts; -1 where nothing does that. */
  readonly updating: number;
  /** XCOMP_BV of an image that holds one component alone, which is the first behind the header then; 0 for all others; -1 where `updating` is. */
  readonly alone: number;
  /** 1 while a CPU has been asked to run a function and has not run it; -1 where `mmPasid` is: nothing else asks. */
  readonly ipi: number;
  /** One of EXEC_STATE; -1 where no execve() ends other threads. */
  readonly execState: number;
  /** One of CPU_STATE; -1 in machines whose CPUs stay up, like the three below. */
  readonly cpuState: number;
  readonly cr4: number;
  /** XCR0 and IA32_XSS in one word: their bits are of different components. */
  readonly xcr0: number;
  /** The task that suspends the machine while the others are frozen; NOBODY otherwise. */
  readonly frozenBy: number;
}

/** Where a CPU is between going down and having come up. `leaving`: it has been told to go; `dead`: play_dead(); `starting`: on its way. */
export const CPU_STATE = { online: 0, leaving: 1, dead: 2, starting: 3 } as const;

/**
 * What the XSAVE header of an image is like. `fxOnly`: no magic, only the legacy region counts; `reserved`: XRSTOR raises #GP; `absent`: the signal
 * frame has no FPU state at all, for the task had none.
 */
export const HEADER = { valid: 0, fxOnly: 1, reserved: 2, absent: 3 } as const;

/** A thread in execve() waits until the others of its process are dead; those have been killed. */
export const EXEC_STATE = { none: 0, waits: 1, killed: 2 } as const;

/** Where a task is in its life. Values of the field `task.lifecycle`. */
export const LIFECYCLE = { unborn: 0, alive: 1, dead: 2 } as const;

/**
 * The pages of a signal frame. `unknown`: an access will find out whether they are there. `endGone`: all are there but the last, and the frame says that it
 * ends before that.
 */
export const FRAME_PAGES = { unknown: 0, there: 1, gone: 2, endGone: 3 } as const;

/** Locals per frame: numbers that kernel code holds in registers or on its stack. */
export const LOCALS = 2;

/** Words per task in which oracles note what they have reported. */
export const ORACLE_SLOTS = 12;

/** The fields that exist in every machine. Policies and platforms add slots behind them. */
export function coreFields(dimensions: Dimensions): readonly FieldDeclaration[] {
  const components = dimensions.componentBits.length;
  const frames = dimensions.stackDepth;
  const field = (
    name: string,
    space: FieldDeclaration['space'],
    kind: FieldDeclaration['kind'],
    width = 1,
    initial = 0,
  ): FieldDeclaration => ({ name, space, kind, width, initial });
  const signals = [
    field('task.signal-pending', 'task', 'flag'),
    field('task.resume', 'task', 'number', 1, -1),
    field('task.returning', 'task', 'flag'),
    field('task.interrupted', 'task', 'value', components),
    field('task.frame-pages', 'task', 'number'),
  ];
  const updates = [field('task.updating', 'task', 'bits'), field('fpstate.alone', 'fpstate', 'bits')];
  const pasids = [field('task.mm-pasid', 'task', 'value'), ...updates, field('cpu.ipi', 'cpu', 'flag')];
  const hasPasids = dimensions.pasids ?? dimensions.componentBits.includes(PASID);
  const xfd = [field('cpu.xfd', 'cpu', 'bits'), field('cpu.xfd-err', 'cpu', 'bits')];
  const { cr4 = 0, xfeatures = 0 } = dimensions.hotplug ?? dimensions.controls ?? {};
  const controls = [field('cpu.cr4', 'cpu', 'bits', 1, cr4), field('cpu.xcr0', 'cpu', 'bits', 1, xfeatures)];
  const hotplug = [
    field('cpu.state', 'cpu', 'number'),
    ...controls,
    field('kernel.frozen-by', 'machine', 'task', 1, -1),
  ];
  return [
    field('kernel.serial', 'machine', 'number'),
    field('cpu.cr0', 'cpu', 'bits', 1, CR0_BOOT),
    field('cpu.fpregs', 'cpu', 'value', components),
    field('cpu.current', 'cpu', 'task', 1, -1),
    field('task.depth', 'task', 'number'),
    field('task.frame.pc', 'task', 'pc', frames),
    field('task.frame.status', 'task', 'bits', frames),
    field('task.frame.local', 'task', 'number', frames * LOCALS),
    field('task.lifecycle', 'task', 'number'),
    field('task.last-ran', 'task', 'cpu', 1, -1),
    field('task.picked-by', 'task', 'task', 1, -1),
    field('task.sleeping', 'task', 'flag'),
    field('task.architectural', 'task', 'value', components),
    field('task.serial', 'task', 'number'),
    field('task.validity', 'task', 'number'),
    field('task.execed', 'task', 'bits'),
    field('task.reported', 'task', 'bits', ORACLE_SLOTS),
    field('fpstate.image', 'fpstate', 'value', components),
    field('fpstate.allocated', 'fpstate', 'flag', 1, dimensions.fpstateEmbedded ? 1 : 0),
    field('fpstate.xstate-bv', 'fpstate', 'bits'),
    field('fpstate.header', 'fpstate', 'number'),
    ...(dimensions.signals ? signals : []),
    ...(dimensions.dynamicXfeatures ? xfd : []),
    ...(dimensions.borrowedMm ? [field('task.borrowed-mm', 'task', 'flag')] : []),
    ...(dimensions.ptrace ? [field('task.stopped', 'task', 'flag')] : []),
    ...(hasPasids ? pasids : dimensions.updated ? updates : []),
    ...(dimensions.deThreads ? [field('task.exec-state', 'task', 'number')] : []),
    ...(dimensions.hotplug ? hotplug : dimensions.controls ? controls : []),
  ];
}

/** Looks up the core's offsets in a layout. */
export function coreOffsets(layout: StateLayout, dimensions: Dimensions): CoreOffsets {
  const base = (name: string): number => layout.field(name).base;
  const baseIfAny = (name: string): number => layout.find(name)?.base ?? -1;
  const { task: tasks } = dimensions.sizes;
  const kinds = dimensions.fpstateKinds ?? ['task'];
  return {
    components: dimensions.componentBits.length,
    componentBits: dimensions.componentBits,
    indexOfBit: Array.from({ length: 32 }, (_, bit) => dimensions.componentBits.indexOf(bit)),
    stackDepth: dimensions.stackDepth,
    tasks: dimensions.sizes.task,
    cpus: dimensions.sizes.cpu,
    kernelSerial: base('kernel.serial'),
    cr0: base('cpu.cr0'),
    fpregs: base('cpu.fpregs'),
    current: base('cpu.current'),
    pickedBy: base('task.picked-by'),
    depth: base('task.depth'),
    framePc: base('task.frame.pc'),
    frameStatus: base('task.frame.status'),
    frameLocal: base('task.frame.local'),
    lifecycle: base('task.lifecycle'),
    lastRan: base('task.last-ran'),
    sleeping: base('task.sleeping'),
    architectural: base('task.architectural'),
    serial: base('task.serial'),
    validity: base('task.validity'),
    reported: base('task.reported'),
    image: base('fpstate.image'),
    allocated: base('fpstate.allocated'),
    execed: base('task.execed'),
    xstateBv: base('fpstate.xstate-bv'),
    header: base('fpstate.header'),
    firstFpstate: Object.fromEntries(
      FPSTATE_KINDS.map((kind) => [kind, kinds.includes(kind) ? kinds.indexOf(kind) * tasks : -1]),
    ) as Readonly<Record<FpstateKind, number>>,
    vcpuFpstates: kinds.length * tasks,
    signalPending: baseIfAny('task.signal-pending'),
    resume: baseIfAny('task.resume'),
    returning: baseIfAny('task.returning'),
    interrupted: baseIfAny('task.interrupted'),
    framePages: baseIfAny('task.frame-pages'),
    dynamicXfeatures: dimensions.dynamicXfeatures ?? 0,
    updated: dimensions.updated ?? 0,
    xfd: baseIfAny('cpu.xfd'),
    xfdErr: baseIfAny('cpu.xfd-err'),
    borrowedMm: baseIfAny('task.borrowed-mm'),
    stopped: baseIfAny('task.stopped'),
    mmPasid: baseIfAny('task.mm-pasid'),
    updating: baseIfAny('task.updating'),
    alone: baseIfAny('fpstate.alone'),
    ipi: baseIfAny('cpu.ipi'),
    execState: baseIfAny('task.exec-state'),
    cpuState: baseIfAny('cpu.state'),
    cr4: baseIfAny('cpu.cr4'),
    xcr0: baseIfAny('cpu.xcr0'),
    frozenBy: baseIfAny('kernel.frozen-by'),
  };
}

/** A fresh state: nothing has run, every CPU as boot leaves it. */
export function createState(dimensions: Dimensions, slots: readonly FieldDeclaration[]): MachineState {
  const layout = new StateLayout(dimensions.sizes, [...coreFields(dimensions), ...slots]);
  const words = layout.initialState();
  const at = coreOffsets(layout, dimensions);
  const { dynamic } = at.firstFpstate;
  // The larger image is never part of the task.
  if (dynamic >= 0) words.fill(0, at.allocated + dynamic, at.allocated + dynamic + at.tasks);
  // KVM allocates when it creates a vCPU.
  for (const first of [at.firstFpstate.guest, at.firstFpstate.user]) {
    if (first >= 0) words.fill(1, at.allocated + first, at.allocated + first + at.tasks);
  }
  return { words, at, layout };
}

/** One word of a state, by field, instance and element. */
export function readField(state: MachineState, field: Field, instance = 0, element = 0): number {
  return state.words[field.base + instance * field.width + element];
}
