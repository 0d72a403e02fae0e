/**
 * CPUID: leaf 0DH from the model and the current XCR0 and IA32_XSS, other leaves as the model's file has them.
 *
 * Source: Intel SDM Vol. 2A "CPUID - CPU Identification"; Vol. 1 "Enumeration of CPU Support for XSAVE Instructions and
 * XSAVE-Supported Features" (13.2).
 */
import type { Feature } from './components';
import { CR4_OSXSAVE, CR4_PKE } from './control-registers';
import { hasFeature, type CpuModel, type CpuidRegisters } from './cpu-model';
import { areaLayout } from './layout';

/** The control registers that CPUID shows. */
export interface CpuidControl {
  readonly cr4: number;
  readonly xcr0: number;
  readonly xss: number;
}

/** CPUID.1:ECX[27]. */
const OSXSAVE = 1 << 27;
/** CPUID.(7,0):ECX[4]. */
const OSPKE = 1 << 4;
const XSAVE_LEAF = 0xd;
const NOTHING: CpuidRegisters = [0, 0, 0, 0];

/** Features by their bit of CPUID.(0DH,1):EAX. */
const XSAVE_FEATURES: readonly Feature[] = ['xsaveopt', 'xsavec', 'xgetbv1', 'xsaves', 'xfd'];

/**
 * What CPUID returns.
 *
 * A leaf in the model's file wins over the computed one; leaves that the file lacks are zero.
 *
 * @param leaf EAX
 * @param subleaf ECX; leaves that have no sub-leaves ignore it
 */
export function cpuid(model: CpuModel, leaf: number, subleaf: number, control: CpuidControl): CpuidRegisters {
  const recorded = model.cpuid[`${leaf.toString(16)}.${subleaf.toString(16)}`];
  if (leaf === XSAVE_LEAF) return recorded ?? xsaveLeaf(model, subleaf, control);
  const found = recorded ?? (hasSubleaves(model, leaf) ? NOTHING : model.cpuid[`${leaf.toString(16)}.0`]) ?? NOTHING;
  if (leaf === 1) return withEcxBit(found, OSXSAVE, (control.cr4 & CR4_OSXSAVE) !== 0);
  if (leaf === 7 && subleaf === 0) return withEcxBit(found, OSPKE, (control.cr4 & CR4_PKE) !== 0);
  return found;
}

/** Basic leaves with sub-leaves that concern the FPU; of others the file tells, by having one. */
const WITH_SUBLEAVES: readonly number[] = [0x7, XSAVE_LEAF, 0x14, 0x1d, 0x1e];

function hasSubleaves(model: CpuModel, leaf: number): boolean {
  return WITH_SUBLEAVES.includes(leaf) || `${leaf.toString(16)}.1` in model.cpuid;
}

function withEcxBit([eax, ebx, ecx, edx]: CpuidRegisters, bit: number, on: boolean): CpuidRegisters {
  return [eax, ebx, (on ? ecx | bit : ecx & ~bit) >>> 0, edx];
}

function xsaveLeaf(model: CpuModel, subleaf: number, control: CpuidControl): CpuidRegisters {
  if (!hasFeature(model, 'xsave')) return NOTHING;
  const { xcr0, xss } = control;
  if (subleaf === 0) return [model.xcr0, standardBytes(model, xcr0), standardBytes(model, model.xcr0), 0];
  if (subleaf === 1) return [xsaveFeatures(model), xsavesBytes(model, xcr0, xss), model.xss, 0];
  const component = model.components.find(({ bit }) => bit === subleaf);
  if (!component) return NOTHING;
  const { size, offset, supervisor, align64, xfd } = component;
  return [size, offset, Number(supervisor) | (Number(align64) << 1) | (Number(xfd) << 2), 0];
}

function standardBytes(model: CpuModel, xcr0: number): number {
  return areaLayout(model, xcr0, 'standard').totalBytes;
}

function xsaveFeatures(model: CpuModel): number {
  return XSAVE_FEATURES.reduce((eax, feature, bit) => (hasFeature(model, feature) ? eax | (1 << bit) : eax), 0);
}

/** CPUID.(0DH,1):EBX. With XSAVES supervisor state counts; with XSAVEC alone it does not; without both it is zero. */
function xsavesBytes(model: CpuModel, xcr0: number, xss: number): number {
  if (hasFeature(model, 'xsaves')) return areaLayout(model, xcr0 | xss, 'compacted').totalBytes;
  return hasFeature(model, 'xsavec') ? areaLayout(model, xcr0, 'compacted').totalBytes : 0;
}
