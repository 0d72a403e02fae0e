/**
 * Supervisor components and the MSRs that they are.
 *
 * Source: Intel SDM Vol. 1 "PT State" (13.5.6), "CET State" (13.5.9), "User-Interrupt State" (13.5.11), "LBR State" (13.5.12);
 * Vol. 4 for the MSRs' reserved bits.
 */
import { CET_S, CET_U, COMPONENTS, HDC, HWP, PASID, UINTR } from '../components';
import type { CpuModel } from '../cpu-model';

/** Bits that an MSR does not have, and whether it holds an address that must be canonical. */
interface MsrRule {
  readonly reserved: bigint;
  readonly canonical: boolean;
}

const bits = (high: number, low: number): bigint => ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
const address = (reserved = 0n): MsrRule => ({ reserved, canonical: true });
const number = (reserved = 0n): MsrRule => ({ reserved, canonical: false });

/** By MSR. IA32_U_CET: its bitmap address is canonical; SUPPRESS and TRACKER together are checked apart. */
const MSR_RULES: Readonly<Record<number, MsrRule>> = {
  0x6a0: address(bits(9, 6)),
  0x6a2: address(bits(9, 6)),
  0x6a4: address(bits(1, 0)),
  0x6a5: address(bits(1, 0)),
  0x6a6: address(bits(1, 0)),
  0x6a7: address(bits(1, 0)),
  0x985: number(),
  0x986: address(),
  0x987: address(),
  0x988: number(bits(63, 40)),
  0x989: address(bits(5, 0)),
  0x98a: address(bits(3, 1)),
  0xd93: number(bits(63, 32) | bits(30, 20)),
  0xdb1: number(bits(63, 1)),
  0x774: number(bits(58, 43)),
};
const CET_SUPPRESS_AND_TRACKER = bits(11, 10);
const IA32_UINTR_MISC = 0x988;
/** In an image the user-interrupt flag is bit 63 of IA32_UINTR_MISC; the MSR does not have it. */
const UIF = 1n << 63n;
const CHECKED = [PASID, CET_U, CET_S, HDC, UINTR, HWP];

/** True when WRMSR of this value raises #GP(0). MSRs without a rule here take everything. */
export function isRefusedByMsr(model: CpuModel, msr: number, value: bigint): boolean {
  const rule = MSR_RULES[msr];
  if (!rule) return false;
  if (value & rule.reserved || (rule.canonical && !isCanonical(model, value))) return true;
  return (msr === 0x6a0 || msr === 0x6a2) && (value & CET_SUPPRESS_AND_TRACKER) === CET_SUPPRESS_AND_TRACKER;
}

/** Canonical for the widest addresses that the processor has, whether or not CR4.LA57 is set (SDM Vol. 1, 13.5.11). */
function isCanonical(model: CpuModel, value: bigint): boolean {
  const [, , ecx] = model.cpuid['7.0'] ?? [0, 0, 0, 0];
  const width = ecx & (1 << 16) ? 57 : 48;
  return BigInt.asUintN(64, BigInt.asIntN(width, value)) === value;
}

/** True when XRSTORS refuses the image of a component with #GP(0). */
export function supervisorImageFault(model: CpuModel, bit: number, image: Uint8Array): boolean {
  if (!CHECKED.includes(bit)) return false;
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  return (COMPONENTS[bit].msrs ?? []).some((msr, index) => {
    const value = view.getBigUint64(8 * index, true);
    return isRefusedByMsr(model, msr, withoutUif(msr, value));
  });
}

/** The part of an image's eight bytes that the MSR shows. */
export function withoutUif(msr: number, value: bigint): bigint {
  return msr === IA32_UINTR_MISC ? value & ~UIF : value;
}

const LBR_DEPTH = { from: 8, to: 16 };
const LBR_ENTRIES_OFFSET = 40;

/** LBR state put into its initial configuration: IA32_LBR_DEPTH stays. */
export function lbrAfterInit(before: Uint8Array): Uint8Array {
  const value = new Uint8Array(before.length);
  value.set(before.subarray(LBR_DEPTH.from, LBR_DEPTH.to), LBR_DEPTH.from);
  return value;
}

/** LBR state loaded from an image: another depth than the processor's clears the branch records and stays as it is. */
export function lbrAfterLoad(before: Uint8Array, image: Uint8Array): Uint8Array {
  const sameDepth = image
    .subarray(LBR_DEPTH.from, LBR_DEPTH.to)
    .every((byte, index) => byte === before[LBR_DEPTH.from + index]);
  if (sameDepth) return image;
  const value = image.slice().fill(0, LBR_ENTRIES_OFFSET);
  value.set(before.subarray(LBR_DEPTH.from, LBR_DEPTH.to), LBR_DEPTH.from);
  return value;
}

/** Where a component keeps an MSR. */
export function componentOfMsr(msr: number): { readonly bit: number; readonly offset: number } | undefined {
  const component = COMPONENTS.find(({ msrs }) => msrs?.includes(msr));
  return component && { bit: component.bit, offset: 8 * (component.msrs ?? []).indexOf(msr) };
}
