/** FXSAVE and FXRSTOR. */
import { SSE } from '../components';
import { CR4_OSFXSR, EFER_FFXSR } from '../control-registers';
import { VECTOR, fault, type Fault } from '../faults';
import { legacyWrites } from '../image/image';
import { SLOT_BYTES, STACK_OFFSET, XMM_OFFSET, decodeMxcsr, decodeX87 } from '../image/legacy';
import type { Instruction } from '../instruction';
import { LEGACY_BYTES } from '../layout';
import type { Access } from '../memory';
import type { Processor } from '../processor';
import { FSW_ES, REGISTER_BYTES, loadedX87, physicalOrder, stackOrder, topOf, type X87State } from '../x87-state';
import { reachableBytes } from '../xsave-rules';
import { writeInOrder } from './xsave-area';

const AREA_ALIGN = 16n;

/** FXSAVE: x87, MXCSR and XMM; bytes 416 to 511 stay as they are. */
export function fxsave(cpu: Processor, instruction: Instruction): Fault | undefined {
  const address = cpu.operandAddress(instruction);
  const refused = areaFault(cpu, instruction, address, 'write');
  if (refused) return refused;
  const legacy = legacyWrites({
    x87: cpu.storedX87(),
    mxcsr: { value: cpu.state.mxcsr, mask: cpu.deviates('mxcsr-mask-zero') ? 0 : cpu.model.mxcsrMask },
    wide: instruction.rexW,
    pointers: cpu.storesPointers,
    mxcsrLast: cpu.deviates('fxsave-stores-mxcsr-last'),
  });
  const xmm = { offset: XMM_OFFSET, bytes: cpu.component(SSE).subarray(0, xmmBytes(instruction)) };
  return writeInOrder(cpu, address, movesXmm(cpu) ? [...legacy, xmm] : legacy);
}

/** FXRSTOR: the same back. */
export function fxrstor(cpu: Processor, instruction: Instruction): Fault | undefined {
  const address = cpu.operandAddress(instruction);
  const refused = areaFault(cpu, instruction, address, 'read');
  if (refused) return refused;
  const missing = cpu.probeRange(address, LEGACY_BYTES, 'read');
  if (missing && cpu.deviates('fxrstor-in-order')) loadFirstPage(cpu, address, missing);
  if (missing) return missing;
  const area = cpu.read(address, LEGACY_BYTES);
  const { value: mxcsr } = decodeMxcsr(area);
  if (mxcsr & ~cpu.model.mxcsrMask) return fault(VECTOR.GP, 'mxcsr-reserved');
  loadX87Image(cpu, decodeX87(area, instruction.rexW));
  if (!(cpu.control.cr4 & CR4_OSFXSR)) return undefined;
  cpu.loadMxcsr(mxcsr);
  if (!movesXmm(cpu)) return undefined;
  const value = cpu.component(SSE).slice();
  value.set(area.subarray(XMM_OFFSET, XMM_OFFSET + xmmBytes(instruction)));
  cpu.load(SSE, value, 'memory');
  return undefined;
}

/** Loads what lies on the page that is there: the control words as they are, and the registers before the missing page. */
function loadFirstPage(cpu: Processor, address: bigint, { address: missing = address }: Fault): void {
  const there = Number(missing - address);
  if (there === 0) return;
  const area = new Uint8Array(LEGACY_BYTES);
  area.set(cpu.read(address, there));
  const { x87 } = cpu.state;
  const { fcw, fsw, ftw, registers } = decodeX87(area, true);
  const before = stackOrder({ ...x87, fsw });
  const loaded = stackOrder({ fsw, registers });
  const slots = Math.max(0, Math.min(8, Math.floor((there - STACK_OFFSET) / SLOT_BYTES)));
  before.set(loaded.subarray(0, slots * REGISTER_BYTES));
  cpu.loadX87({ ...x87, fcw, fsw, ftw, registers: physicalOrder(before, topOf({ fsw })) }, 'memory');
}

/**
 * Loads x87 state from an image: reserved bits are dropped, pointers extended, selectors kept where the processor has them. A processor
 * that saves pointers with exceptions only loads them with exceptions only; FRSTOR and FLDENV always load them.
 */
export function loadX87Image(cpu: Processor, image: X87State, by: 'fxrstor' | 'fldenv' = 'fxrstor'): void {
  const { pointersSaved, selectorsSaved } = cpu.model.behaviour;
  const loaded = loadedX87(image);
  const quiet = by === 'fxrstor' && pointersSaved === 'untouched-without-exception' && !(loaded.fsw & FSW_ES);
  const kept = quiet || pointersSaved === 'never';
  const { fop, fip, fdp, fcs, fds } = kept ? cpu.state.x87 : loaded;
  const selectors = selectorsSaved ? { fcs, fds } : { fcs: 0, fds: 0 };
  cpu.loadX87({ ...loaded, ...selectors, fop, fip: cpu.pointer(fip), fdp: cpu.pointer(fdp) }, 'memory');
}

/**
 * #GP where the area is not aligned to 16 bytes; where alignment is checked and it is not aligned to 4, #AC instead, which the SDM allows
 * and the captured processors do. Then #PF: a
 * processor that looks before it moves looks at the last byte, then at the first.
 */
function areaFault(cpu: Processor, { memory }: Instruction, address: bigint, access: Access): Fault | undefined {
  const nonCanonical = cpu.canonicalFault(address, memory);
  if (nonCanonical) return nonCanonical;
  const checked = cpu.alignmentFault(address, 4n);
  if (checked) return checked;
  if (address % AREA_ALIGN !== 0n) return fault(VECTOR.GP, 'misaligned');
  if (cpu.model.behaviour.pageFault !== 'before-transfer') return undefined;
  return cpu.probe(address + BigInt(LEGACY_BYTES - 1), access) ?? cpu.probe(address, access);
}

/**
 * Whether XMM registers are moved: not with CR4.OSFXSR clear (the SDM leaves it to the processor; the captured emulators do so, and FXRSTOR does not load MXCSR then), and not under
 * EFER.FFXSR at CPL 0 in 64-bit mode.
 *
 * @see Intel SDM Vol. 2 "FXSAVE", "FXRSTOR"; AMD APM Vol. 2 "Fast FXSAVE/FXRSTOR (FFXSR)" under "Extended Feature Enable Register"
 */
function movesXmm({ control, state, model }: Processor): boolean {
  const fast = model.features.includes('ffxsr') && control.efer & EFER_FFXSR && state.cpl === 0 && state.mode === 64;
  return !fast && (control.cr4 & CR4_OSFXSR) !== 0;
}

function xmmBytes({ mode }: Instruction): number {
  return reachableBytes(SSE, 256, mode);
}
