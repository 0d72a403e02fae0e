/** XSAVE, XSAVEOPT, XSAVEC and XSAVES. */
import { LBR, PKRU, PT, SSE, UINTR, X87, bitsOf } from '../components';
import { VECTOR, fault, type Fault } from '../faults';
import { headerBytes, maskOf, partWrites as writesOf, xcompBvOf, type XsaveParts } from '../image/image';
import type { Instruction } from '../instruction';
import { EXTENDED_OFFSET, HEADER_OFFSET, type AreaLayout } from '../layout';
import type { Processor } from '../processor';
import { MXCSR_INIT, initialBytes, sseInUse } from '../processor-state';
import { X87_INIT } from '../x87-state';
import {
  HALVED_OUTSIDE_64,
  planSave,
  reachableBytes,
  savedXstateBv,
  type SaveMnemonic,
  type SavePlan,
} from '../xsave-rules';
import { lbrStoredBytes } from './lbr';
import { UINV_OFFSET } from './supervisor-state';
import { areaAddressFault, areaPageFault, transferredBeforeFault, writeInOrder } from './xsave-area';

/** Executes any of the four. */
export function xsave(cpu: Processor, instruction: Instruction): Fault | undefined {
  const mnemonic = instruction.mnemonic as SaveMnemonic;
  const supervisor = mnemonic === 'XSAVES';
  if (supervisor && cpu.user) return fault(VECTOR.GP, 'not-privileged');
  const address = cpu.operandAddress(instruction);
  const misplaced = areaAddressFault(cpu, instruction, address);
  if (misplaced) return misplaced;

  const rfbm = maskOf(cpu.edxEax()) & (cpu.control.xcr0 | (supervisor ? cpu.control.xss : 0));
  const marksMxcsr = cpu.deviates('xsave-marks-mxcsr') ? sseInUse(cpu.state.mxcsr) : 0;
  const plan = planSave(mnemonic, {
    rfbm,
    inUse: cpu.inUse() | marksMxcsr,
    mxcsrInUse: cpu.state.mxcsr !== MXCSR_INIT,
    unmodified: unmodifiedSince(cpu, mnemonic, address, rfbm),
    disabled: cpu.control.xfd & cpu.control.xcr0,
  });
  const layout = cpu.layouts.of(rfbm, plan.form);
  const save: Save = { instruction, address, layout, rfbm, plan };
  return firstLook(cpu, save) ?? pageFault(cpu, save) ?? store(cpu, save);
}

/** A save whose area is where it may be. */
interface Save {
  readonly instruction: Instruction;
  readonly address: bigint;
  readonly layout: AreaLayout;
  readonly rfbm: number;
  readonly plan: SavePlan;
}

function firstLook(cpu: Processor, { address, layout, plan }: Save): Fault | undefined {
  if (plan.form === 'compacted' || !cpu.deviates('xsave-reads-header-first')) return undefined;
  return (
    cpu.probe(address + BigInt(HEADER_OFFSET), 'read') ?? cpu.probe(address + BigInt(layout.totalBytes - 1), 'write')
  );
}

function pageFault(cpu: Processor, save: Save): Fault | undefined {
  const { address, layout, plan } = save;
  const missing = areaPageFault(cpu, address, layout, 'write');
  if (!missing) return undefined;
  const stored = plan.stored & transferredBeforeFault(cpu, { address, layout, mask: plan.stored, access: 'write' });
  const part = imageOf(cpu, { ...save, plan: { ...plan, stored, mxcsr: plan.mxcsr && (stored & (1 << SSE)) !== 0 } });
  writeInOrder(cpu, address, writesOf(part));
  return missing;
}

function store(cpu: Processor, save: Save): Fault | undefined {
  const { address, rfbm, plan } = save;
  const writes = writesOf(imageOf(cpu, save));
  const missing =
    writeInOrder(
      cpu,
      address,
      writes.filter(({ offset }) => offset < HEADER_OFFSET),
    ) ??
    lastByteFault(cpu, save) ??
    writeInOrder(
      cpu,
      address,
      writes.filter(({ offset }) => offset > HEADER_OFFSET),
    ) ??
    cpu.probe(address + BigInt(HEADER_OFFSET), 'write');
  if (missing) return missing;
  const before = new DataView(cpu.read(address + BigInt(HEADER_OFFSET), 8).buffer).getBigUint64(0, true);
  const xstateBv = savedXstateBv(plan, rfbm, before);
  cpu.write(address + BigInt(HEADER_OFFSET), headerBytes({ form: plan.form, xstateBv, xcompBv: xcompBvOf(rfbm) }));
  afterSupervisorSave(cpu, plan.stored);
  return undefined;
}

/** The captured processor that goes in order looks at the last byte of a compacted area before it writes extended components. */
function lastByteFault(cpu: Processor, { address, layout, plan }: Save): Fault | undefined {
  if (cpu.model.behaviour.pageFault !== 'in-order' || plan.form === 'standard') return undefined;
  return layout.totalBytes > EXTENDED_OFFSET ? cpu.probe(address + BigInt(layout.totalBytes - 1), 'write') : undefined;
}

/** What is stored, without a header. */
function imageOf(cpu: Processor, { instruction, layout, plan }: Save): XsaveParts {
  const { rexW, mode } = instruction;
  const initial = (bit: number): boolean => (plan.storedAsInitial & (1 << bit)) !== 0;
  const components = new Map<number, Uint8Array>();
  for (const bit of bitsOf(plan.stored & ~(1 << X87))) {
    const value = initial(bit) ? initialBytes(bit, cpu.component(bit).length) : cpu.component(bit);
    components.set(bit, value.subarray(0, storedBytes(cpu, bit, reachableBytes(bit, value.length, mode))));
  }
  const x87 = initial(X87) ? X87_INIT : cpu.storedX87();
  return {
    layout,
    wide: rexW,
    pointers: cpu.storesPointers,
    mxcsrLast: cpu.deviates('fxsave-stores-mxcsr-last'),
    mxcsr: plan.mxcsr ? { value: cpu.state.mxcsr, mask: cpu.model.mxcsrMask } : undefined,
    x87: plan.stored & (1 << X87) ? x87 : undefined,
    components,
  };
}

const PKRU_REGISTER_BYTES = 4;

function storedBytes(cpu: Processor, bit: number, bytes: number): number {
  if (bit === LBR) return lbrStoredBytes(cpu.component(LBR));
  return bit === PKRU && cpu.deviates('pkru-four-bytes') ? PKRU_REGISTER_BYTES : bytes;
}

/**
 * Components that the modified optimisation leaves out.
 *
 * @see Intel SDM Vol. 1 "Operation of XSAVEOPT" (13.9), "Operation of XSAVES" (13.11): the last XRSTOR was at the same CPL from the
 *   same linear address, in the standard form for XSAVEOPT, with XCOMP_BV = RFBM for XSAVES
 */
function unmodifiedSince(cpu: Processor, mnemonic: SaveMnemonic, address: bigint, rfbm: number): number {
  const { tracking, cpl, mode } = cpu.state;
  if (!tracking || tracking.address !== address || tracking.cpl !== cpl) return 0;
  const unmodified =
    mode === 64 && tracking.mode === 32 ? tracking.unmodified & ~HALVED_OUTSIDE_64 : tracking.unmodified;
  if (mnemonic === 'XSAVEOPT') return tracking.xcompBv === 0n ? unmodified : 0;
  return mnemonic === 'XSAVES' && tracking.xcompBv === xcompBvOf(rfbm) ? unmodified : 0;
}

/**
 * XSAVES disarms what it has saved: UINV becomes 0, IA32_RTIT_CTL.TraceEn too.
 *
 * @see Intel SDM Vol. 1 "User-Interrupt State" (13.5.11), "PT State" (13.5.6)
 */
function afterSupervisorSave(cpu: Processor, stored: number): void {
  const clear = (bit: number, offset: number, mask: number): void => {
    if (!(stored & (1 << bit)) || (cpu.component(bit)[offset] & mask) === 0) return;
    const value = cpu.component(bit).slice();
    value[offset] &= ~mask;
    cpu.load(bit, value, 'clear');
  };
  clear(UINTR, UINV_OFFSET, 0xff);
  clear(PT, 0, 1);
}
