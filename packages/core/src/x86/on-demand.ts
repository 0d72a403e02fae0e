/**
 * Decoder and instructions, loaded when machine code is first met: they are most of the core, no run of the kernel machine
 * needs them, and the opcode tables take longer to build than many a run.
 */
import type { CodeMode, Instruction } from './instruction';
import type * as Decoder from './decoder';
import type * as Executor from './execute';
import type { Code, Execution } from './execute';
import type * as Instructions from './instructions';
import type { Processor } from './processor';

/** Loads a module at the first call, and only then asks `require`. */
function onDemand<M>(load: () => M): () => M {
  let module: M | undefined;
  return () => (module ??= load());
}

/* eslint-disable @typescript-eslint/no-require-imports -- see above */
const decoder = onDemand(() => require('./decoder') as typeof Decoder);
const executor = onDemand(() => require('./execute') as typeof Executor);
const instructions = onDemand(() => require('./instructions') as typeof Instructions);
/* eslint-enable @typescript-eslint/no-require-imports */

/**
 * Decodes one instruction. Pure, and never throws.
 *
 * @param bytes code; what lies beyond 15 bytes is not looked at
 * @param offset of the instruction's first byte
 * @param mode of the code segment
 * @returns an instruction whose mnemonic is `INVALID`, with the reason in `invalid`, when the bytes are none
 */
export function decode(bytes: Uint8Array, offset: number, mode: CodeMode): Instruction {
  return decoder().decode(bytes, offset, mode);
}

/** `xsave64 [rdi]`, `mov rax, cr0`, `fld dword [rdi]`; `(bad: lock-prefix)` for bytes that are no instruction. */
export function formatInstruction(instruction: Instruction): string {
  return decoder().format(instruction);
}

/** Runs code from its first byte until it ends or faults. RIP is at the base first, and at the faulting instruction after a fault. */
export function execute(cpu: Processor, code: Code): Execution {
  return executor().execute(cpu, code);
}

/** False for instructions of which only the faults and the components that they modify are modelled. */
export function isModelledInFull(instruction: Instruction): boolean {
  return instructions().isModelledInFull(instruction);
}
