/**
 * Runs machine code: decode, check, execute, one instruction after the other.
 *
 * Priority of faults: Intel SDM Vol. 3A "Priority Among Concurrent Events" (Table 6-2): decoding (#UD, #NM) before execution, and in an
 * execution #MF where x87 waits, then the operand's.
 */
import { CR0_NE } from './control-registers';
import { decode } from './decoder';
import { VECTOR, availabilityFault, fault, type Fault } from './faults';
import { featureOf, handlerOf, isPrivilegedOnly } from './instructions';
import { isUnmodelledControl } from './instructions/control';
import { isUnmodelledMsr } from './instructions/msr';
import { INVALID_REASONS, type Instruction } from './instruction';
import type { Processor } from './processor';
import { FSW_ES } from './x87-state';

/** How a piece of code ended. */
export type Execution =
  | { readonly end: 'ran-to-end'; readonly instructions: number }
  | { readonly end: 'fault'; readonly instructions: number; readonly fault: Fault; readonly instruction: Instruction }
  | {
      readonly end: 'not-modelled';
      readonly instructions: number;
      readonly instruction: Instruction;
      readonly why: string;
    };

/** Machine code at an address. */
export interface Code {
  readonly base: bigint;
  readonly bytes: Uint8Array;
}

/** Instructions after which a run stops, loops or not: the code has no branches, so this is its length. */
const INSTRUCTIONS_MAX = 100_000;

/** Runs code from its first byte until it ends or faults. RIP is at the base first, and at the faulting instruction after a fault. */
export function execute(cpu: Processor, { base, bytes }: Code): Execution {
  cpu.emit({ type: 'execution-started', at: base });
  for (let instructions = 0; instructions < INSTRUCTIONS_MAX; instructions++) {
    const offset = Number(cpu.state.rip - base);
    if (offset >= bytes.length) return { end: 'ran-to-end', instructions };
    const instruction = decode(bytes, offset, cpu.state.mode);
    const why = notModelled(cpu, instruction);
    if (why !== undefined) return { end: 'not-modelled', instructions, instruction, why };
    const raised = executeOne(cpu, instruction);
    if (raised) return { end: 'fault', instructions, fault: raised, instruction };
  }
  throw new Error('fpulab bug: code without end');
}

/** Why the model cannot execute an instruction, if it cannot. */
function notModelled(cpu: Processor, instruction: Instruction): string | undefined {
  const { invalid, mnemonic } = instruction;
  if (invalid === 'not-modelled' || invalid === 'truncated') return INVALID_REASONS[invalid];
  if (cpu.user) return undefined;
  if (isUnmodelledControl(instruction)) return 'a control register other than CR0 and CR4';
  if (isUnmodelledMsr(cpu, instruction)) return 'an MSR that has nothing to do with FPU state';
  return isPrivilegedOnly(mnemonic) ? 'of this privileged instruction only the fault at CPL 3 is modelled' : undefined;
}

/** Executes one instruction at RIP: its events, then that it retired or faulted. */
export function executeOne(cpu: Processor, instruction: Instruction): Fault | undefined {
  const { mnemonic, length } = instruction;
  const raised = unavailable(cpu, instruction) ?? pending(cpu, instruction) ?? handlerOf(instruction)(cpu, instruction);
  if (raised) cpu.emit({ type: 'fault-raised', mnemonic, fault: raised });
  else cpu.emit({ type: 'instruction-retired', mnemonic, next: cpu.state.rip + BigInt(length) });
  return raised;
}

function unavailable(cpu: Processor, instruction: Instruction): Fault | undefined {
  if (instruction.invalid === 'too-long') return fault(VECTOR.GP, 'instruction-too-long');
  if (instruction.invalid === 'lock-prefix') return fault(VECTOR.UD, 'lock-prefix');
  if (instruction.invalid !== undefined) return fault(VECTOR.UD, 'invalid-opcode');
  const feature = featureOf(instruction);
  if (feature && !cpu.model.features.includes(feature)) return fault(VECTOR.UD, 'no-such-feature');
  return availabilityFault(cpu.control, instruction.class);
}

/** #MF of an exception that an earlier x87 instruction left pending. With CR0.NE clear it goes to the interrupt controller. */
function pending(cpu: Processor, { waits }: Instruction): Fault | undefined {
  const isPending = waits && cpu.state.x87.fsw & FSW_ES && cpu.control.cr0 & CR0_NE;
  return isPending ? fault(VECTOR.MF, 'x87-exception-pending') : undefined;
}
