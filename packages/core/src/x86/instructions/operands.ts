/** Checks of ordinary memory operands. */
import { VECTOR, fault, type Fault } from '../faults';
import type { Instruction } from '../instruction';
import type { Access } from '../memory';
import type { Processor } from '../processor';

/**
 * The fault of an operand of so many bytes: #GP or #SS where it is not canonical, #GP where it must be aligned and is not, #AC where
 * alignment is checked, #PF. The manuals leave the order of the last two to the processor; this is an EPYC's.
 *
 * @param natural alignment that #AC asks for; the largest power of two that the operand is made of
 */
export function operandFault(
  cpu: Processor,
  instruction: Instruction,
  bytes: number,
  access: Access,
  natural = naturalAlignment(instruction, bytes),
): Fault | undefined {
  const address = cpu.operandAddress(instruction);
  const nonCanonical =
    cpu.canonicalFault(address, instruction.memory) ??
    cpu.canonicalFault(address + BigInt(bytes - 1), instruction.memory);
  if (nonCanonical) return nonCanonical;
  if (address % BigInt(instruction.memoryUse.align || 1) !== 0n) return fault(VECTOR.GP, 'misaligned');
  return cpu.alignmentFault(address, BigInt(natural)) ?? cpu.probeRange(address, bytes, access);
}

/** FNSAVE and its kin are made of words or doublewords, other operands of themselves. */
function naturalAlignment({ operand16, class: kind }: Instruction, bytes: number): number {
  if ((bytes & (bytes - 1)) === 0) return Math.min(bytes, 8);
  return kind === 'x87' && bytes !== 10 ? (operand16 ? 2 : 4) : 8;
}

/** Bits of a general register that an operand of so many bytes is. */
export function registerBits(bytes: number): 8 | 16 | 32 | 64 {
  return (8 * bytes) as 8 | 16 | 32 | 64;
}
