/**
 * Data instructions: x87, MMX, SSE, AVX, AVX-512 and opmask.
 *
 * Moves and bitwise logic are modelled; of all others the faults and the components that they modify. What the model does not know
 * of a result it says so (`result-undetermined`), and nothing compares it.
 */
import { AVX, SSE, X87, ZMM_HI256 } from '../components';
import { CR4_OSXMMEXCPT } from '../control-registers';
import { VECTOR, fault, type Fault } from '../faults';
import type { Instruction } from '../instruction';
import { GPR, type Processor } from '../processor';
import { ARITHMETIC_FLAGS } from './general';
import { operandFault } from './operands';
import { bitwise } from './bitwise';
import { simdExceptions } from './simd-exceptions';
import { clearAbove, componentsWithin, enterMmx, markAvx } from './vector-registers';

/** VZEROUPPER and VZEROALL: to the initial configuration, all registers that the mode can name. */
export function vzero(all: boolean): (cpu: Processor, instruction: Instruction) => undefined {
  return (cpu, { mode }) => {
    const share = mode === 64 ? 1 : 2;
    const clear = (bit: number): void => {
      if (!cpu.model.components.some((component) => component.bit === bit) && bit !== SSE) return;
      const value = cpu.component(bit).slice();
      cpu.load(bit, value.fill(0, 0, value.length / share), 'init');
    };
    for (const bit of [AVX, ZMM_HI256]) clear(bit);
    if (all) clear(SSE);
    else cpu.emit({ type: 'components-modified', mask: 1 << SSE });
    return undefined;
  };
}

/** Any other data instruction. */
export function data(cpu: Processor, instruction: Instruction): Fault | undefined {
  const { memory, memoryUse, simdArithmetic } = instruction;
  const access = memoryUse.access === 'read' ? 'read' : 'write';
  const refused =
    memory && memoryUse.access !== 'none' && memoryUse.bytes > 0
      ? operandFault(cpu, instruction, memoryUse.bytes, access)
      : undefined;
  if (refused) return refused;
  const masked = maskedStore(cpu, instruction);
  const unwritable = masked && maskedStoreFault(cpu, masked);
  if (unwritable) return unwritable;
  if (simdArithmetic) {
    const raised = simdFault(cpu, instruction);
    if (raised) return raised;
  }
  if (!bitwise(cpu, instruction)) undetermined(cpu, instruction);
  return undefined;
}

/**
 * #XM of a SIMD exception that MXCSR does not mask, #UD without CR4.OSXMMEXCPT. Flags are set either way, registers are not.
 *
 * @see Intel SDM Vol. 1 "SIMD Floating-Point Exceptions" (11.5.1)
 */
function simdFault(cpu: Processor, instruction: Instruction): Fault | undefined {
  const flags = simdExceptions(cpu, instruction);
  if (flags === undefined) {
    cpu.emit({ type: 'result-undetermined', what: { mxcsr: true } });
    return undefined;
  }
  const masks = (cpu.state.mxcsr >> 7) & 0x3f;
  // Exceptions of the operands, unmasked, keep those of the result from arising.
  const early = flags & 0b111;
  const raised = early & ~masks ? early : flags;
  if (raised) cpu.loadMxcsr(cpu.state.mxcsr | raised);
  if (!(raised & ~masks)) return undefined;
  return cpu.control.cr4 & CR4_OSXMMEXCPT ? fault(VECTOR.XM, 'simd-exception') : fault(VECTOR.UD, 'osxmmexcpt-clear');
}

const SETS_FLAGS = /^(V?U?COMIS|V?PTEST|FU?COMI|POPCNT|PCMP.STR|V?PCMP[EI]STR|VTESTP|KTEST|KORTEST)/;
/** They store to [RDI] whatever their mask selects, and look at all of it. */
const MASKED_STORES = /^V?MASKMOV(Q|DQU)$/;

function maskedStore(cpu: Processor, { mnemonic, operands: [first] }: Instruction): MemoryRange | undefined {
  if (!MASKED_STORES.test(mnemonic) || first?.kind !== 'register') return undefined;
  return { address: cpu.register(GPR.rdi, cpu.state.mode), length: first.bytes };
}

/** MASKMOVQ is eight bytes that #AC wants aligned; MASKMOVDQU takes any address. */
function maskedStoreFault(cpu: Processor, { address, length }: MemoryRange): Fault | undefined {
  const misaligned = length === 8 ? cpu.alignmentFault(address, 8n) : undefined;
  return misaligned ?? cpu.probeRange(address, length, 'write');
}

interface MemoryRange {
  readonly address: bigint;
  readonly length: number;
}

function undetermined(cpu: Processor, instruction: Instruction): void {
  const { memory, memoryUse, mnemonic, modifies } = instruction;
  if (instruction.class === 'mmx' || (instruction.class === 'mmx-sse' && modifies & (1 << X87))) {
    cpu.loadX87(enterMmx(cpu.state.x87), 'keep');
  }
  const stores = memory && (memoryUse.access === 'write' || memoryUse.access === 'read-write');
  const stored = stores ? [{ address: cpu.operandAddress(instruction), length: memoryUse.bytes }] : [];
  const masked = maskedStore(cpu, instruction);
  const registers = writtenRegisters(instruction);
  const what = {
    components: writeUnknownVector(cpu, instruction),
    registers,
    flags: SETS_FLAGS.test(mnemonic) ? ARITHMETIC_FLAGS : 0n,
    memory: masked ? [...stored, masked] : stored,
  };
  cpu.emit({ type: 'result-undetermined', what });
}

/** The general register that an instruction writes: its first operand, if it is one. */
function writtenRegisters({ operands: [first] }: Instruction): number {
  return first?.kind === 'register' && first.file === 'gpr' ? 1 << first.number : 0;
}

const VECTOR_STATE = (1 << SSE) | (1 << AVX) | (1 << ZMM_HI256);

/** What is not known of the components that an instruction modifies: above a vector operand VEX and EVEX leave zeros. */
function writeUnknownVector(cpu: Processor, { operands: [first], modifies, vectorBits }: Instruction): number {
  if (first?.kind !== 'register' || first.file !== 'vector' || !(modifies & VECTOR_STATE)) return modifies;
  if (vectorBits === 0 || (vectorBits === 256 && first.number < 16)) markAvx(cpu);
  if (vectorBits !== 0) clearAbove(cpu, first.number, first.bytes);
  return (modifies & ~VECTOR_STATE) | componentsWithin(first.number, first.bytes);
}
