/** FOP, FIP and FDP: which instruction was the last, and where its operand was. */
import type { Instruction } from '../instruction';
import type { Processor } from '../processor';
import type { X87State } from '../x87-state';

/**
 * x87 state with the pointers of an instruction that is no control instruction.
 *
 * @param exception whether it raised an exception that is not masked
 * @see Intel SDM Vol. 1 "x87 FPU Instruction and Data (Operand) Pointers" (8.1.8), "Last Instruction Opcode" (8.1.9)
 */
export function withPointers(cpu: Processor, instruction: Instruction, x87: X87State, exception: boolean): X87State {
  const { pointersUpdated, selectorsSaved } = cpu.model.behaviour;
  const { rip, selectors } = cpu.state;
  let after = x87;
  const updates = (pointer: keyof typeof pointersUpdated): boolean =>
    pointersUpdated[pointer] === 'always' || (exception && pointersUpdated[pointer] === 'with-exception');
  if (updates('fop')) after = { ...after, fop: instruction.x87Opcode };
  if (updates('fip')) after = { ...after, fip: cpu.pointer(rip), fcs: selectorsSaved ? selectors.cs : 0 };
  if (instruction.memory && updates('fdp')) {
    const fdp = cpu.pointer(cpu.operandAddress(instruction));
    after = { ...after, fdp, fds: selectorsSaved ? selectors.ds : 0 };
  }
  return after;
}
