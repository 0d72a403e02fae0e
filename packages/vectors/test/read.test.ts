import { gunzipSync, gzipSync } from 'node:zlib';
import { isFpuError } from '@fpulab/core';
import { judge, processorOf, readVectorFile, runVector, type Vector, type VectorFile } from '../src';
import { rawFile } from './captured';

const NAME = 'some/where.json.gz';
const ORIGINAL = gunzipSync(rawFile('bochs-osfxsr.json.gz')).toString('utf8');

/** The file as JSON that can be written to, with types for what is changed here. */
interface Editable {
  format: string;
  count: unknown;
  cpuid: string[];
  memory: Record<string, unknown>;
  source: Record<string, unknown>;
  x87: Record<string, Record<string, unknown>>;
  blobs: Record<string, unknown>;
  states: Record<string, { load: Record<string, unknown>; visible: Record<string, unknown> }>;
  vectors: (Record<string, unknown> & {
    id: string;
    regs: Record<string, unknown>;
    mem: { fill: unknown; init: unknown[] };
    out: Record<string, unknown>;
  })[];
}

function edited(edit: (file: Editable) => void): Buffer {
  const file = JSON.parse(ORIGINAL) as Editable;
  edit(file);
  return Buffer.from(JSON.stringify(file));
}

const read = (data: Uint8Array): VectorFile => readVectorFile(data, NAME);

/** The error of reading this. */
function refusal(data: Uint8Array): { readonly code: string; readonly message: string; readonly detail: object } {
  try {
    read(data);
  } catch (error) {
    if (!isFpuError(error)) throw error;
    return { code: error.code, message: error.message, detail: error.detail };
  }
  throw new Error('it was read');
}

describe('readVectorFile', () => {
  it('reads gzip and plain JSON alike', () => {
    expect(read(Buffer.from(ORIGINAL))).toEqual(read(gzipSync(ORIGINAL)));
    expect(read(Buffer.from(ORIGINAL)).vectors).toHaveLength(22);
  });

  it('allows keys that it does not read', () => {
    const file = read(edited((doc) => Object.assign(doc, { remark: 'more' })));
    expect(file.vectors).toHaveLength(22);
  });

  it('takes hexadecimal digits of either case', () => {
    const upper = edited(({ vectors }) => {
      for (const vector of vectors) {
        vector.code = String(vector.code).toUpperCase();
        vector.regs.edi = String(vector.regs.edi).toUpperCase();
      }
    });
    expect(judge([{ name: NAME, file: read(upper) }])).toMatchObject({ passed: 22, failed: 0 });
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['gzip that is cut off', gzipSync(ORIGINAL).subarray(0, 1000), /the gzip data is damaged/],
    ['gzip with a changed byte', gzipSync(ORIGINAL).map((byte, at) => (at === 500 ? byte ^ 0xff : byte)), /damaged/],
    ['nothing at all', new Uint8Array(0), /not JSON/],
    ['text', Buffer.from('format: 1'), /not JSON/],
    ['binary data', Uint8Array.of(0, 1, 2, 3), /not JSON/],
    ['JSON that is cut off', Buffer.from(ORIGINAL.slice(0, 5000)), /not JSON/],
    ['a list', Buffer.from('[]'), /the file: .*expected object/],
    ['another document', Buffer.from('{"schema":"fpulab/cpu@1"}'), /format: .*"fpu-vectors-1"/],
    ['null', Buffer.from('null'), /the file: .*expected object/],
    ['vectors that are no list', Buffer.from('{"format":"fpu-vectors-1","vectors":{"0":null}}'), /source: /],
  ])('refuses %s', (_what, data, message) => {
    expect(refusal(data)).toMatchObject({
      code: 'FPU601',
      message: expect.stringMatching(message) as string,
      detail: { file: NAME, hint: 'the format is described in docs/vectors.md' },
    });
    expect(refusal(data).message).toContain(`${NAME} is not a file of vectors`);
  });

  it.each<[string, (file: Editable) => void, string]>([
    ['of another version', (file) => (file.format = 'fpu-vectors-2'), 'format: '],
    ['of no version', (file) => delete (file as Partial<Editable>).format, 'format: '],
    ['without states', (file) => delete (file as Partial<Editable>).states, 'states: '],
    ['without the memory', (file) => delete (file as Partial<Editable>).memory, 'memory: '],
    ['without XCR0', ({ source }) => delete source.xcr0, 'source.xcr0: '],
    [
      'with XCR0 of more than 32 bits',
      ({ source }) => (source.xcr0 = '0x100000000'),
      'source.xcr0: expected at most 32',
    ],
    ['with an unknown privilege level', ({ source }) => (source.cpl = 1), 'source.cpl: '],
    ['with memory of no bytes', ({ memory }) => (memory.size = 0), 'memory.size: '],
    [
      'with a number that is not hexadecimal',
      ({ memory }) => (memory.base = '184549376'),
      'memory.base: expected a hex',
    ],
    ['with a number of more than 64 bits', ({ memory }) => (memory.base = `0x1${'0'.repeat(16)}`), 'memory.base: '],
    ['with a malformed CPUID line', ({ cpuid }) => cpuid.push('d.2 100'), 'expected "leaf.sub eax ebx ecx edx"'],
    ['with a count that is no number', (file) => (file.count = '22'), 'count: '],
    ['with another count', (file) => (file.count = 23), 'count says 23, the file has 22 vectors'],
    ['with a blob that is not hexadecimal', ({ blobs }) => (blobs.b0 = 'xyz'), 'blobs.b0: expected hex digits'],
    ['with half a byte', ({ blobs }) => (blobs.b0 = 'abc'), 'blobs.b0: expected hex digits'],
    ['with an x87 view without FNSTENV', ({ x87 }) => delete Object.values(x87)[0].fnstenv, '.fnstenv: '],
    ['with seven x87 registers', ({ x87 }) => (Object.values(x87)[0].st as string[]).pop(), '.st: '],
    [
      'with an x87 register of nine bytes',
      ({ x87 }) => ((Object.values(x87)[0].st as string[])[2] = '0*9'),
      'st[2] has 9 bytes, expected 10',
    ],
    [
      'with an x87 register in a blob that is not there',
      ({ x87 }) => ((Object.values(x87)[0].st as string[])[7] = '@b999'),
      "st[7]: no blob 'b999'",
    ],
  ])('refuses a file %s', (_what, edit, where) => {
    const { code, message } = refusal(edited(edit));
    expect(code).toBe('FPU601');
    expect(message).toContain(where);
  });

  const firstState = ({ states }: Editable): Editable['states'][string] => Object.values(states)[0];
  it.each<[string, (file: Editable) => void, string]>([
    ['without MXCSR', (file) => delete firstState(file).load.mxcsr, '.load.mxcsr: '],
    ['that was loaded in an unknown way', (file) => (firstState(file).load.form = 'frstor'), '.load.form: '],
    [
      'with a component that is too short',
      (file) => (firstState(file).load.xmm = '00'),
      'xmm has 1 bytes, expected 256',
    ],
    [
      'with a component of zeros that is too long',
      (file) => (firstState(file).load.k = '0*65'),
      'k has 65 bytes, expected 64',
    ],
    ['with a blob that is not there', (file) => (firstState(file).load.ymmh = '@b999'), "ymmh: no blob 'b999'"],
    ['with a view that is not there', (file) => (firstState(file).visible.x87 = 'f999'), "no x87 view 'f999'"],
  ])('refuses a state %s', (_what, edit, where) => {
    const key = Object.keys((JSON.parse(ORIGINAL) as Editable).states)[0];
    const { code, message } = refusal(edited(edit));
    expect(code).toBe('FPU601');
    expect(message).toMatch(new RegExp(`state(s\\.| )${key}`));
    expect(message).toContain(where);
  });

  it.each<[string, (vector: Editable['vectors'][number]) => void, string]>([
    ['without code', (vector) => delete vector.code, 'code: '],
    [
      'with code that is not hexadecimal',
      (vector) => (vector.code = '0fzz'),
      'code: expected hex digits, "@bN" or "0*N"',
    ],
    ['with half a byte of code', (vector) => (vector.code = '0fa'), 'code: expected hex digits'],
    ['with code in a blob that is not there', (vector) => (vector.code = '@b999'), "no blob 'b999'"],
    ['in 16-bit mode', (vector) => (vector.mode = 16), 'mode: '],
    ['with a register that is no number', (vector) => (vector.regs.eax = 7), 'regs.eax: '],
    ['in a state that is not there', (vector) => (vector.state = 's999'), "no state 's999'"],
    ['in a state that every object has', (vector) => (vector.state = 'toString'), "no state 'toString'"],
    ['with a register that is none', (vector) => (vector.out.regs = { rip: '0x0' }), 'out.regs'],
    ['whose memory is filled with no byte', (vector) => (vector.mem.fill = 256), 'mem.fill: '],
    ['with memory before the first byte', (vector) => vector.mem.init.push([-1, '00']), 'mem.init.'],
    [
      'with memory behind the last byte',
      (vector) => vector.mem.init.push([16383, '0000']),
      'memory at 16383 ends at 16385, behind the 16384 bytes there are',
    ],
    [
      'with memory from a blob that is not there',
      (vector) => vector.mem.init.push([0, '@b999']),
      "memory at 0: no blob 'b999'",
    ],
    ['without an outcome', (vector) => delete (vector as { out?: unknown }).out, 'out: '],
    ['that says nothing about a fault', (vector) => delete vector.out.fault, 'out.fault: '],
    [
      'with a fault without RIP',
      (vector) => (vector.out.fault = { vec: 13, name: '#GP', err: '0x0' }),
      'out.fault.rip: ',
    ],
    [
      'with changed memory behind the last byte',
      (vector) => (vector.out.mem = [[16384, '00']]),
      'memory at 16384 ends at 16385',
    ],
    [
      'with a changed component that is too long',
      (vector) => (vector.out.state = { pkru: '0*9' }),
      'pkru has 9 bytes, expected 8',
    ],
    ['with an x87 view that is not there', (vector) => (vector.out.state = { x87: 'f999' }), "no x87 view 'f999'"],
    ['without XINUSE', (vector) => delete vector.out.xinuse, 'out.xinuse: '],
    ['with an unknown control register', (vector) => (vector.out.ctl = { cr0: 'on' }), 'out.ctl.cr0: '],
  ])('refuses a vector %s, and says which', (_what, edit, where) => {
    const { code, message } = refusal(edited(({ vectors }) => edit(vectors[3])));
    expect(code).toBe('FPU601');
    expect(message).toContain(`vector ${(JSON.parse(ORIGINAL) as Editable).vectors[3].id}`);
    expect(message).toContain(where);
  });

  it('refuses an id that is there twice', () => {
    const { message } = refusal(edited(({ vectors }) => (vectors[3].id = vectors[5].id)));
    expect(message).toMatch(/vector bochs-osfxsr-\d+: the id is there twice/);
  });

  it('names the place where a vector has no id', () => {
    const { message } = refusal(edited(({ vectors }) => delete (vectors[3] as { id?: string }).id));
    expect(message).toContain('vectors.3.id: ');
  });
});

describe('processorOf', () => {
  const processor = (edit: (file: Editable) => void) => () => processorOf(read(edited(edit)), NAME);

  it.each<[string, (file: Editable) => void, string]>([
    ['an emulator', ({ source }) => (source.emulator = 'Simics'), 'Simics'],
    ['a CPU model of an emulator', ({ source }) => (source.version = 'CPU model p4_prescott'), 'p4_prescott'],
    [
      'silicon',
      (file) =>
        (file.source = { ...file.source, kind: 'silicon', emulator: undefined, vendor: 'GenuineIntel', family: 6 }),
      'GenuineIntel 6',
    ],
  ])('refuses %s that no CPU model stands for', (_what, edit, named) => {
    expect(processor(edit)).toThrow(
      expect.objectContaining({
        code: 'FPU602',
        message: expect.stringMatching(new RegExp(`^${NAME}: no CPU model behaves like '.*${named}`)) as string,
      }) as Error,
    );
  });

  it('refuses a file whose components lie elsewhere than the model has them', () => {
    const moved = processor(({ cpuid }) => {
      const opmask = cpuid.findIndex((line) => line.startsWith('d.5 '));
      cpuid[opmask] = 'd.5 40 340 0 0';
    });
    expect(moved).toThrow(
      expect.objectContaining({
        code: 'FPU602',
        message:
          `${NAME}: CPUID leaf 0DH, sub-leaf 5 is 00000040 00000340 00000000 00000000, ` +
          "but the model 'bochs-sapphire-rapids' has 00000040 00000440 00000000 00000000",
      }) as Error,
    );
  });
});

describe('runVector', () => {
  it('loads what the state says, and memory as the vector has it', () => {
    const file = read(Buffer.from(ORIGINAL));
    const vector = file.vectors.find(({ insn }) => insn === 'fxsave64') as Vector;
    const nothing: Vector = { ...vector, code: '' };
    const { cpu, execution, memory, memoryBefore } = runVector(file, nothing, processorOf(file, NAME));
    expect(execution).toEqual({ end: 'ran-to-end', instructions: 0 });
    expect(memory).toEqual(memoryBefore);
    expect(memory[16383]).toBe(vector.mem.fill);
    expect(cpu.state).toMatchObject({ mode: vector.mode, cpl: 0, rflags: 2n });
    expect(cpu.state.mxcsr).toBe(Number(file.states[vector.state].load.mxcsr));
    expect(cpu.state.inUse & 1).toBe(Number(file.states[vector.state].visible.xinuse) & 1);
    expect(cpu.register(7)).toBe(BigInt(vector.regs.edi ?? 0));
  });
});
