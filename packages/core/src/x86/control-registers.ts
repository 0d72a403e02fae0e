/**
 * Control registers and the instructions that change them.
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
/** CR0.WP, write protect. */
export const CR0_WP = 1 << 16;
/** CR0.AM, alignment mask: EFLAGS.AC counts at CPL 3. */
export const CR0_AM = 1 << 18;
/** CR0.NW, not write-through. */
export const CR0_NW = 1 << 29;
/** CR0.CD, cache disable. */
export const CR0_CD = 1 << 30;
/** CR0.PG, paging. Unsigned: it is bit 31. */
export const CR0_PG = 2 ** 31;

/** CR4.PAE, physical-address extension. */
export const CR4_PAE = 1 << 5;
/** CR4.OSFXSR: FXSAVE and FXRSTOR move XMM, SSE instructions are available. */
export const CR4_OSFXSR = 1 << 9;
/** CR4.OSXMMEXCPT: unmasked SIMD exceptions raise #XM rather than #UD. */
export const CR4_OSXMMEXCPT = 1 << 10;
/** CR4.UMIP: SMSW and its like need CPL 0. */
export const CR4_UMIP = 1 << 11;
/** CR4.LA57, 57-bit linear addresses. */
export const CR4_LA57 = 1 << 12;
/** CR4.PCIDE, process-context identifiers. */
export const CR4_PCIDE = 1 << 17;
/** CR4.OSXSAVE: XSAVE, XRSTOR, XGETBV and XSETBV are available. */
export const CR4_OSXSAVE = 1 << 18;
/** CR4.PKE: protection keys, RDPKRU and WRPKRU. */
export const CR4_PKE = 1 << 22;
/** CR4.CET, control-flow enforcement. */
export const CR4_CET = 1 << 23;

/** EFER.LME: long mode is enabled. */
export const EFER_LME = 1 << 8;
/** EFER.LMA: long mode is active. */
export const EFER_LMA = 1 << 10;
/** EFER.FFXSR (AMD): FXSAVE and FXRSTOR leave XMM alone at CPL 0 in 64-bit mode. */
export const EFER_FFXSR = 1 << 14;

/** What Linux runs with as far as we model it: PE, MP, ET and NE set, EM clear; TS as boot leaves it: set. */
export const CR0_BOOT = CR0_PE | CR0_MP | CR0_TS | CR0_ET | CR0_NE;

/** What INIT and RESET leave of CR0, as far as we model it: ET alone. Intel SDM Vol. 3A "Processor State After Reset" (10.1.1). */
export const CR0_RESET = CR0_ET;
/** With what Linux enters its code for secondary CPUs (CR0_STATE): TS and EM are clear. */
export const CR0_STARTUP = CR0_PE | CR0_MP | CR0_ET | CR0_NE;

const LMSW_BITS = CR0_PE | CR0_MP | CR0_EM | CR0_TS;

/** CR0 after LMSW: PE, MP, EM and TS are loaded, but PE cannot be cleared. */
export function cr0AfterLmsw(cr0: number, source: number): number {
  return (cr0 & ~LMSW_BITS) | (source & LMSW_BITS) | (cr0 & CR0_PE);
}

/** CR0 with TS set or cleared. */
export function withTs(cr0: number, ts: boolean | number): number {
  return ts ? cr0 | CR0_TS : cr0 & ~CR0_TS;
}
