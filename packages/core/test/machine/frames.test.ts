import { CONTEXT, CONTEXT_NAMES, contextOf, inInterrupt, irqsOff, isAtomic, statusName } from '@fpulab/core';
import {
  BH_OFF,
  CALLED,
  IRQS_OFF,
  PREEMPT_OFF,
  bhOffDepth,
  enteredStatus,
  inHardirq,
  interruptsBelow,
  preemptOffDepth,
} from '../../src/machine/frames';

const { user, kthread, syscall, exception, softirq, hardirq, nmi, hypervisor } = CONTEXT;

describe('the status word of a frame', () => {
  it('keeps context, interrupts, bottom halves and preemption apart', () => {
    const status = syscall | IRQS_OFF | (2 * BH_OFF) | (3 * PREEMPT_OFF);
    expect(contextOf(status)).toBe(syscall);
    expect(irqsOff(status)).toBe(true);
    expect(bhOffDepth(status)).toBe(2);
    expect(preemptOffDepth(status)).toBe(3);
    expect(status).toBe(0x0003_0212);
  });

  it('names contexts in the order of their numbers', () => {
    expect(CONTEXT_NAMES).toEqual([
      'user',
      'kthread',
      'syscall',
      'exception',
      'softirq',
      'hardirq',
      'nmi',
      'hypervisor',
      'guest',
    ]);
    expect([user, kthread, syscall, exception, softirq, hardirq, nmi, hypervisor]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it.each([
    ['user code', false, user],
    ['a system call', false, syscall],
    ['an exception', false, exception],
    ['a system call with interrupts off', false, syscall | IRQS_OFF],
    ['a system call with preemption off', false, syscall | PREEMPT_OFF],
    ['a system call with bottom halves off', true, syscall | BH_OFF],
    ['a softirq', true, softirq],
    ['a hardirq', true, hardirq],
    ['an NMI', true, nmi],
  ])('in %s, in_interrupt() is %s', (_, expected, status) => {
    expect(inInterrupt(status)).toBe(expected);
  });

  it.each([
    ['user code', false, user],
    ['a system call', false, syscall],
    ['a kernel thread', false, kthread],
    ['interrupts off', true, syscall | IRQS_OFF],
    ['preemption off', true, syscall | PREEMPT_OFF],
    ['bottom halves off', true, syscall | BH_OFF],
    ['a softirq', true, softirq],
    ['a hardirq', true, hardirq],
  ])('in %s, sleeping is a bug: %s', (_, expected, status) => {
    expect(isAtomic(status)).toBe(expected);
  });

  it('a context that interrupts another inherits its counts, not its interrupt flag and not its being called', () => {
    const below = syscall | IRQS_OFF | CALLED | BH_OFF | (2 * PREEMPT_OFF);
    expect(enteredStatus(softirq, below, false)).toBe(softirq | BH_OFF | (2 * PREEMPT_OFF));
    expect(enteredStatus(hardirq, below, true)).toBe(hardirq | IRQS_OFF | BH_OFF | (2 * PREEMPT_OFF));
    expect(enteredStatus(exception, user, true)).toBe(exception | IRQS_OFF);
  });

  it('remembers what is below: an exception in a softirq or hardirq is still in an interrupt', () => {
    const inSoftirq = enteredStatus(exception, softirq, true);
    const inHard = enteredStatus(exception, hardirq | IRQS_OFF, true);
    expect([inInterrupt(inSoftirq), inHardirq(inSoftirq)]).toEqual([true, false]);
    expect([inInterrupt(inHard), inHardirq(inHard)]).toEqual([true, true]);
    expect(isAtomic(inSoftirq & ~IRQS_OFF)).toBe(true);
    const deeper = enteredStatus(hypervisor, enteredStatus(exception, inHard, true), true);
    expect(inHardirq(deeper)).toBe(true);
    expect(inInterrupt(enteredStatus(exception, syscall, true))).toBe(false);
  });

  it.each([
    ['user code', 0, user],
    ['a system call with bottom halves off', 0, syscall | BH_OFF],
    ['a softirq', 1, softirq],
    ['a hardirq', 1, hardirq],
    ['an NMI', 1, nmi],
    ['a hardirq in a softirq', 2, enteredStatus(hardirq, softirq, true)],
    ['an exception in a softirq', 1, enteredStatus(exception, softirq, true)],
    [
      'an exception in a hardirq in a softirq',
      2,
      enteredStatus(exception, enteredStatus(hardirq, softirq, true), true),
    ],
    ['an exception in a system call', 0, enteredStatus(exception, syscall, true)],
  ])('in %s, %i interrupts nest', (_, expected, status) => {
    expect(interruptsBelow(status)).toBe(expected);
  });

  it.each([
    [user, 'user'],
    [syscall | IRQS_OFF, 'syscall irqs-off'],
    [exception | PREEMPT_OFF | CALLED, 'exception preempt-off'],
    [softirq | IRQS_OFF | BH_OFF | PREEMPT_OFF, 'softirq irqs-off bh-off preempt-off'],
  ])('status %i reads: %s', (status, text) => {
    expect(statusName(status)).toBe(text);
  });
});
