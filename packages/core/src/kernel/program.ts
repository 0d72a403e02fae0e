/**
 * Programs of tasks: a small typed DSL.
 *
 *     program(mmx.write(), mmx.read(), syscall('nanosleep'), forever(sse.write(), sse.read()))
 */
import { FpuError } from '../error';
import { HEADER } from '../machine/state';
import { AVX, PASID, PKRU, SSE, TILECFG, TILEDATA, X87 } from '../x86/components';
import type { InstructionClass } from '../x86/faults';
import type { GuestOperation } from './guest';
import type { TraceOperation } from './trace-request';

/** System calls that the kernel skeleton knows. */
export type SyscallName =
  | 'getpid'
  | 'nanosleep'
  | 'sched_yield'
  | 'kernel_fpu'
  | 'fork'
  | 'execve'
  | 'exit'
  | 'raise'
  | 'rt_sigreturn'
  | 'ptrace'
  | 'ptrace_stop'
  | 'abort'
  /** copy_to_user() */
  | 'read'
  /** copy_from_user() */
  | 'write'
  /** A kernel FPU section, then copy_from_user(). */
  | 'kernel_fpu_copy'
  /** munmap() of the memory where another thread of the process has its signal frame. */
  | 'munmap'
  /** arch_prctl(ARCH_REQ_XCOMP_PERM) for all that is enabled per task. */
  | 'req_xcomp_perm'
  /** echo 0 > /sys/devices/system/cpu/cpuN/online, for one that is online */
  | 'cpu_down'
  /** echo 1 > /sys/devices/system/cpu/cpuN/online, for one that is not */
  | 'cpu_up'
  /** echo mem > /sys/power/state */
  | 'suspend'
  /** sigaltstack(), with a stack that has no room for what is enabled per task. */
  | 'sigaltstack'
  /** Binds the process to a device that shares its address space, as opening the device does: iommu_sva_bind_device(). */
  | 'sva_bind'
  /** pkey_alloc(): a protection key, and the access rights that the task wants to have with it. */
  | 'pkey_alloc'
  /** mmap(PROT_EXEC) with MAP_POPULATE: a key for memory that can only be executed; then PKRU decides about the pages. */
  | 'mmap_exec'
  /** ioctl(KVM_RUN): see guest.ts. */
  | 'kvm_run';

/** One FPU instruction: its class for CR0's rules, and the components that it reads and writes. */
export interface FpuOperation {
  readonly kind: 'fpu';
  readonly text: string;
  readonly instruction: InstructionClass;
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  /** Components that it puts into INIT state: XRSTOR without them, TILERELEASE. */
  readonly initialises?: readonly number[];
  /** A component without which, in INIT state, the instruction raises #UD; ENQCMD: #GP. */
  readonly needs?: number;
}

/** A signal handler spoils the frame that it will return through. Outside of a handler nothing happens. */
export interface FrameOperation {
  readonly kind: 'frame';
  readonly text: string;
  /**
   * One of HEADER; `unmapped`: the memory is gone; `short`: the end of it is gone, and `xstate_size` says that the frame ends before; `fsave`: the
   * header of 32-bit programs has a new x87 state, the rest is as it was.
   */
  readonly header: number | 'unmapped' | 'short' | 'fsave';
}

/** A system call. `fork` names the task slot that becomes the child, `ptrace` the task that it is about, `kvm_run` the guest. */
export interface SyscallOperation {
  readonly kind: 'syscall';
  readonly text: string;
  readonly name: SyscallName;
  readonly child?: string;
  readonly trace?: TraceOperation;
  readonly guest?: string;
  readonly unmaps?: string;
}

/** A kernel thread calls a kernel function: see kernel-thread.ts. */
export interface KernelOperation {
  readonly kind: 'kernel';
  readonly text: string;
  readonly name:
    'schedule' | 'sleep' | 'kernel_fpu' | 'use_mm' | 'unuse_mm' | 'copy_to_user' | 'copy_from_user' | 'fork';
  readonly child?: string;
}

/** Repeats its body. */
export interface LoopOperation {
  readonly kind: 'loop';
  /** `Infinity` for ever. */
  readonly times: number;
  readonly body: readonly Operation[];
}

/** Any one of the alternatives, by choice. */
export interface EitherOperation {
  readonly kind: 'either';
  readonly alternatives: readonly (readonly Operation[])[];
}

/** What a task does, operation by operation. */
export type Operation =
  FpuOperation | FrameOperation | SyscallOperation | KernelOperation | GuestOperation | LoopOperation | EitherOperation;

function registerOps(name: string, instruction: InstructionClass, components: readonly number[]) {
  return {
    /** Puts a new value into the registers. */
    write: (): FpuOperation => ({ kind: 'fpu', text: `${name}.write`, instruction, reads: [], writes: components }),
    /** Looks at the registers. */
    read: (): FpuOperation => ({ kind: 'fpu', text: `${name}.read`, instruction, reads: components, writes: [] }),
    /** Looks, then computes a new value. */
    update: (): FpuOperation => ({
      kind: 'fpu',
      text: `${name}.update`,
      instruction,
      reads: components,
      writes: components,
    }),
  };
}

/** x87 instructions. */
export const x87 = registerOps('x87', 'x87', [X87]);
/** MMX instructions; their registers are the x87 significands. */
export const mmx = registerOps('mmx', 'mmx', [X87]);
/** SSE instructions on XMM registers. */
export const sse = registerOps('sse', 'sse', [SSE]);
/** 256-bit AVX instructions: the XMM half lies in the SSE component. */
export const avx = registerOps('avx', 'avx', [SSE, AVX]);

const byXsave = { kind: 'fpu', instruction: 'xsave', reads: [], writes: [] } as const;

/** PKRU: WRPKRU and RDPKRU; `initialise` is XRSTOR with PKRU's bit of XSTATE_BV clear. */
export const pkru = {
  ...registerOps('pkru', 'pkru', [PKRU]),
  initialise: (): FpuOperation => ({
    kind: 'fpu',
    text: 'pkru.initialise',
    instruction: 'xsave',
    reads: [],
    writes: [],
    initialises: [PKRU],
  }),
  /** XRSTOR of PKRU: works without CR4.PKE, too. */
  xrstor: (): FpuOperation => ({ ...byXsave, text: 'pkru.xrstor', writes: [PKRU] }),
  /** XSAVE of PKRU. */
  xsave: (): FpuOperation => ({ ...byXsave, text: 'pkru.xsave', reads: [PKRU] }),
};

const tile = registerOps('amx', 'amx', [TILEDATA]);

/**
 * AMX: TILELOADD, TILESTORED, and tile arithmetic, which raise #UD while no tiles are configured and #NM while IA32_XFD
 * disables TILEDATA. `configure` is LDTILECFG, which clears the tiles and raises no #NM; `release` is TILERELEASE.
 */
export const amx = {
  write: (): FpuOperation => ({ ...tile.write(), needs: TILECFG }),
  read: (): FpuOperation => ({ ...tile.read(), needs: TILECFG }),
  update: (): FpuOperation => ({ ...tile.update(), needs: TILECFG }),
  configure: (): FpuOperation => ({
    kind: 'fpu',
    text: 'amx.configure',
    instruction: 'amx',
    reads: [],
    writes: [TILECFG],
    initialises: [TILEDATA],
  }),
  release: (): FpuOperation => ({
    kind: 'fpu',
    text: 'amx.release',
    instruction: 'amx',
    reads: [],
    writes: [],
    initialises: [TILECFG, TILEDATA],
  }),
};

/**
 * ENQCMD: sends a command with the PASID of the process to a device. #GP while IA32_PASID has no valid PASID, which is its INIT state
 * (Intel SDM Vol. 2A "ENQCMD - Enqueue Command"). CR0.TS is nothing to it.
 */
export const enqcmd = (): FpuOperation => ({
  kind: 'fpu',
  text: 'enqcmd',
  instruction: 'enqcmd',
  reads: [PASID],
  writes: [],
  needs: PASID,
});

/**
 * In a signal handler: the frame loses its magic (`fx-only`), gets a header that XRSTOR refuses (`forged`), or its memory goes: all of it
 * (`unmapped`), or the end (`short`), with an `xstate_size` that says so. `fsave`: a 32-bit program puts a new x87 state into the FSAVE header.
 */
export const frame = (how: 'fx-only' | 'forged' | 'unmapped' | 'short' | 'fsave'): FrameOperation => ({
  kind: 'frame',
  text: `frame.${how}`,
  header: how === 'forged' ? HEADER.reserved : how === 'fx-only' ? HEADER.fxOnly : how,
});

/** WAIT/FWAIT: touches no register, traps with TS only if MP is set. */
export function fwait(): FpuOperation {
  return { kind: 'fpu', text: 'fwait', instruction: 'wait', reads: [], writes: [] };
}

/** A system call. */
export function syscall(
  name: Exclude<SyscallName, 'fork' | 'rt_sigreturn' | 'ptrace' | 'kvm_run' | 'munmap'>,
): SyscallOperation {
  return { kind: 'syscall', text: name, name };
}

/** fork(): the task slot `child` of the scenario comes to life and runs its own program. */
export function fork(child: string): SyscallOperation {
  return { kind: 'syscall', text: `fork(${child})`, name: 'fork', child };
}

/** munmap(): the pages of the signal frame of another thread of the same process are gone. */
export function munmapFrame(of: string): SyscallOperation {
  return { kind: 'syscall', text: `munmap(frame of ${of})`, name: 'munmap', unmaps: of };
}

/** The body, `times` times. */
export function loop(times: number, ...body: readonly Operation[]): LoopOperation {
  return { kind: 'loop', times, body };
}

/** The body, for ever. */
export function forever(...body: readonly Operation[]): LoopOperation {
  return { kind: 'loop', times: Infinity, body };
}

/** One of the operations, by choice each time. */
export function either(...alternatives: readonly Operation[]): EitherOperation {
  return { kind: 'either', alternatives: alternatives.map((operation) => [operation]) };
}

/** A program: its operations in order, then exit(). */
export function program(...operations: readonly Operation[]): readonly Operation[] {
  return operations;
}

/** A compiled operation; `next` is where the program goes on. `either` goes to one of `targets`. */
export type CompiledOperation =
  | (FpuOperation & { readonly next: number })
  | (FrameOperation & { readonly next: number })
  | (SyscallOperation & { readonly next: number })
  | (KernelOperation & { readonly next: number })
  | (GuestOperation & { readonly next: number })
  | { readonly kind: 'either'; readonly text: string; readonly targets: readonly number[]; readonly next: number };

const UNROLL_LIMIT = 4096;

/**
 * Flattens a program: loops with a count are unrolled, endless ones jump back, the end is exit().
 *
 * @throws FpuError FPU208 for an endless loop with nothing in it, an either() without alternatives, a bad count, or more than
 *   4,096 operations
 */
export function compileProgram(operations: readonly Operation[]): readonly CompiledOperation[] {
  return compileTask(operations).code;
}

/** A compiled program with the handler behind it. */
export interface CompiledTask {
  readonly code: readonly CompiledOperation[];
  /** First operation of the signal handler; -1 where there is none. */
  readonly handler: number;
}

/**
 * Flattens the program of a task and its signal handler, which ends with rt_sigreturn().
 *
 * @throws FpuError FPU208 as compileProgram does
 */
export function compileTask(operations: readonly Operation[], handler?: readonly Operation[]): CompiledTask {
  const code: CompiledOperation[] = [];
  const emit = (operation: CompiledOperation): number => {
    if (code.length >= UNROLL_LIMIT) {
      throw new FpuError(
        'FPU208',
        `a program of more than ${UNROLL_LIMIT} operations; use forever() instead of loop()`,
      );
    }
    return code.push(operation) - 1;
  };
  /** Compiles backwards would be shorter; forwards with patching keeps the order a reader expects. */
  const block = (body: readonly Operation[]): void => {
    for (const operation of body) {
      switch (operation.kind) {
        case 'fpu':
        case 'frame':
        case 'syscall':
        case 'kernel':
        case 'guest':
          emit({ ...operation, next: code.length + 1 });
          break;
        case 'loop':
          loopBlock(operation);
          break;
        case 'either':
          eitherBlock(operation);
          break;
      }
    }
  };
  const loopBlock = ({ times, body }: LoopOperation): void => {
    if (times !== Infinity) {
      if (!Number.isInteger(times) || times < 0) throw new FpuError('FPU208', `loop() needs a count, found ${times}`);
      for (let turn = 0; turn < times; turn++) {
        const before = code.length;
        block(body);
        if (code.length === before) return; // nothing in it, however often
      }
      return;
    }
    if (mayDoNothing(body)) {
      throw new FpuError('FPU208', 'forever() needs at least one operation on every way through it');
    }
    const start = code.length;
    block(body);
    retarget(code, start, code.length, start);
  };
  const eitherBlock = ({ alternatives }: EitherOperation): void => {
    if (alternatives.length === 0) throw new FpuError('FPU208', 'either() needs at least one alternative');
    const targets: number[] = [];
    const at = emit({ kind: 'either', text: 'either', targets, next: -1 });
    const bounds = alternatives.map((alternative) => {
      targets.push(code.length);
      block(alternative);
      return code.length;
    });
    let from = at + 1;
    bounds.forEach((to, alternative) => {
      retarget(code, from, to, code.length);
      if (from === to) targets[alternative] = code.length; // an alternative with nothing in it goes on behind all
      from = to;
    });
  };
  block(operations);
  code.push({ ...syscall('exit'), next: code.length });
  if (handler === undefined) return { code, handler: -1 };
  const start = code.length;
  block(handler);
  code.push({ kind: 'syscall', text: 'rt_sigreturn', name: 'rt_sigreturn', next: code.length });
  return { code, handler: start };
}

/** True when a way leads through these operations on which nothing happens. */
function mayDoNothing(operations: readonly Operation[]): boolean {
  return operations.every((operation) => {
    switch (operation.kind) {
      case 'fpu':
      case 'frame':
      case 'syscall':
      case 'kernel':
      case 'guest':
        return false;
      case 'loop':
        return operation.times === 0 || (operation.times !== Infinity && mayDoNothing(operation.body));
      case 'either':
        return operation.alternatives.some(mayDoNothing);
    }
  });
}

/** Within [from, to): whoever would go on at `to` goes to `target` instead. */
function retarget(code: CompiledOperation[], from: number, to: number, target: number): void {
  for (let index = from; index < to; index++) {
    const operation = code[index];
    if (operation.kind === 'either') {
      const targets = operation.targets.map((next) => (next === to ? target : next));
      code[index] = { ...operation, targets };
    } else if (operation.next === to) code[index] = { ...operation, next: target };
  }
}

/** Components and instruction classes that a program needs. */
export function programNeeds(operations: readonly Operation[]): ReadonlySet<InstructionClass> {
  return new Set(simpleOperations(operations).flatMap((one) => (one.kind === 'fpu' ? [one.instruction] : [])));
}

/** An operation that is no loop and no choice. */
export type SimpleOperation = Exclude<Operation, LoopOperation | EitherOperation>;

/** The operations in a program, in order; those of loops once. */
export function simpleOperations(operations: readonly Operation[]): readonly SimpleOperation[] {
  return operations.flatMap((operation) => {
    if (operation.kind === 'loop') return simpleOperations(operation.body);
    return operation.kind === 'either' ? operation.alternatives.flatMap(simpleOperations) : [operation];
  });
}
