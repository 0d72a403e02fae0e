import {
  forever,
  loop,
  program,
  sse,
  step,
  syscall,
  type BasePolicy,
  type Kernel,
  type Patch,
  type Slot,
} from '@fpulab/core';
import { given, type PolicySpec, type Situation } from '@fpulab/core/testing';
import { bareMetal } from '@fpulab/hypervisor';

/** A policy on bare metal, and programs. */
export function onBareMetal(policy: BasePolicy, situation: Omit<Situation, 'policies' | 'platform'>): PolicySpec {
  return given({ ...situation, policies: [policy], platform: bareMetal() });
}

// --- programs ----------------------------------------------------------------------------------------------------

/** The end of a time slice. */
export const nap = syscall('nanosleep');
/** Computes in one time slice, then sleeps. */
export const slice = [sse.update(), nap];
/** Computes in `count` time slices. */
export const slices = (count: number) => loop(count, ...slice);
/** A task that never uses the FPU. */
export const noFpu = program(forever(nap));

/** `X`, `B`, `X`, `B`, ...: `count` time slices each. */
export const alternate = (a: string, b: string, count: number): string[] =>
  Array.from({ length: 2 * count }, (_, index) => (index % 2 === 0 ? a : b));

// --- observing ---------------------------------------------------------------------------------------------------

/** irq_fpu_usable() as an interrupt that comes now gets it answered. */
export function irqFpuUsableNow(spec: PolicySpec, kind: 'hardirq' | 'softirq' = 'hardirq'): boolean {
  const from = spec.moments.length;
  spec.inject(kind);
  for (;;) {
    spec.step();
    const moment = spec.moments[spec.moments.length - 1];
    if (moment.endsWith('kernel FPU section/kernel_fpu_begin')) return true;
    if (moment.endsWith('/iret')) return false;
    if (spec.moments.length > from + 20) throw new Error(`no answer within 20 steps: ${moment}`);
  }
}

/** How often restores were skipped and done, counted from here on. */
export function countRestores(spec: PolicySpec): { skipped: number; done: number } {
  const counts = { skipped: 0, done: 0 };
  spec.machine.events$.subscribe(({ type }) => {
    if (type === 'fpregs.restore-skipped') counts.skipped++;
    if (type === 'fpregs.restored') counts.done++;
  });
  return counts;
}

// --- patches -----------------------------------------------------------------------------------------------------

/** The slot of a policy by name: patches in tests read and write it. */
export function slotOf(policy: BasePolicy, name: string): Slot {
  const found = policy.slots.find((slot) => slot.name === name);
  if (!found) throw new Error(`no slot '${name}' in ${policy.id}`);
  return found;
}

/** A patch that replaces one step. */
export function replacing(id: string, routine: string, name: string, run: (k: Kernel) => void): Patch {
  const nodes = [step(`${name} (${id})`, run)];
  return { id, title: id, source: 'hypothetical', edits: [{ edit: 'replace', routine, step: name, nodes }] };
}

/** A patch that removes steps of a routine. */
export function removing(id: string, routine: string, ...steps: readonly string[]): Patch {
  return {
    id,
    title: id,
    source: 'hypothetical',
    edits: steps.map((name) => ({ edit: 'remove', routine, step: name })),
  };
}
