/** Vectors with one thing wrong in what they say the processor did, and the difference that has to be reported for it. */
import { bitsOf, componentName } from '@fpulab/core';
import { bytesOf, runVector, type Difference, type Vector, type VectorFile } from '../src';
import { COMPONENT_BITS, COMPONENT_KEYS, type ComponentKey, type X87View } from '../src/format';
import type { Sample } from './captured';

/** A vector that is wrong in one thing. */
export interface Mutant {
  readonly file: VectorFile;
  readonly vector: Vector;
  /** What the report has to say, as far as it is about the place. */
  readonly difference: Partial<Difference>;
}

type Out = Vector['out'];

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
const flipped = (text: string, bit = 1n): string => hex(BigInt(text) ^ bit);
const bytes = (value: Uint8Array): string => Buffer.from(value).toString('hex');

function mutant({ file, vector }: Sample, out: Partial<Out>, difference: Partial<Difference>): Mutant {
  return { file, vector: { ...vector, out: { ...vector.out, ...out } }, difference };
}

function memory(sample: Sample): readonly Mutant[] {
  const { file, vector } = sample;
  const after = new Uint8Array(file.memory.size).fill(vector.mem.fill);
  for (const [offset, text] of [...vector.mem.init, ...vector.out.mem]) after.set(bytesOf(file, text), offset);
  // The last byte of each changed range, and the last byte there is, which nothing writes to.
  const ends = vector.out.mem.map(([offset, text]) => offset + bytesOf(file, text).length - 1);
  return [...new Set([...ends, file.memory.size - 1])].map((byte) => {
    const wrong = after[byte] ^ 0x10;
    const mem: Out['mem'] = [...vector.out.mem, [byte, bytes(Uint8Array.of(wrong))]];
    return mutant(
      sample,
      { mem },
      { component: 'memory', field: 'bytes', byte, expected: hex(wrong), found: hex(after[byte]) },
    );
  });
}

const GENERAL = { rax: 'eax', rbx: 'ebx', rcx: 'ecx', rdx: 'edx', rsi: 'esi', rdi: 'edi' } as const;

function registers(sample: Sample): readonly Mutant[] {
  const { regs, out } = sample.vector;
  return (Object.keys(GENERAL) as (keyof typeof GENERAL)[]).map((name) => {
    const found = BigInt(out.regs?.[name] ?? regs[GENERAL[name]] ?? 0);
    const expected = hex(found ^ (1n << 33n));
    return mutant(
      sample,
      { regs: { ...out.regs, [name]: expected } },
      { component: 'registers', field: name, expected, found: hex(found) },
    );
  });
}

const CARRY = 1n;

function flags(sample: Sample): readonly Mutant[] {
  const { file, vector, model } = sample;
  const { cpu } = runVector(file, vector, model);
  if (cpu.state.undetermined.flags & CARRY) return [];
  const wrong = hex((cpu.state.rflags & 0x8d5n) ^ CARRY);
  return [mutant(sample, { flags: wrong }, { component: 'registers', field: 'arithmetic flags' })];
}

function faults(sample: Sample): readonly Mutant[] {
  const { fault } = sample.vector.out;
  if (!fault) {
    const raised = { vec: 13, name: '#GP', err: '0x0', rip: 0 };
    return [mutant(sample, { fault: raised }, { component: 'fault', expected: '#GP at 0', found: 'none' })];
  }
  const wrong = (change: Partial<typeof fault>, difference: Partial<Difference>): Mutant =>
    mutant(sample, { fault: { ...fault, ...change } }, { component: 'fault', ...difference });
  return [
    mutant(sample, { fault: null }, { component: 'fault', expected: 'none' }),
    wrong({ vec: 1, name: '#DB' }, { expected: `#DB at ${fault.rip}` }),
    wrong({ rip: fault.rip + 1 }, { field: 'RIP', expected: hex(fault.rip + 1), found: hex(fault.rip) }),
    wrong({ err: flipped(fault.err) }, { field: 'error code', found: fault.err, expected: flipped(fault.err) }),
    ...(fault.cr2 === undefined
      ? []
      : [wrong({ cr2: flipped(fault.cr2) }, { field: 'CR2', expected: flipped(fault.cr2) })]),
  ];
}

/** The bytes of a component after the code, as the vector has them. */
function componentAfter({ file, vector }: Sample, key: ComponentKey, size: number): Uint8Array {
  const { load } = file.states[vector.state];
  const loaded = Number(load.bv) & (1 << COMPONENT_BITS[key]) ? load[key] : undefined;
  const text = vector.out.state?.[key] ?? loaded;
  return text === undefined ? new Uint8Array(size) : bytesOf(file, text);
}

function sizeOf({ model }: Sample, key: ComponentKey): number | undefined {
  if (key === 'xmm') return 256;
  return model.components.find(({ bit }) => bit === COMPONENT_BITS[key])?.size;
}

function components(sample: Sample): readonly Mutant[] {
  return COMPONENT_KEYS.flatMap((key) => {
    const size = sizeOf(sample, key);
    if (size === undefined) return [];
    // Bytes 7:4 of PKRU are not compared.
    const places = key === 'pkru' ? [0, 3] : [0, size / 2, size - 1];
    return places.map((byte) => {
      const value = componentAfter(sample, key, size).slice();
      const found = hex(value[byte]);
      value[byte] ^= 0x80;
      return mutant(
        sample,
        { state: { ...sample.vector.out.state, [key]: bytes(value) } },
        {
          component: componentName(COMPONENT_BITS[key]),
          field: 'bytes',
          byte,
          expected: hex(value[byte]),
          found,
        },
      );
    });
  });
}

/** Fields of a view, by the name that a report gives them. */
const X87_FIELDS = {
  FCW: ['fcw'],
  FSW: ['fsw'],
  FTW: ['ftw'],
  'tag word of FNSTENV': ['fnstenv', 'tag'],
  'FOP of XSAVE64': ['xsave64', 'fop'],
  'FIP of XSAVE64': ['xsave64', 'fip'],
  'FDP of XSAVE64': ['xsave64', 'fdp'],
  'FIP of FXSAVE': ['fxsave', 'fip'],
  'FDP of FXSAVE': ['fxsave', 'fdp'],
  'FCS of FXSAVE': ['fxsave', 'fcs'],
  'FDS of FXSAVE': ['fxsave', 'fds'],
  'FIP of FNSTENV': ['fnstenv', 'fip'],
  'FOP of FNSTENV': ['fnstenv', 'fop'],
  'FDP of FNSTENV': ['fnstenv', 'fdp'],
  'FCS of FNSTENV': ['fnstenv', 'fcs'],
  'FDS of FNSTENV': ['fnstenv', 'fds'],
} as const;

type X87Field = keyof typeof X87_FIELDS;

const isSelector = (field: X87Field): boolean => /^F[CD]S/.test(field);
const isSelectorLost = ({ file, vector }: Sample): boolean =>
  vector.out.fault !== null && file.source.kind === 'silicon';

function viewOf({ file, vector }: Sample): X87View {
  return file.x87[vector.out.state?.x87 ?? file.states[vector.state].visible.x87];
}

/** A vector that points to this view. */
function withView(sample: Sample, view: X87View, difference: Partial<Difference>): Mutant {
  const made = mutant(sample, { state: { ...sample.vector.out.state, x87: 'wrong' } }, difference);
  return { ...made, file: { ...sample.file, x87: { ...sample.file.x87, wrong: view } } };
}

function withWrongField(sample: Sample, field: X87Field): Mutant {
  const view = structuredClone(viewOf(sample)) as unknown as Record<string, Record<string, string>>;
  const path: readonly string[] = X87_FIELDS[field];
  const holder = (path.length === 1 ? view : view[path[0]]) as Record<string, string>;
  const last = path[path.length - 1];
  const found = hex(BigInt(holder[last]));
  holder[last] = flipped(found);
  const difference = { component: 'x87', field, expected: holder[last], found };
  return withView(sample, view as unknown as X87View, difference);
}

function x87Fields(sample: Sample): readonly Mutant[] {
  const fields = Object.keys(X87_FIELDS) as readonly X87Field[];
  const compared = fields.filter((field) => !isSelector(field) || !isSelectorLost(sample));
  return compared.map((field) => withWrongField(sample, field));
}

function x87Registers(sample: Sample): readonly Mutant[] {
  const view = viewOf(sample);
  return view.st.map((text, index) => {
    const value = bytesOf(sample.file, text).slice();
    const byte = (3 * index) % value.length;
    const found = hex(value[byte]);
    value[byte] ^= 1;
    const st = view.st.map((other, at) => (at === index ? bytes(value) : other));
    const difference = { component: 'x87', field: `ST${index}`, byte, expected: hex(value[byte]), found };
    return withView(sample, { ...view, st }, difference);
  });
}

function mxcsr(sample: Sample): readonly Mutant[] {
  const { file, vector } = sample;
  const found = vector.out.state?.mxcsr ?? file.states[vector.state].load.mxcsr;
  const state = { ...vector.out.state, mxcsr: flipped(found) };
  return [mutant(sample, { state }, { component: 'mxcsr', field: 'MXCSR', expected: flipped(found) })];
}

const isQemu = ({ file }: Sample): boolean => file.source.emulator === 'QEMU TCG';

function inUse(sample: Sample): readonly Mutant[] {
  if (isQemu(sample)) return [];
  const { model, vector } = sample;
  const reliable = model.xcr0 & ~Number(vector.out.xinuse_unreliable ?? 0);
  const { xinuse, bv, sup_xinuse: supervisor } = vector.out;
  const user = bitsOf(reliable).flatMap((bit) => {
    const component = componentName(bit);
    const other = (text: string): string => flipped(text, 1n << BigInt(bit));
    return [
      mutant(sample, { xinuse: other(xinuse) }, { component, field: 'XGETBV(1)', expected: other(xinuse) }),
      mutant(sample, { bv: other(bv) }, { component, field: 'XSTATE_BV of XSAVE64', expected: other(bv) }),
    ];
  });
  if (supervisor === undefined) return user;
  const wrong = { component: 'xinuse', field: 'supervisor components' };
  return [...user, ...[0x800n, 0x1000n].map((bit) => mutant(sample, { sup_xinuse: flipped(supervisor, bit) }, wrong))];
}

function control(sample: Sample): readonly Mutant[] {
  const { file, vector, model } = sample;
  const { before } = runVector(file, vector, model);
  return (['cr0', 'cr4', 'xcr0', 'xss', 'efer'] as const).map((name) => {
    const expected = flipped(vector.out.ctl?.[name] ?? hex(before.control[name]), 1n << 20n);
    const ctl = { ...vector.out.ctl, [name]: expected };
    return mutant(sample, { ctl }, { component: 'control', field: name.toUpperCase(), expected });
  });
}

function msrs(sample: Sample): readonly Mutant[] {
  const { file, vector } = sample;
  const all = { ...file.states[vector.state].load.msr, ...vector.out.msr };
  return Object.entries(all).map(([msr, value]) =>
    mutant(
      sample,
      { msr: { ...vector.out.msr, [msr]: flipped(value) } },
      { component: 'msr', field: msr, expected: flipped(value) },
    ),
  );
}

/** What can be wrong in a vector, by its name. */
export const WRONG: Readonly<Record<string, (sample: Sample) => readonly Mutant[]>> = {
  'the fault': faults,
  'a byte of memory': memory,
  'a field of x87': x87Fields,
  'an x87 register': x87Registers,
  MXCSR: mxcsr,
  'a byte of a component': components,
  'a bit of XINUSE or XSTATE_BV': inUse,
  'a general register': registers,
  'an arithmetic flag': flags,
  'a control register': control,
  'an MSR': msrs,
};

function unreliableBits(sample: Sample): readonly Mutant[] {
  const { xinuse, bv, xinuse_unreliable: unreliable } = sample.vector.out;
  return bitsOf(Number(unreliable ?? 0)).map((bit) => {
    const mask = 1n << BigInt(bit);
    return mutant(sample, { xinuse: flipped(xinuse, mask), bv: flipped(bv, mask) }, {});
  });
}

function lostSelectors(sample: Sample): readonly Mutant[] {
  if (!isSelectorLost(sample)) return [];
  const fields = (Object.keys(X87_FIELDS) as readonly X87Field[]).filter(isSelector);
  return fields.map((field) => withWrongField(sample, field));
}

function upperPkru(sample: Sample): readonly Mutant[] {
  const size = sizeOf(sample, 'pkru');
  if (size === undefined) return [];
  const value = componentAfter(sample, 'pkru', size).slice().fill(0xff, 4);
  return [mutant(sample, { state: { ...sample.vector.out.state, pkru: bytes(value) } }, {})];
}

function qemuInUse(sample: Sample): readonly Mutant[] {
  if (!isQemu(sample)) return [];
  const { xinuse, bv } = sample.vector.out;
  return [mutant(sample, { xinuse: flipped(xinuse), bv: flipped(bv, 2n) }, {})];
}

/** What the format says not to compare, by its name. */
export const NOT_COMPARED: Readonly<Record<string, (sample: Sample) => readonly Mutant[]>> = {
  'bits that the fault path of the operating system disturbs': unreliableBits,
  'FCS and FDS after a fault on silicon': lostSelectors,
  'bytes 7:4 of the PKRU component': upperPkru,
  'XINUSE and XSTATE_BV of QEMU': qemuInUse,
  'whether a capture was stable': (sample) => [mutant(sample, { unstable: true }, {})],
};
