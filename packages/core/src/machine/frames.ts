/**
 * The status word of a frame: which context it runs in and what is masked there.
 *
 * A task's stack holds its user code at the bottom, then contexts (a system call, an exception, interrupts, the
 * hypervisor) and the routines they call. Three masks are kept apart, because kernels confuse them: interrupts off,
 * bottom halves off, preemption off.
 */

/** What a frame is: user code, a context that interrupted something, or the hypervisor under the guest kernel. */
export const CONTEXT = {
  user: 0,
  kthread: 1,
  syscall: 2,
  exception: 3,
  softirq: 4,
  hardirq: 5,
  nmi: 6,
  hypervisor: 7,
  /** Guest mode of KVM: interrupts make the processor leave it, whatever the masks below say. */
  guest: 8,
} as const;

/** One of the values of `CONTEXT`. */
export type Context = (typeof CONTEXT)[keyof typeof CONTEXT];

/** Names of contexts, by value. */
export const CONTEXT_NAMES: readonly string[] = Object.keys(CONTEXT);

const CONTEXT_MASK = 0xf;
/** Interrupts are off (Xen PV: event delivery is masked). */
export const IRQS_OFF = 1 << 4;
/** The frame was called by the frame below it; it is no context of its own. */
export const CALLED = 1 << 5;
/** A softirq is below this context, which interrupted it (an exception, a hardirq). */
export const IN_SOFTIRQ = 1 << 6;
/** A hardirq or NMI is below this context. */
export const IN_HARDIRQ = 1 << 7;
const BH_SHIFT = 8;
const PREEMPT_SHIFT = 16;
const COUNT_MASK = 0xff;

/** One level of local_bh_disable(). */
export const BH_OFF = 1 << BH_SHIFT;
/** One level of preempt_disable(). */
export const PREEMPT_OFF = 1 << PREEMPT_SHIFT;

/** The context that a frame runs in. */
export function contextOf(status: number): Context {
  return (status & CONTEXT_MASK) as Context;
}

/** True for a routine that the frame below it called; false for a context of its own. */
export function isCalled(status: number): boolean {
  return (status & CALLED) !== 0;
}

/** True when interrupts are off. */
export function irqsOff(status: number): boolean {
  return (status & IRQS_OFF) !== 0;
}

/** How often bottom halves were disabled. */
export function bhOffDepth(status: number): number {
  return (status >>> BH_SHIFT) & COUNT_MASK;
}

/** How often preemption was disabled. */
export function preemptOffDepth(status: number): number {
  return (status >>> PREEMPT_SHIFT) & COUNT_MASK;
}

/** in_irq() or in_nmi(): a hardirq runs, or something that interrupted it. */
export function inHardirq(status: number): boolean {
  const context = contextOf(status);
  return context === CONTEXT.hardirq || context === CONTEXT.nmi || (status & IN_HARDIRQ) !== 0;
}

/** in_interrupt(): a softirq or hardirq runs, or is below, or bottom halves are off. Linux 3.6 preempt_count() & (HARDIRQ | SOFTIRQ | NMI). */
export function inInterrupt(status: number): boolean {
  return (
    contextOf(status) === CONTEXT.softirq || (status & IN_SOFTIRQ) !== 0 || inHardirq(status) || bhOffDepth(status) > 0
  );
}

/** How many interrupts (softirqs, hardirqs) nest in and below this context. */
export function interruptsBelow(status: number): number {
  const softirq = contextOf(status) === CONTEXT.softirq || (status & IN_SOFTIRQ) !== 0;
  return (softirq ? 1 : 0) + (inHardirq(status) ? 1 : 0);
}

/** in_atomic() or irqs_disabled(): sleeping is a bug here. */
export function isAtomic(status: number): boolean {
  return irqsOff(status) || preemptOffDepth(status) > 0 || inInterrupt(status);
}

/** The status of a context that interrupts `below`: counts and interrupts are inherited, as preempt_count is per task. */
export function enteredStatus(context: Context, below: number, interruptsOff: boolean): number {
  const inherited = below & ~(CONTEXT_MASK | IRQS_OFF | CALLED);
  return context | (interruptsOff ? IRQS_OFF : 0) | inherited | interruptBit(contextOf(below));
}

function interruptBit(context: Context): number {
  if (context === CONTEXT.softirq) return IN_SOFTIRQ;
  return context === CONTEXT.hardirq || context === CONTEXT.nmi ? IN_HARDIRQ : 0;
}

/** `syscall irqs-off preempt-off` for people. */
export function statusName(status: number): string {
  const words = [CONTEXT_NAMES[contextOf(status)]];
  if (irqsOff(status)) words.push('irqs-off');
  if (bhOffDepth(status) > 0) words.push('bh-off');
  if (preemptOffDepth(status) > 0) words.push('preempt-off');
  return words.join(' ');
}
