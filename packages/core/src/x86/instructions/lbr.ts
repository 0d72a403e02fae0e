/**
 * The LBR component: IA32_LBR_DEPTH is in it, but takes part neither in its initial configuration nor in a load.
 *
 * Source: Intel SDM Vol. 1 "LBR State" (13.5.12).
 */

const LBR_DEPTH = { from: 8, to: 16 };
const LBR_ENTRIES_OFFSET = 40;
const LBR_ENTRY_BYTES = 24;

/** Bytes of the LBR component that a save writes: the records of entries at and above IA32_LBR_DEPTH are not (SDM Vol. 1, 13.5.12). */
export function lbrStoredBytes(lbr: Uint8Array): number {
  return Math.min(lbr.length, LBR_ENTRIES_OFFSET + LBR_ENTRY_BYTES * lbr[LBR_DEPTH.from]);
}

/** LBR state put into its initial configuration: IA32_LBR_DEPTH stays. */
export function lbrAfterInit(before: Uint8Array): Uint8Array {
  const value = new Uint8Array(before.length);
  value.set(before.subarray(LBR_DEPTH.from, LBR_DEPTH.to), LBR_DEPTH.from);
  return value;
}

/** True when an image has the depth that the processor has. */
export function sameLbrDepth(before: Uint8Array, image: Uint8Array): boolean {
  const depth = image.subarray(LBR_DEPTH.from, LBR_DEPTH.to);
  return depth.every((byte, index) => byte === before[LBR_DEPTH.from + index]);
}

/** LBR state loaded from an image of another depth: the processor's depth stays, the branch records are cleared. */
export function lbrOfOtherDepth(before: Uint8Array, image: Uint8Array): Uint8Array {
  const value = image.slice().fill(0, LBR_ENTRIES_OFFSET);
  value.set(before.subarray(LBR_DEPTH.from, LBR_DEPTH.to), LBR_DEPTH.from);
  return value;
}
