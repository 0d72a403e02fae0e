/** Exceptions that control registers make FPU instructions raise in the kernel machine. */
import type { EventStream } from '../machine/stream';
import { availabilityFault, fpuFault, type InstructionClass } from '../x86/faults';

/**
 * The exception that CR0, and CR4 and XCR0 in machines whose CPUs go down and come up, make an instruction of this class raise; 0 for none. In
 * the others CR4 and XCR0 are as a running kernel has them.
 */
export function controlFault(stream: EventStream, cpu: number, instruction: InstructionClass): number {
  const { at, words } = stream.state;
  const cr0 = words[at.cr0 + cpu];
  if (at.cr4 < 0) return fpuFault(cr0, instruction);
  stream.footprint?.readWord(at.cr4 + cpu);
  return availabilityFault({ cr0, cr4: words[at.cr4 + cpu], xcr0: words[at.xcr0 + cpu] }, instruction)?.vector ?? 0;
}
