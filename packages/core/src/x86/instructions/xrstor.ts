/** XRSTOR and XRSTORS. */
import { COMPONENTS, LBR, PT, TILECFG, UINTR, X87, bitsOf } from '../components';
import { VECTOR, fault, type Fault } from '../faults';
import { maskOf } from '../image/image';
import { MXCSR_OFFSET, decodeMxcsr, decodeX87 } from '../image/legacy';
import type { Instruction } from '../instruction';
import { COMPACTED_BIT, EXTENDED_OFFSET, HEADER_BYTES, HEADER_OFFSET, type AreaLayout } from '../layout';
import type { Processor } from '../processor';
import { MXCSR_INIT, initialBytes } from '../processor-state';
import {
  headerFault,
  planRestore,
  reachableBytes,
  readHeader,
  type RestorePlan,
  type XsaveHeader,
} from '../xsave-rules';
import { isLoadableTileConfiguration } from './amx';
import { loadX87Image } from './fxsave';
import { lbrAfterInit, lbrOfOtherDepth, sameLbrDepth } from './lbr';
import { UINV_OFFSET, supervisorImageFault } from './supervisor-state';
import { extendedFeatureDisabled } from './xfd';
import { areaAddressFault, areaPageFault, transferredBeforeFault } from './xsave-area';

/** A restore whose header has been accepted. */
interface Restore {
  readonly instruction: Instruction;
  readonly address: bigint;
  readonly layout: AreaLayout;
  readonly rfbm: number;
  readonly xcompBv: bigint;
  readonly plan: RestorePlan;
}

/** Executes either. */
export function xrstor(cpu: Processor, instruction: Instruction): Fault | undefined {
  const supervisor = instruction.mnemonic === 'XRSTORS';
  if (supervisor && cpu.user) return fault(VECTOR.GP, 'not-privileged');
  const address = cpu.operandAddress(instruction);
  const looksFirst = cpu.model.behaviour.pageFault === 'before-transfer';
  const unreadable =
    areaAddressFault(cpu, instruction, address) ??
    (looksFirst ? cpu.probe(address, 'read') : undefined) ??
    cpu.probe(address + BigInt(HEADER_OFFSET), 'read');
  if (unreadable) return unreadable;

  const enabled = cpu.control.xcr0 | (supervisor ? cpu.control.xss : 0);
  const header = readHeader(cpu.read(address + BigInt(HEADER_OFFSET), HEADER_BYTES));
  const compactedKnown = cpu.model.features.includes('xsavec');
  const bit63Ignored = cpu.deviates('xstate-bv-63-ignored');
  const refused = headerFault(header, { enabled, compactedOnly: supervisor, compactedKnown, bit63Ignored });
  if (refused) return fault(VECTOR.GP, refused);

  const restore = planned(cpu, instruction, address, header, maskOf(cpu.edxEax()) & enabled);
  return (
    featureFault(cpu, restore.plan) ?? pageFault(cpu, restore) ?? contentFault(cpu, restore) ?? complete(cpu, restore)
  );
}

function planned(
  cpu: Processor,
  instruction: Instruction,
  address: bigint,
  header: XsaveHeader,
  rfbm: number,
): Restore {
  const { xcompBv } = header;
  const form = xcompBv & COMPACTED_BIT ? 'compacted' : 'standard';
  const layout = cpu.layouts.of(form === 'standard' ? rfbm : maskOf(xcompBv), form);
  return {
    instruction,
    address,
    layout,
    rfbm,
    xcompBv,
    plan: planRestore({ form, rfbm, xstateBv: maskOf(header.xstateBv) }),
  };
}

/** #NM where IA32_XFD disables a component that would be loaded; loading INIT is allowed (SDM Vol. 1, 13.14). */
function featureFault(cpu: Processor, { loaded }: RestorePlan): Fault | undefined {
  const disabled = loaded & cpu.control.xfd & cpu.control.xcr0;
  return disabled ? extendedFeatureDisabled(cpu, disabled) : undefined;
}

function pageFault(cpu: Processor, restore: Restore): Fault | undefined {
  const { address, layout, plan } = restore;
  const needed = layout.form === 'standard' ? layout : partOf(layout, plan.loaded);
  const missing = areaPageFault(cpu, address, needed, 'read');
  if (!missing) return cpu.model.behaviour.pageFault === 'in-order' ? faultInOrder(cpu, restore) : undefined;
  const loaded = transferredBeforeFault(cpu, { address, layout, mask: plan.loaded, access: 'read' });
  transfer(cpu, { ...restore, plan: { loaded, initialised: 0, mxcsr: 'keep' } });
  return missing;
}

/** Loads component after component until a page is missing; MXCSR is read where it lies, behind the x87 control words. */
function faultInOrder(cpu: Processor, restore: Restore): Fault | undefined {
  const { address, layout, plan } = restore;
  const mxcsrMissing = plan.mxcsr === 'load' ? cpu.probeRange(address + BigInt(MXCSR_OFFSET), 4, 'read') : undefined;
  let loaded = 0;
  for (const { bit, offset, size } of layout.components) {
    if (!(plan.loaded & (1 << bit))) continue;
    const missing = cpu.probeRange(address + BigInt(offset), size, 'read') ?? (bit === X87 ? undefined : mxcsrMissing);
    if (missing) {
      transfer(cpu, { ...restore, plan: { loaded, initialised: 0, mxcsr: 'keep' } });
      return missing;
    }
    loaded |= 1 << bit;
  }
  return mxcsrMissing;
}

/** A layout up to the last of these components. */
function partOf(layout: AreaLayout, mask: number): AreaLayout {
  const components = layout.components.filter(({ bit }) => mask & (1 << bit));
  const totalBytes = components.reduce((end, { offset, size }) => Math.max(end, offset + size), EXTENDED_OFFSET);
  return { ...layout, components, totalBytes };
}

/** #GP of what the area holds: reserved bits of MXCSR, supervisor state that WRMSR would refuse. */
function contentFault(cpu: Processor, restore: Restore): Fault | undefined {
  const { address, layout, rfbm, plan } = restore;
  if (plan.mxcsr === 'load' && mxcsrOf(cpu, address) & ~cpu.model.mxcsrMask) return fault(VECTOR.GP, 'mxcsr-reserved');
  if (rfbm & (1 << PT) && cpu.component(PT)[0] & 1) return fault(VECTOR.GP, 'supervisor-state-reserved');
  if (plan.loaded & (1 << UINTR) && cpu.component(UINTR)[UINV_OFFSET] !== 0) return fault(VECTOR.GP, 'uinv-not-zero');
  const refused = layout.components.find(
    ({ bit, offset, size }) =>
      plan.loaded & (1 << bit) && supervisorImageFault(cpu.model, bit, cpu.read(address + BigInt(offset), size)),
  );
  return refused && fault(VECTOR.GP, 'supervisor-state-reserved');
}

function mxcsrOf(cpu: Processor, address: bigint): number {
  return decodeMxcsr(cpu.read(address, 32)).value;
}

function complete(cpu: Processor, restore: Restore): undefined {
  transfer(cpu, restore);
  const { modifiedOptimisation } = cpu.model.behaviour;
  if (modifiedOptimisation === 'none') return undefined;
  const { address, rfbm, xcompBv } = restore;
  const ends = modifiedOptimisation === 'standard' && xcompBv !== 0n;
  const { cpl, mode } = cpu.state;
  const tracking = ends ? undefined : { address, cpl, mode, xcompBv, unmodified: rfbm };
  cpu.emit({ type: 'restore-tracked', tracking });
  return undefined;
}

function transfer(cpu: Processor, { instruction, address, layout, plan }: Restore): void {
  for (const bit of bitsOf(plan.initialised)) initialise(cpu, bit, instruction);
  if (plan.loaded & (1 << X87)) loadX87Image(cpu, decodeX87(cpu.read(address, 160), instruction.rexW));
  if (plan.mxcsr !== 'keep') cpu.loadMxcsr(plan.mxcsr === 'load' ? mxcsrOf(cpu, address) : MXCSR_INIT);
  for (const { bit, offset, size } of layout.components) {
    if (bit === X87 || !(plan.loaded & (1 << bit))) continue;
    const reach = reachableBytes(bit, size, instruction.mode);
    if (reach > 0) loadComponent(cpu, bit, cpu.read(address + BigInt(offset), reach));
  }
}

function loadComponent(cpu: Processor, bit: number, image: Uint8Array): void {
  const before = cpu.component(bit);
  if (bit === LBR && !sameLbrDepth(before, image)) {
    // Branch records of another depth are cleared, and XINUSE[15] stays as it is (SDM Vol. 1 "LBR State", 13.5.12).
    const inUse = (cpu.state.inUse & (1 << LBR)) !== 0;
    return cpu.emit({ type: 'component-loaded', bit, value: lbrOfOtherDepth(before, image), inUse });
  }
  // An unsupported configuration is not refused, it configures nothing (SDM Vol. 1 "AMX State", 13.5.14).
  const unsupported = bit === TILECFG && !isLoadableTileConfiguration(image);
  cpu.load(bit, unsupported ? initialBytes(TILECFG) : overLow(before, withoutReserved(bit, image)), 'memory');
}

/** Reserved bytes of a component are in no register. */
function withoutReserved(bit: number, image: Uint8Array): Uint8Array {
  const { registerBytes } = COMPONENTS[bit];
  return registerBytes === undefined ? image : image.fill(0, registerBytes);
}

/** What registers hold after their low part was loaded: code outside 64-bit mode does not reach the rest. */
function overLow(before: Uint8Array, low: Uint8Array): Uint8Array {
  if (low.length === before.length) return low;
  const value = before.slice();
  value.set(low);
  return value;
}

function initialise(cpu: Processor, bit: number, { mode }: Instruction): void {
  if (bit === X87) return cpu.initialise(bit);
  const before = cpu.component(bit);
  const reach = reachableBytes(bit, before.length, mode);
  if (bit === LBR) cpu.load(LBR, lbrAfterInit(before), 'init');
  else if (reach === before.length) cpu.initialise(bit);
  else if (reach > 0) cpu.load(bit, overLow(before, new Uint8Array(reach)), 'init');
}
