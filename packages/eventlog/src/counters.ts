import type { MachineEvent } from '@fpulab/core';

/** What a run cost. */
export interface Counters {
  /** Writes of registers to an image, the hypervisor's included. */
  readonly saves: number;
  /** Loads of registers from an image, the hypervisor's included. */
  readonly restores: number;
  /** Restores that were left out because the registers were believed to be valid. */
  readonly restoresSkipped: number;
  /** Exceptions that the processor raised. */
  readonly traps: number;
  readonly cr0Writes: number;
  /** Writes of IA32_XFD and IA32_XFD_ERR by the kernel. */
  readonly msrWrites: number;
  readonly bytesSaved: number;
  readonly bytesRestored: number;
}

/** Counters before the first event. */
export const NO_COUNTS: Counters = {
  saves: 0,
  restores: 0,
  restoresSkipped: 0,
  traps: 0,
  cr0Writes: 0,
  msrWrites: 0,
  bytesSaved: 0,
  bytesRestored: 0,
};

const COUNTED: Readonly<Record<string, (counters: Counters, data: MachineEvent['data'], by: string) => Counters>> = {
  'fpregs.saved': (c, { bytes }) => ({ ...c, saves: c.saves + 1, bytesSaved: c.bytesSaved + bytes }),
  'fpregs.restored': (c, { bytes }) => ({ ...c, restores: c.restores + 1, bytesRestored: c.bytesRestored + bytes }),
  'fpregs.restore-skipped': (c) => ({ ...c, restoresSkipped: c.restoresSkipped + 1 }),
  'trap.raised': (c) => ({ ...c, traps: c.traps + 1 }),
  'cr0.written': (c) => ({ ...c, cr0Writes: c.cr0Writes + 1 }),
  'xfd.written': (c) => ({ ...c, msrWrites: c.msrWrites + 1 }),
  'xss.written': (c) => ({ ...c, msrWrites: c.msrWrites + 1 }),
  'xfd.err-written': (c, _data, by) => (by === 'hardware' ? c : { ...c, msrWrites: c.msrWrites + 1 }),
};

/** The counters after one more event; a reducer for lists and for RxJS. */
export function countEvent(counters: Counters, event: MachineEvent): Counters {
  return COUNTED[event.type]?.(counters, event.data, event.by) ?? counters;
}

/** The counters of a whole run. */
export function countEvents(events: readonly MachineEvent[]): Counters {
  return events.reduce(countEvent, NO_COUNTS);
}
