/** LDMXCSR and STMXCSR, and their VEX forms. */
import { VECTOR, fault, type Fault } from '../faults';
import type { Instruction } from '../instruction';
import type { Processor } from '../processor';
import { operandFault } from './operands';

/** LDMXCSR: #GP on bits outside MXCSR_MASK. Flags with their masks clear raise nothing by themselves. */
export function ldmxcsr(cpu: Processor, instruction: Instruction): Fault | undefined {
  const refused = operandFault(cpu, instruction, 4, 'read');
  if (refused) return refused;
  const bytes = cpu.read(cpu.operandAddress(instruction), 4);
  const value = new DataView(bytes.buffer).getUint32(0, true);
  if (value & ~cpu.model.mxcsrMask) return fault(VECTOR.GP, 'mxcsr-reserved');
  cpu.loadMxcsr(value);
  return undefined;
}

/** STMXCSR. */
export function stmxcsr(cpu: Processor, instruction: Instruction): Fault | undefined {
  const refused = operandFault(cpu, instruction, 4, 'write');
  if (refused) return refused;
  cpu.write(cpu.operandAddress(instruction), new Uint8Array(Uint32Array.of(cpu.state.mxcsr).buffer));
  return undefined;
}
