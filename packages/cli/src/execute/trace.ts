/** Runs code and keeps, for each instruction, what it did. */
import {
  decode,
  execute,
  formatInstruction,
  type Execution,
  type Fault,
  type Instruction,
  type ProcessorEvent,
} from '@fpulab/core';
import { changesOf, type Change } from './changes';
import { CODE_BASE, type Bench } from './setup';
import { snapshotOf, type Snapshot } from './snapshot';
import { areaOf, headerOf, namedWrite, type Area, type NamedWrite } from './writes';

/** One instruction that was executed, or that faulted. */
export interface TracedInstruction {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly instruction: Instruction;
  readonly before: Snapshot;
  readonly after: Snapshot;
  /** The area of an instruction that saves or restores one, and its header before. */
  readonly area: Area | undefined;
  readonly header: { readonly xstateBv: bigint; readonly xcompBv: bigint } | undefined;
  readonly events: readonly ProcessorEvent[];
  readonly changes: readonly Change[];
  readonly writes: readonly NamedWrite[];
  readonly fault: Fault | undefined;
}

/** What running a piece of code did. */
export interface Trace {
  readonly start: Snapshot;
  readonly end: Snapshot;
  /** How the last instruction ended, and with it the run. */
  readonly execution: Execution;
  /** Instructions that were executed and, last, the one that faulted. */
  readonly instructions: readonly TracedInstruction[];
  /** How many were executed to their end. */
  readonly executed: number;
  /** Where it ended: behind the code, or at what faulted or is not modelled. */
  readonly offset: number;
}

type Cpu = Bench['cpu'];

/** Runs all of the code, or as much as comes before a fault or an instruction that is not modelled. */
export function traceOf({ cpu }: Bench, code: Uint8Array): Trace {
  cpu.emit({ type: 'execution-started', at: CODE_BASE });
  const start = snapshotOf(cpu.state);
  const instructions: TracedInstruction[] = [];
  let execution: Execution = { end: 'ran-to-end', instructions: 0 };
  let executed = 0;
  let offset = 0;
  while (offset < code.length && execution.end === 'ran-to-end') {
    const step = oneInstruction(cpu, code, offset);
    execution = step.execution;
    if (execution.end !== 'not-modelled') instructions.push(step.traced);
    executed += execution.instructions;
    offset = Number(cpu.state.rip - CODE_BASE);
  }
  return { start, end: snapshotOf(cpu.state), execution, instructions, executed, offset };
}

function oneInstruction(cpu: Cpu, code: Uint8Array, offset: number) {
  const instruction = decode(code, offset, cpu.state.mode);
  const { length, invalid, memory } = instruction;
  const before = snapshotOf(cpu.state);
  const area = areaOf(cpu, instruction);
  const header = area && headerOf(cpu, area);
  const start = memory && !memory.vsib ? cpu.operandAddress(instruction) : 0n;
  const events: ProcessorEvent[] = [];
  const subscription = cpu.events$.subscribe((event) => {
    // Every instruction is an execution of its own, which is nothing to tell.
    if (event.type !== 'execution-started') events.push(event);
  });
  // What is no instruction ends the run: it needs the bytes behind it, to be seen as too long.
  const bytes = code.subarray(offset, invalid ? undefined : offset + length);
  const execution = execute(cpu, { base: CODE_BASE + BigInt(offset), bytes });
  subscription.unsubscribe();
  const after = snapshotOf(cpu.state);
  const traced: TracedInstruction = {
    offset,
    bytes: bytes.subarray(0, Math.max(1, length)),
    text: formatInstruction(instruction),
    instruction,
    before,
    after,
    area,
    header,
    events,
    changes: changesOf({ model: cpu.model, mode: cpu.state.mode }, before, after),
    writes: events.flatMap((event) =>
      event.type === 'memory-written' ? [namedWrite({ area, start, instruction, event })] : [],
    ),
    fault: execution.end === 'fault' ? execution.fault : undefined,
  };
  return { traced, execution };
}
