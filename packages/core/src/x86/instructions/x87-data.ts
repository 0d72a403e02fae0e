/**
 * x87 instructions on data. Loads, stores of registers and exchanges are modelled in full; of arithmetic, that x87 state changes.
 *
 * Source: Intel SDM Vol. 2, the instruction of each name; Vol. 1 "Stack Overflow or Underflow Exception (#IS)" (8.5.1.1).
 */
import type { Fault } from '../faults';
import type { Instruction, Operand } from '../instruction';
import type { Processor } from '../processor';
import { DE, FSW_C1, FSW_SF, IE, REGISTER_BYTES, topOf, withSummary, withTop, type X87State } from '../x87-state';
import { data } from './data';
import { extendedOfDouble, extendedOfInteger, extendedOfSingle, type Extended } from './extended';
import { operandFault } from './operands';
import { withPointers } from './x87-pointers';

/** What a masked stack fault leaves: the real indefinite QNaN. */
const INDEFINITE = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff);
/** Constants that do not depend on rounding. */
const CONSTANTS: Readonly<Record<string, Uint8Array>> = {
  FLD1: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f),
  FLDZ: new Uint8Array(REGISTER_BYTES),
};

type Exact = (cpu: Processor, instruction: Instruction) => Fault | undefined;

const EXACT: Readonly<Record<string, Exact>> = {
  FLD1: loadConstant,
  FLDZ: loadConstant,
  FLD: load,
  FILD: load,
  FXCH: exchange,
  FST: store,
  FSTP: store,
};

/** Executes any x87 instruction on data. */
export function x87Data(cpu: Processor, instruction: Instruction): Fault | undefined {
  const exact = isExact(instruction) ? EXACT[instruction.mnemonic] : undefined;
  return (exact ?? data)(cpu, instruction);
}

/** Stores of singles, doubles and integers round, which is arithmetic; stores of registers and of 80 bits copy. */
export function isExact({ mnemonic, operands: [operand] }: Instruction): boolean {
  if (!(mnemonic in EXACT)) return false;
  const isStore = mnemonic === 'FST' || mnemonic === 'FSTP';
  return !isStore || operand?.kind !== 'memory' || operand.bytes === REGISTER_BYTES;
}

function loadConstant(cpu: Processor, instruction: Instruction): undefined {
  push(cpu, instruction, { bytes: CONSTANTS[instruction.mnemonic], flags: 0 });
  return undefined;
}

function load(cpu: Processor, instruction: Instruction): Fault | undefined {
  const source = instruction.operands.at(-1);
  if (source?.kind === 'register') return loadRegister(cpu, instruction, source.number);
  const bytes = source?.bytes ?? REGISTER_BYTES;
  const refused = operandFault(cpu, instruction, bytes, 'read');
  if (refused) return refused;
  push(cpu, instruction, extendedOf(instruction, cpu.read(cpu.operandAddress(instruction), bytes)));
  return undefined;
}

function extendedOf({ mnemonic }: Instruction, bytes: Uint8Array): Extended {
  if (mnemonic === 'FILD') return extendedOfInteger(bytes);
  if (bytes.length === REGISTER_BYTES) return { bytes, flags: 0 };
  return bytes.length === 4 ? extendedOfSingle(bytes) : extendedOfDouble(bytes);
}

function loadRegister(cpu: Processor, instruction: Instruction, number: number): undefined {
  const { x87 } = cpu.state;
  if (isEmpty(x87, number)) stackFault(cpu, instruction, 'underflow', (state) => pushed(state, INDEFINITE));
  else push(cpu, instruction, { bytes: readStack(x87, number), flags: 0 });
  return undefined;
}

/** Pushes a value, unless the register is taken or an exception of the operand is not masked. */
function push(cpu: Processor, instruction: Instruction, { bytes, flags }: Extended): void {
  const { x87 } = cpu.state;
  if (!isEmpty(x87, 7)) return stackFault(cpu, instruction, 'overflow', (state) => pushed(state, INDEFINITE));
  const seen = cpu.deviates('no-denormal-flag') ? flags & ~DE : flags;
  const fsw = withSummary((x87.fsw | seen) & ~FSW_C1, x87.fcw);
  // A denormal is pushed although DE is not masked, a signalling NaN is not when IE is not.
  const unmasked = (seen & ~x87.fcw & IE) !== 0;
  const after = unmasked ? { ...x87, fsw } : pushed({ ...x87, fsw }, bytes);
  finish(cpu, instruction, after, (seen & ~x87.fcw) !== 0);
}

/** FST and FSTP to a register, and FSTP of 80 bits. */
function store(cpu: Processor, instruction: Instruction): Fault | undefined {
  const [destination] = instruction.operands;
  const inMemory = destination.kind === 'memory';
  const refused = inMemory ? operandFault(cpu, instruction, REGISTER_BYTES, 'write') : undefined;
  if (refused) return refused;
  const pops = instruction.mnemonic === 'FSTP';
  const copy = (state: X87State, value: Uint8Array): X87State => {
    if (inMemory) cpu.write(cpu.operandAddress(instruction), value);
    const stored = inMemory ? state : writeStack(state, stackNumber(destination), value);
    return pops ? popped(stored) : stored;
  };
  const { x87 } = cpu.state;
  if (isEmpty(x87, 0)) stackFault(cpu, instruction, 'underflow', (state) => copy(state, INDEFINITE));
  else finish(cpu, instruction, copy({ ...x87, fsw: x87.fsw & ~FSW_C1 }, readStack(x87, 0)), false);
  return undefined;
}

function exchange(cpu: Processor, instruction: Instruction): undefined {
  const { x87 } = cpu.state;
  const other = stackNumber(instruction.operands.at(-1));
  const value = (number: number): Uint8Array => (isEmpty(x87, number) ? INDEFINITE : readStack(x87, number));
  const exchanged = (state: X87State): X87State => writeStack(writeStack(state, 0, value(other)), other, value(0));
  if (isEmpty(x87, 0) || isEmpty(x87, other)) stackFault(cpu, instruction, 'underflow', exchanged);
  else finish(cpu, instruction, exchanged({ ...x87, fsw: x87.fsw & ~FSW_C1 }), false);
  return undefined;
}

/** IE and SF, C1 telling overflow from underflow; the masked response only if IE is masked. */
function stackFault(
  cpu: Processor,
  instruction: Instruction,
  kind: 'overflow' | 'underflow',
  masked: (state: X87State) => X87State,
): void {
  const { x87 } = cpu.state;
  const c1 = kind === 'overflow' ? FSW_C1 : 0;
  const fsw = withSummary((x87.fsw & ~FSW_C1) | IE | FSW_SF | c1, x87.fcw);
  const isMasked = (x87.fcw & IE) !== 0;
  const after = isMasked ? masked({ ...x87, fsw }) : { ...x87, fsw };
  finish(cpu, instruction, after, !isMasked);
}

function finish(cpu: Processor, instruction: Instruction, after: X87State, exception: boolean): void {
  const origin = after.registers === cpu.state.x87.registers ? 'keep' : 'write';
  cpu.loadX87(withPointers(cpu, instruction, after, exception), origin);
}

function stackNumber(operand: Operand | undefined): number {
  return operand?.kind === 'register' ? operand.number : 0;
}

function physical(x87: X87State, number: number): number {
  return (topOf(x87) + number) & 7;
}

function isEmpty(x87: X87State, number: number): boolean {
  return (x87.ftw & (1 << physical(x87, number))) === 0;
}

function readStack(x87: X87State, number: number): Uint8Array {
  const at = physical(x87, number) * REGISTER_BYTES;
  return x87.registers.slice(at, at + REGISTER_BYTES);
}

function writeStack(x87: X87State, number: number, value: Uint8Array): X87State {
  const register = physical(x87, number);
  const registers = x87.registers.slice();
  registers.set(value, register * REGISTER_BYTES);
  return { ...x87, ftw: x87.ftw | (1 << register), registers };
}

function pushed(x87: X87State, value: Uint8Array): X87State {
  return writeStack({ ...x87, fsw: withTop(x87.fsw, topOf(x87) - 1) }, 0, value);
}

function popped(x87: X87State): X87State {
  return { ...x87, ftw: x87.ftw & ~(1 << topOf(x87)), fsw: withTop(x87.fsw, topOf(x87) + 1) };
}
