/**
 * x87 instructions that save, restore, initialise and control state.
 *
 * Source: Intel SDM Vol. 2, the instruction of each name; Vol. 1 "x87 FPU Control Word" (8.1.5), "x87 FPU Status Word" (8.1.3).
 */
import { X87 } from '../components';
import type { Fault } from '../faults';
import {
  decodeFsave,
  decodeFsaveEnvironment,
  encodeFsave,
  encodeFsaveEnvironment,
  fsaveBytes,
  fsaveEnvironmentBytes,
} from '../image/legacy';
import type { Instruction } from '../instruction';
import type { Access } from '../memory';
import { GPR, type Processor } from '../processor';
import {
  EXCEPTION_FLAGS,
  FSW_B,
  FSW_C1,
  FSW_ES,
  FSW_SF,
  X87_INIT,
  loadedFcw,
  topOf,
  withSummary,
  withTop,
  type X87State,
} from '../x87-state';
import { loadX87Image } from './fxsave';
import { operandFault } from './operands';
import { enterMmx } from './vector-registers';
import { withPointers } from './x87-pointers';

/** FNINIT: everything but the data registers. */
export function fninit(cpu: Processor): undefined {
  cpu.loadX87({ ...X87_INIT, registers: cpu.state.x87.registers }, 'control');
  return undefined;
}

/** FNCLEX: exception flags, SF, ES and B. */
export function fnclex(cpu: Processor): undefined {
  const { x87 } = cpu.state;
  cpu.loadX87({ ...x87, fsw: x87.fsw & ~(EXCEPTION_FLAGS | FSW_SF | FSW_ES | FSW_B) }, 'control');
  return undefined;
}

/** FNSAVE: stores all and initialises, as FNINIT does. */
export function fnsave(cpu: Processor, instruction: Instruction): Fault | undefined {
  const bits = operandBits(instruction);
  const refused = stateFault(cpu, instruction, fsaveBytes(bits), 'write');
  if (refused) return refused;
  cpu.write(cpu.operandAddress(instruction), encodeFsave(environmentOf(cpu), bits));
  return fninit(cpu);
}

/** FRSTOR. */
export function frstor(cpu: Processor, instruction: Instruction): Fault | undefined {
  const bits = operandBits(instruction);
  const refused = stateFault(cpu, instruction, fsaveBytes(bits), 'read');
  if (refused) return refused;
  loadX87Image(cpu, decodeFsave(cpu.read(cpu.operandAddress(instruction), fsaveBytes(bits)), bits), 'fldenv');
  return undefined;
}

/** FNSTENV: stores the environment, then masks all exceptions. */
export function fnstenv(cpu: Processor, instruction: Instruction): Fault | undefined {
  const bits = operandBits(instruction);
  const refused = stateFault(cpu, instruction, fsaveEnvironmentBytes(bits), 'write');
  if (refused) return refused;
  cpu.write(cpu.operandAddress(instruction), encodeFsaveEnvironment(environmentOf(cpu), bits));
  const { x87 } = cpu.state;
  const fcw = x87.fcw | EXCEPTION_FLAGS;
  cpu.loadX87({ ...x87, fcw, fsw: withSummary(x87.fsw, fcw) }, 'keep');
  return undefined;
}

/** FLDENV: the data registers stay, even where TOP moves: physical registers keep their contents. */
export function fldenv(cpu: Processor, instruction: Instruction): Fault | undefined {
  const bits = operandBits(instruction);
  const refused = stateFault(cpu, instruction, fsaveEnvironmentBytes(bits), 'read');
  if (refused) return refused;
  const bytes = cpu.read(cpu.operandAddress(instruction), fsaveEnvironmentBytes(bits));
  loadX87Image(cpu, decodeFsaveEnvironment(bytes, bits, cpu.state.x87.registers), 'fldenv');
  return undefined;
}

/** FLDCW. */
export function fldcw(cpu: Processor, instruction: Instruction): Fault | undefined {
  const refused = operandFault(cpu, instruction, 2, 'read');
  if (refused) return refused;
  const [low, high] = cpu.read(cpu.operandAddress(instruction), 2);
  const fcw = loadedFcw(low | (high << 8));
  cpu.loadX87({ ...cpu.state.x87, fcw, fsw: withSummary(cpu.state.x87.fsw, fcw) }, 'keep');
  return undefined;
}

/** FNSTCW. */
export function fnstcw(cpu: Processor, instruction: Instruction): Fault | undefined {
  return storeWord(cpu, instruction, cpu.state.x87.fcw);
}

/** FNSTSW to memory or AX. */
export function fnstsw(cpu: Processor, instruction: Instruction): Fault | undefined {
  if (!instruction.registerForm) return storeWord(cpu, instruction, cpu.state.x87.fsw);
  cpu.writeRegister(GPR.rax, BigInt(cpu.state.x87.fsw), 16);
  if (cpu.deviates('fnstsw-ax-updates-fip')) return updatePointers(cpu, instruction);
  return touchX87(cpu);
}

/** FINCSTP and FDECSTP: TOP moves, tags and contents do not. */
export function moveTop(by: 1 | -1): (cpu: Processor, instruction: Instruction) => undefined {
  return (cpu, instruction) => {
    const { x87 } = cpu.state;
    const moved = { ...x87, fsw: withTop(x87.fsw, topOf(x87) + by) & ~FSW_C1 };
    cpu.loadX87(withPointers(cpu, instruction, moved, false), 'keep');
    return undefined;
  };
}

/** FFREE: tags a register empty. The SDM calls C1 undefined; captured processors clear it. */
export function ffree(cpu: Processor, instruction: Instruction): undefined {
  const { x87 } = cpu.state;
  const register = (topOf(x87) + instruction.rm) & 7;
  const freed = { ...x87, ftw: x87.ftw & ~(1 << register), fsw: x87.fsw & ~FSW_C1 };
  cpu.loadX87(withPointers(cpu, instruction, freed, false), 'keep');
  return undefined;
}

/** FNOP: nothing, but it is the last instruction. */
export function fnop(cpu: Processor, instruction: Instruction): undefined {
  if (cpu.deviates('fnop-keeps-fip')) return touchX87(cpu);
  return updatePointers(cpu, instruction);
}

function updatePointers(cpu: Processor, instruction: Instruction): undefined {
  cpu.loadX87(withPointers(cpu, instruction, cpu.state.x87, false), 'keep');
  return undefined;
}

/** EMMS: tags all registers empty; like every MMX instruction it sets TOP to 0. */
export function emms(cpu: Processor): undefined {
  cpu.loadX87({ ...enterMmx(cpu.state.x87), ftw: 0 }, 'keep');
  return undefined;
}

/** FWAIT and the 8087's FNENI, FNDISI and FNSETPM: nothing but what came before them (#NM, #MF); they count as a use of x87 state. */
export function touchX87(cpu: Processor): undefined {
  cpu.emit({ type: 'components-modified', mask: 1 << X87 });
  return undefined;
}

/** What FNSTENV and FNSAVE show: pointers as they are, selectors where the processor keeps them. */
function environmentOf(cpu: Processor): X87State {
  const { x87 } = cpu.state;
  return cpu.model.behaviour.selectorsSaved ? x87 : { ...x87, fcs: 0, fds: 0 };
}

/** The fault of an x87 image. A processor that looks before it moves looks at the first word or doubleword, then at the last byte. */
function stateFault(cpu: Processor, instruction: Instruction, bytes: number, access: Access): Fault | undefined {
  if (cpu.model.behaviour.pageFault !== 'before-transfer') return operandFault(cpu, instruction, bytes, access);
  const last = cpu.operandAddress(instruction) + BigInt(bytes - 1);
  return operandFault(cpu, instruction, operandBits(instruction) / 8, access) ?? cpu.probe(last, access);
}

function storeWord(cpu: Processor, instruction: Instruction, word: number): Fault | undefined {
  const refused = operandFault(cpu, instruction, 2, 'write');
  if (refused) return refused;
  cpu.write(cpu.operandAddress(instruction), Uint8Array.of(word & 0xff, word >> 8));
  return touchX87(cpu);
}

function operandBits({ operand16 }: Instruction): 16 | 32 {
  return operand16 ? 16 : 32;
}
