/**
 * Supervisor components and the MSRs that they are.
 *
 * Source: Intel SDM Vol. 1 "PT State" (13.5.6), "CET State" (13.5.9), "User-Interrupt State" (13.5.11), "LBR State" (13.5.12);
 * Vol. 4 for the MSRs' reserved bits.
 */
import { COMPONENTS } from '../components';
import { cpuidBit, type CpuModel } from '../cpu-model';

/** Bits that an MSR does not have, and whether it holds an address that must be canonical. */
interface MsrRule {
  readonly reserved: bigint;
  readonly canonical: boolean;
}

const bits = (high: number, low: number): bigint => ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
const address = (reserved = 0n): MsrRule => ({ reserved, canonical: true });
const number = (reserved = 0n): MsrRule => ({ reserved, canonical: false });

const IA32_U_CET = 0x6a0;

/** By MSR. What IA32_U_CET and IA32_LBR_DEPTH refuse beyond reserved bits is checked apart. */
const MSR_RULES: Readonly<Record<number, MsrRule>> = {
  [IA32_U_CET]: address(bits(9, 6)),
  0x6a4: address(bits(1, 0)), // IA32_PL0_SSP to IA32_PL3_SSP
  0x6a5: address(bits(1, 0)),
  0x6a6: address(bits(1, 0)),
  0x6a7: address(bits(1, 0)),
  0x774: number(bits(58, 43)), // IA32_HWP_REQUEST
  0x985: number(), // IA32_UINTR_RR
  0x986: address(), // IA32_UINTR_HANDLER
  0x987: address(), // IA32_UINTR_STACKADJUST
  0x988: number(bits(63, 40)), // IA32_UINTR_MISC
  0x989: address(bits(5, 0)), // IA32_UINTR_PD
  0x98a: address(bits(3, 1)), // IA32_UINTR_TT
  0xd93: number(bits(63, 32) | bits(30, 20)), // IA32_PASID
  0xdb1: number(bits(63, 1)), // IA32_PM_CTL1
  0x14ce: number(bits(63, 23) | bits(15, 4)), // IA32_LBR_CTL
};
const CET_SUPPRESS_AND_TRACKER = bits(11, 10);
const CET_SHADOW_STACK_BITS = bits(1, 0);
const CET_IBT_BITS = bits(63, 10) | bits(5, 2);
const IA32_LBR_DEPTH = 0x14cf;
const IA32_UINTR_MISC = 0x988;
/** In an image the user-interrupt flag is bit 63 of IA32_UINTR_MISC; the MSR does not have it. */
const UIF = 1n << 63n;
/** Offset of UINV, IA32_UINTR_MISC[39:32], in the UINTR component. */
export const UINV_OFFSET = 20;

/** True when WRMSR of this value raises #GP(0). MSRs without a rule here take everything. */
export function isRefusedByMsr(model: CpuModel, msr: number, value: bigint): boolean {
  if (msr === IA32_LBR_DEPTH) return !isLbrDepth(model, value);
  const rule = MSR_RULES[msr];
  if (!rule) return false;
  if (value & rule.reserved || (rule.canonical && !isCanonical(model, value))) return true;
  return msr === IA32_U_CET && isRefusedByCet(model, value);
}

/** Bits of the half of CET that the processor lacks, and SUPPRESS together with TRACKER. */
function isRefusedByCet(model: CpuModel, value: bigint): boolean {
  const shadowStacks = cpuidBit(model, '7.0', 'ecx', 7) ? 0n : CET_SHADOW_STACK_BITS;
  const branchTracking = cpuidBit(model, '7.0', 'edx', 20) ? 0n : CET_IBT_BITS;
  if (value & (shadowStacks | branchTracking)) return true;
  return (value & CET_SUPPRESS_AND_TRACKER) === CET_SUPPRESS_AND_TRACKER;
}

/** CPUID.(1CH,0):EAX[n]: a depth of 8 * (n + 1) is supported; 32 where the leaf is not recorded. */
function isLbrDepth(model: CpuModel, value: bigint): boolean {
  const supported = model.cpuid['1c.0']?.[0] ?? 1 << 3;
  return Array.from({ length: 8 }, (_, n) => n).some((n) => supported & (1 << n) && value === BigInt(8 * (n + 1)));
}

/** Canonical for the widest addresses that the processor has, whether or not CR4.LA57 is set (SDM Vol. 1, 13.5.11). */
function isCanonical(model: CpuModel, value: bigint): boolean {
  const width = cpuidBit(model, '7.0', 'ecx', 16) ? 57 : 48;
  return BigInt.asUintN(64, BigInt.asIntN(width, value)) === value;
}

/** True when XRSTORS refuses the image of a component with #GP(0). */
export function supervisorImageFault(model: CpuModel, bit: number, image: Uint8Array): boolean {
  const { msrs } = COMPONENTS[bit];
  if (!msrs) return false;
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (image.subarray(8 * msrs.length).some((byte) => byte !== 0)) return true;
  return msrs.some((msr, index) => isRefusedByMsr(model, msr, withoutUif(msr, view.getBigUint64(8 * index, true))));
}

/** The part of an image's eight bytes that the MSR shows. */
export function withoutUif(msr: number, value: bigint): bigint {
  return msr === IA32_UINTR_MISC ? value & ~UIF : value;
}

/** Where a component keeps an MSR. */
export function componentOfMsr(msr: number): { readonly bit: number; readonly offset: number } | undefined {
  const component = COMPONENTS.find(({ msrs }) => msrs?.includes(msr));
  return component && { bit: component.bit, offset: 8 * (component.msrs ?? []).indexOf(msr) };
}
