/**
 * Shared virtual addressing: a process that is bound to a device has a PASID, which ENQCMD takes from IA32_PASID of the thread that
 * executes it.
 *
 * Linux 6.1 drivers/iommu/iommu-sva-lib.c iommu_sva_alloc_pasid(); kernel/fork.c mm_init(), __mmput(). The device, and unbinding
 * from it, are left out: from 5.18 on a process keeps its PASID until its mm goes.
 */
import * as events from '../machine/events';
import type { EventStream } from '../machine/stream';
import { LIFECYCLE } from '../machine/state';
import { INIT, PRINCIPAL, valueId } from '../machine/values';

/** Which process is meant, and on which CPU its code runs. */
interface Process {
  readonly cpu: number;
  /** The task that stands for its mm. */
  readonly leader: number;
}

/** `mm->pasid`: INIT where the process has none, and on kernels that do not enable PASID. */
export function pasidOf(stream: EventStream, leader: number): number {
  const { at } = stream.state;
  if (at.mmPasid < 0) return INIT;
  stream.touchedShared = true; // every thread looks at it
  return look(stream, at.mmPasid + leader);
}

/** iommu_sva_alloc_pasid(): the lowest number that is free, unless the process has one already. */
export function allocatePasid(stream: EventStream, { cpu, leader }: Process): void {
  const { at } = stream.state;
  if (at.mmPasid < 0 || pasidOf(stream, leader) !== INIT) return;
  const taken = Array.from({ length: at.tasks }, (_, task) => pasidOf(stream, task));
  let number = 1;
  while (taken.includes(valueId(PRINCIPAL.pasid, number))) number++;
  stream.emit(events.MmPasidWritten, cpu, leader, valueId(PRINCIPAL.pasid, number));
}

/** mm_pasid_drop(), when an mm goes. */
export function dropPasid(stream: EventStream, { cpu, leader }: Process): void {
  if (pasidOf(stream, leader) !== INIT) stream.emit(events.MmPasidWritten, cpu, leader, INIT);
}

/** True while one of the tasks lives, so that the mm that they share stays. */
export function someLives(stream: EventStream, threads: readonly number[]): boolean {
  return threads.some((task) => look(stream, stream.state.at.lifecycle + task) === LIFECYCLE.alive);
}

/** A word that the footprint has to know of. */
function look({ footprint, state }: EventStream, word: number): number {
  footprint?.readWord(word);
  return state.words[word];
}
