/** Oracle of kernels that populate IA32_PASID: is it what the task was given, and the PASID of its own process? */
import type { Slot } from '../kernel/kernel';
import type { EventStream } from '../machine/stream';
import { INIT } from '../machine/values';
import { PASID } from '../x86/components';

/** Who has which PASID. */
export interface Pasids {
  /** The task that stands for the process of a task. */
  processOf(task: number): number;
  /** Per task: the kernel believes that it has filled IA32_PASID, if it remembers that. */
  readonly activated?: Slot | undefined;
}

/** Where to look, and whose process it is. */
export interface PasidUser {
  readonly cpu: number;
  readonly task: number;
  /** The task that stands for its process. */
  readonly leader: number;
}

/**
 * Called when user code of `task` runs on `cpu`. ENQCMD would send the address space of another process to a device where the register
 * holds anything else than the process's PASID. An invalid register is right, and traps, unless the kernel has filled it before: it
 * will not do so again.
 *
 * @returns the PASID that ought to be there; undefined when all is well
 */
export function wrongPasid(stream: EventStream, { cpu, task, leader }: PasidUser): number | undefined {
  const { at } = stream.state;
  const index = at.indexOfBit[PASID];
  const value = look(stream, at.fpregs + cpu * at.components + index);
  const given = look(stream, at.architectural + task * at.components + index);
  if (value === given) return undefined;
  const own = look(stream, at.mmPasid + leader);
  return value === own && value !== INIT ? undefined : given;
}

/**
 * Called when ENQCMD has raised #GP. True when the kernel believes that the register was filled (Linux: `current->pasid_activated`), and
 * will let the task die although its process has a PASID.
 */
export function believesPopulated(stream: EventStream, activated: Slot, { task, leader }: PasidUser): boolean {
  const { at } = stream.state;
  return look(stream, activated.base + task) !== 0 && look(stream, at.mmPasid + leader) !== INIT;
}

/** A word that the footprint has to know of. */
function look({ footprint, state }: EventStream, word: number): number {
  footprint?.readWord(word);
  return state.words[word];
}
