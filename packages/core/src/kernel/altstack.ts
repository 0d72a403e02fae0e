/**
 * Does a signal frame fit the alternate stack of its handler? Programs took MINSIGSTKSZ for enough, and since AVX-512 it is not.
 *
 * Linux get_sigframe(): the FPU part below the top of the stack, then the rest. 2beb4a53fc3f (5.14) made the kernel look whether that is still on the
 * stack when a handler enters it; before it looked only for handlers that interrupt one on the same stack.
 */
import type { Abi } from './abi';
import { allocMathframe, type SignalContext } from './signal-frame';

/** What <signal.h> called enough for a handler: bytes. */
export const MINSIGSTKSZ = 2048;

/** sizeof(struct rt_sigframe), rt_sigframe_x32, rt_sigframe_ia32: what lies below the FPU part. */
const REST_BYTES: Readonly<Record<Abi, bigint>> = { 'x86-64': 440n, x32: 424n, ia32: 268n };

/**
 * Whether a frame fits an alternate stack of so many bytes.
 *
 * @see Linux 6.1 kernel/signal.c get_sigframe(), align_sigframe(), __on_sig_stack()
 */
export function frameFits(stackBytes: number, abi: Abi, context: SignalContext): boolean {
  const { buf } = allocMathframe(BigInt(stackBytes), context);
  const below = buf - REST_BYTES[abi];
  const sp = abi === 'ia32' ? ((below + 4n) & -16n) - 4n : (below & -16n) - 8n;
  return sp > 0n;
}
