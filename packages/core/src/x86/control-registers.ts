/**
 * CR0 and the instructions that change it.
 *
 * Source: Intel SDM Vol. 3A "Control Registers" (2.5); Vol. 2 "CLTS", "LMSW", "SMSW", "MOV - Move to/from Control
 * Registers".
 */

/** CR0.PE, protection enable. */
export const CR0_PE = 1 << 0;
/** CR0.MP, monitor coprocessor: WAIT/FWAIT obey TS. */
export const CR0_MP = 1 << 1;
/** CR0.EM, emulation: no x87 here. */
export const CR0_EM = 1 << 2;
/** CR0.TS, task switched: the next FPU instruction raises #NM. Sticky: no exception clears it, only CLTS, LMSW and MOV CR0. */
export const CR0_TS = 1 << 3;
/** CR0.ET, always 1 on modern processors. */
export const CR0_ET = 1 << 4;
/** CR0.NE, native x87 error reporting. */
export const CR0_NE = 1 << 5;

/** What Linux runs with as far as we model it: PE, MP, ET and NE set, EM clear; TS as boot leaves it: set. */
export const CR0_BOOT = CR0_PE | CR0_MP | CR0_TS | CR0_ET | CR0_NE;

const LMSW_BITS = CR0_PE | CR0_MP | CR0_EM | CR0_TS;

/** CR0 after LMSW: PE, MP, EM and TS are loaded, but PE cannot be cleared. */
export function cr0AfterLmsw(cr0: number, source: number): number {
  return (cr0 & ~LMSW_BITS) | (source & LMSW_BITS) | (cr0 & CR0_PE);
}

/** CR0 with TS set or cleared. */
export function withTs(cr0: number, ts: boolean | number): number {
  return ts ? cr0 | CR0_TS : cr0 & ~CR0_TS;
}
