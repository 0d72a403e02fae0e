/** Compares what the model did with what the processor did, and names the first difference. */
import {
  ARITHMETIC_FLAGS,
  SSE,
  X87,
  bitsOf,
  componentName,
  fullTagWord,
  readMsr,
  sseInUse,
  stackOrder,
  vectorName,
  type X87State,
} from '@fpulab/core';
import {
  COMPONENT_BITS,
  COMPONENT_KEYS,
  GENERAL_REGISTERS,
  bytesOf,
  type Vector,
  type VectorFile,
  type X87View,
} from './format';
import type { Run } from './run';

/** Where model and processor differ first. */
export interface Difference {
  /** `fault`, `memory`, `x87`, `zmm_hi256`, `mxcsr`, `registers`, `xinuse`, `control`, ... */
  readonly component: string;
  /** What of it: `FIP of FXSAVE`, `ST3`, `rax`. */
  readonly field: string;
  /** Offset of the first byte that differs, where bytes are compared. */
  readonly byte?: number;
  readonly expected: string;
  readonly found: string;
}

type Check = (file: VectorFile, vector: Vector, run: Run) => Difference | undefined;

/** The checks, in the order in which a reader wants to hear of a difference. */
const CHECKS: readonly Check[] = [
  compareFault,
  compareMemory,
  compareX87,
  compareMxcsr,
  compareComponents,
  compareInUse,
  compareRegisters,
  compareFlags,
  compareControl,
  compareMsrs,
];

/**
 * The first difference, if any. What the model says it does not know (the result of an arithmetic instruction) is not compared, nor
 * what the format says not to compare.
 */
export function compare(file: VectorFile, vector: Vector, run: Run): Difference | undefined {
  for (const check of CHECKS) {
    const difference = check(file, vector, run);
    if (difference) return difference;
  }
  return undefined;
}

/** True when the model did not compute all that the vector records; flags do not count, the manuals leave some undefined. */
export function isUndetermined({ cpu }: Run): boolean {
  const { components, mxcsr, registers, memory } = cpu.state.undetermined;
  return components !== 0 || mxcsr || registers !== 0 || memory.length > 0;
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

function differs(
  component: string,
  field: string,
  expected: number | bigint,
  found: number | bigint,
): Difference | undefined {
  return BigInt(expected) === BigInt(found)
    ? undefined
    : { component, field, expected: hex(expected), found: hex(found) };
}

function first(...candidates: readonly (Difference | undefined)[]): Difference | undefined {
  return candidates.find((candidate) => candidate !== undefined);
}

function compareFault(file: VectorFile, { out }: Vector, { cpu, execution }: Run): Difference | undefined {
  const expected = out.fault && `${out.fault.name} at ${out.fault.rip}`;
  if (execution.end === 'not-modelled') {
    return {
      component: 'fault',
      field: 'decoding',
      expected: expected ?? 'none',
      found: `${execution.why} (${execution.instruction.mnemonic})`,
    };
  }
  const raised = execution.end === 'fault' ? execution.fault : undefined;
  const rip = cpu.state.rip - BigInt(file.memory.code_base);
  const found = raised && `${vectorName(raised.vector)} at ${rip} (${raised.reason})`;
  if ((out.fault?.vec ?? -1) !== (raised?.vector ?? -1)) {
    return { component: 'fault', field: 'vector', expected: expected ?? 'none', found: found ?? 'none' };
  }
  if (!out.fault || !raised) return undefined;
  return first(
    differs('fault', 'RIP', out.fault.rip, rip),
    differs('fault', 'error code', BigInt(out.fault.err), raised.errorCode),
    out.fault.cr2 === undefined ? undefined : differs('fault', 'CR2', BigInt(out.fault.cr2), raised.address ?? 0n),
  );
}

function compareMemory(file: VectorFile, { out }: Vector, { cpu, memory, memoryBefore }: Run): Difference | undefined {
  const expected = memoryBefore.slice();
  for (const [offset, text] of out.mem) expected.set(bytesOf(file, text), offset);
  const base = BigInt(file.memory.base);
  const unknown = cpu.state.undetermined.memory.map(({ address, length }) => ({
    from: Number(address - base),
    length,
  }));
  const isUnknown = (at: number): boolean => unknown.some(({ from, length }) => at >= from && at < from + length);
  return bytesDiffer('memory', 'bytes', expected, memory, isUnknown);
}

function bytesDiffer(
  component: string,
  field: string,
  expected: Uint8Array,
  found: Uint8Array,
  ignored: (at: number) => boolean = () => false,
): Difference | undefined {
  if (Buffer.compare(expected, found) === 0) return undefined;
  const byte = expected.findIndex((value, at) => value !== found[at] && !ignored(at));
  return byte < 0 ? undefined : { component, field, byte, expected: hex(expected[byte]), found: hex(found[byte]) };
}

function compareX87(file: VectorFile, vector: Vector, { cpu }: Run): Difference | undefined {
  if (cpu.state.undetermined.components & (1 << X87)) return undefined;
  const expected = file.x87[vector.out.state?.x87 ?? file.states[vector.state].visible.x87];
  const number = (field: string, want: string, found: number | bigint): Difference | undefined =>
    differs('x87', field, BigInt(want), found);
  const shown = cpu.state.x87;
  const stored = cpu.storedX87();
  const selectorsUnknown = vector.out.fault !== null && file.source.kind === 'silicon';
  const selector = (field: string, want: string, found: number): Difference | undefined =>
    selectorsUnknown ? undefined : number(field, want, found);
  return first(
    number('FCW', expected.fcw, shown.fcw),
    number('FSW', expected.fsw, shown.fsw),
    number('FTW', expected.ftw, shown.ftw),
    number('tag word of FNSTENV', expected.fnstenv.tag, fullTagWord(shown)),
    stackDiffers(file, expected, shown),
    number('FOP of XSAVE64', expected.xsave64.fop, stored.fop),
    number('FIP of XSAVE64', expected.xsave64.fip, stored.fip),
    number('FDP of XSAVE64', expected.xsave64.fdp, stored.fdp),
    number('FIP of FXSAVE', expected.fxsave.fip, low32(stored.fip)),
    number('FDP of FXSAVE', expected.fxsave.fdp, low32(stored.fdp)),
    selector('FCS of FXSAVE', expected.fxsave.fcs, stored.fcs),
    selector('FDS of FXSAVE', expected.fxsave.fds, stored.fds),
    number('FIP of FNSTENV', expected.fnstenv.fip, low32(shown.fip)),
    number('FOP of FNSTENV', expected.fnstenv.fop, shown.fop),
    number('FDP of FNSTENV', expected.fnstenv.fdp, low32(shown.fdp)),
    selector('FCS of FNSTENV', expected.fnstenv.fcs, shown.fcs),
    selector('FDS of FNSTENV', expected.fnstenv.fds, shown.fds),
  );
}

function stackDiffers(file: VectorFile, { st }: X87View, shown: X87State): Difference | undefined {
  const stack = stackOrder(shown);
  return first(
    ...st.map((text, index) =>
      bytesDiffer('x87', `ST${index}`, bytesOf(file, text), stack.slice(10 * index, 10 * index + 10)),
    ),
  );
}

function low32(value: bigint): bigint {
  return value & 0xffff_ffffn;
}

function compareMxcsr(file: VectorFile, { out, state }: Vector, { cpu }: Run): Difference | undefined {
  if (cpu.state.undetermined.mxcsr) return undefined;
  return differs('mxcsr', 'MXCSR', BigInt(out.state?.mxcsr ?? file.states[state].load.mxcsr), cpu.state.mxcsr);
}

function compareComponents(file: VectorFile, { out, state }: Vector, { cpu }: Run): Difference | undefined {
  const { load } = file.states[state];
  for (const key of COMPONENT_KEYS) {
    const bit = COMPONENT_BITS[key];
    const exists = bit === SSE || cpu.model.components.some((component) => component.bit === bit);
    if (!exists && out.state?.[key] !== undefined) return absentComponent(bit, out.state[key], cpu.model.id);
    if (!exists || cpu.state.undetermined.components & (1 << bit)) continue;
    const loaded = Number(load.bv) & (1 << bit) ? load[key] : undefined;
    const text = out.state?.[key] ?? loaded;
    const found = cpu.component(bit);
    const expected = text === undefined ? new Uint8Array(found.length) : bytesOf(file, text);
    // Bytes 7:4 of the PKRU component are no register: emulators differ.
    const difference = bytesDiffer(componentName(bit), 'bytes', expected, found, (at) => key === 'pkru' && at >= 4);
    if (difference) return difference;
  }
  return undefined;
}

function absentComponent(bit: number, expected: string, model: string): Difference {
  return {
    component: componentName(bit),
    field: 'bytes',
    expected,
    found: `no such component in the model '${model}'`,
  };
}

/** XINUSE and XSTATE_BV as 64-bit code with all components enabled sees them afterwards. QEMU calls everything in use. */
function compareInUse(file: VectorFile, { out }: Vector, { cpu }: Run): Difference | undefined {
  const { undetermined, mxcsr, inUse } = cpu.state;
  const all = cpu.model.xcr0;
  if (file.source.emulator?.startsWith('QEMU')) return undefined;
  const unknownMxcsr = undetermined.mxcsr ? 1 << SSE : 0;
  const ignored = Number(out.xinuse_unreliable ?? 0) | undetermined.components | unknownMxcsr;
  const sse = sseInUse(mxcsr);
  const marked = cpu.deviates('xsave-marks-mxcsr') ? sse : 0;
  const supervisor =
    out.sup_xinuse === undefined
      ? undefined
      : differs('xinuse', 'supervisor components', BigInt(out.sup_xinuse), inUse & cpu.model.xss);
  return first(
    maskDiffers('XGETBV(1)', Number(out.xinuse), (inUse | sse) & all, ignored),
    maskDiffers('XSTATE_BV of XSAVE64', Number(out.bv), (inUse | marked) & all, ignored),
    supervisor,
  );
}

function maskDiffers(field: string, expected: number, found: number, ignored: number): Difference | undefined {
  const difference = (expected ^ found) & ~ignored;
  if (difference === 0) return undefined;
  return { component: componentName(bitsOf(difference)[0]), field, expected: hex(expected), found: hex(found) };
}

/** Registers that are always captured; others only when they changed. */
const CAPTURED_REGISTERS: readonly string[] = ['rax', 'rcx', 'rdx', 'rbx', 'rsi', 'rdi'];

function compareRegisters(_file: VectorFile, { out }: Vector, { cpu, before }: Run): Difference | undefined {
  for (const [register, name] of GENERAL_REGISTERS.entries()) {
    const expected = out.regs?.[name];
    const compared = expected !== undefined || CAPTURED_REGISTERS.includes(name);
    if (!compared || cpu.state.undetermined.registers & (1 << register)) continue;
    const wanted = expected === undefined ? before.registers[register] : BigInt(expected);
    const difference = differs('registers', name, wanted, cpu.register(register));
    if (difference) return difference;
  }
  return undefined;
}

function compareFlags(_file: VectorFile, { out }: Vector, { cpu, before }: Run): Difference | undefined {
  const known = ARITHMETIC_FLAGS & ~cpu.state.undetermined.flags;
  const expected = out.flags === undefined ? before.rflags : BigInt(out.flags);
  return differs('registers', 'arithmetic flags', expected & known, cpu.state.rflags & known);
}

function compareControl(_file: VectorFile, { out }: Vector, { cpu, before }: Run): Difference | undefined {
  for (const register of ['cr0', 'cr4', 'xcr0', 'xss', 'efer'] as const) {
    const expected = out.ctl?.[register];
    const difference = differs(
      'control',
      register.toUpperCase(),
      expected === undefined ? before.control[register] : BigInt(expected),
      cpu.control[register],
    );
    if (difference) return difference;
  }
  return undefined;
}

function compareMsrs(file: VectorFile, { out, state }: Vector, { cpu }: Run): Difference | undefined {
  const loaded = file.states[state].load.msr ?? {};
  const after = out.msr ?? {};
  for (const msr of new Set([...Object.keys(loaded), ...Object.keys(after)])) {
    const difference = differs('msr', msr, BigInt(after[msr] ?? loaded[msr]), readMsr(cpu, Number(msr)) ?? 0n);
    if (difference) return difference;
  }
  return undefined;
}
