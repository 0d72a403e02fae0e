/** What a tracer asks of ptrace(): which register set, and what the image is like that it writes. */
import { FpuError } from '../error';
import { SSE, USER_COMPONENTS, X87 } from '../x86/components';
import { hasFeature, type CpuModel } from '../x86/cpu-model';
import type { SyscallOperation } from './program';

/**
 * Register sets. `fpregs`: PTRACE_GETFPREGS, which for 64-bit programs is the FXSAVE image that NT_PRXFPREG, `xfpregs`, is too;
 * `xstate`: NT_X86_XSTATE, a standard XSAVE image with all user components.
 */
export const REGSETS = ['fpregs', 'xfpregs', 'xstate'] as const;

/** One of REGSETS. */
export type Regset = (typeof REGSETS)[number];

/**
 * What a tracer does. Three write NT_X86_XSTATE with a bad image: bytes 16 to 63 of its header are not 0; its XCOMP_BV is
 * not 0; its length is no multiple of 8 bytes. `write-dynamic`: its XSTATE_BV marks all that the kernel enables, also what is enabled per task and the target
 * may have no room for; `write` marks what the target has.
 */
export const TRACE_REQUESTS = [
  'cont',
  'read',
  'write',
  'write-reserved',
  'write-xcomp-bv',
  'write-truncated',
  'write-dynamic',
] as const;

/** One of TRACE_REQUESTS. */
export type TraceRequest = (typeof TRACE_REQUESTS)[number];

/** The header of an image that a tracer writes; `none`: FXSAVE images have none. */
export const TRACED_HEADER = { none: 0, good: 1, reserved: 2, xcompBv: 3 } as const;

/** A tracer's request, as an operation of its program carries it. */
export interface TraceOperation {
  /** Name of the task whose registers it is about. */
  readonly target: string;
  readonly request: TraceRequest;
  readonly regset: Regset;
}

/**
 * ptrace(): the task reads or writes registers of `target`, or lets it go on. Unless the target is stopped, the request fails with
 * ESRCH and does nothing.
 *
 * @throws FpuError FPU208 for a bad image of a register set that has no header
 */
export function ptrace(target: string, request: TraceRequest, regset: Regset = 'xstate'): SyscallOperation {
  if (regset !== 'xstate' && XSTATE_ONLY.has(request)) {
    throw new FpuError('FPU208', `ptrace('${target}', '${request}') is about NT_X86_XSTATE, not about ${regset}`, {
      request,
      regset,
    });
  }
  const text = request === 'cont' ? `ptrace(${target}, cont)` : `ptrace(${target}, ${request} ${regset})`;
  return { kind: 'syscall', text, name: 'ptrace', trace: { target, request, regset } };
}

const XSTATE_ONLY: ReadonlySet<TraceRequest> = new Set([
  'write-reserved',
  'write-xcomp-bv',
  'write-truncated',
  'write-dynamic',
]);

/** A request as a number that fits a local. */
export function traceCode({ request, regset }: Pick<TraceOperation, 'request' | 'regset'>): number {
  return TRACE_REQUESTS.indexOf(request) * REGSETS.length + REGSETS.indexOf(regset);
}

/** The request that a number stands for. */
export function requestOf(code: number): TraceRequest {
  return TRACE_REQUESTS[Math.floor(code / REGSETS.length)];
}

/** Components that a register set shows of those that the kernel enables. */
export function regsetComponents(code: number, xfeatures: number): number {
  const isWhole = REGSETS[code % REGSETS.length] === 'xstate';
  return xfeatures & (isWhole ? USER_COMPONENTS : (1 << X87) | (1 << SSE));
}

/** The header of the image that a request writes: one of TRACED_HEADER. */
export function tracedHeader(code: number): number {
  if (REGSETS[code % REGSETS.length] !== 'xstate') return TRACED_HEADER.none;
  switch (requestOf(code)) {
    case 'write-reserved':
      return TRACED_HEADER.reserved;
    case 'write-xcomp-bv':
      return TRACED_HEADER.xcompBv;
    default:
      return TRACED_HEADER.good;
  }
}

/** False where the register set does not exist: -ENODEV. NT_PRXFPREG needs FXSAVE, NT_X86_XSTATE XSAVE. */
export function hasRegset(model: CpuModel, code: number): boolean {
  switch (REGSETS[code % REGSETS.length]) {
    case 'fpregs':
      return true;
    case 'xfpregs':
      return hasFeature(model, 'fxsr');
    case 'xstate':
      return hasFeature(model, 'xsave');
  }
}
