/** The vector format, version 1: one file holds a processor's description, states, blobs and vectors. See docs/vectors.md. */
import { z } from 'zod';

const hex = z.string().regex(/^0x[0-9a-f]{1,16}$/i, 'expected a hex number such as "0x1f80"');
const hex32 = z.string().regex(/^0x[0-9a-f]{1,8}$/i, 'expected at most 32 bits, such as "0x80010033"');
const offset = z.number().int().min(0).max(0x10_0000);
/** Hex digits, `@bN` for a blob, or `0*N` for N zero bytes. */
const byteString = z.string().regex(/^(@b\d+|0\*\d{1,6}|([0-9a-f]{2})*)$/i, 'expected hex digits, "@bN" or "0*N"');
const patches = z.array(z.tuple([offset, byteString]));

const x87Load = z.object({
  fcw: hex,
  fsw: hex,
  ftw: hex,
  fop: hex,
  fip: hex,
  fcs: hex,
  fdp: hex,
  fds: hex,
  st: z.array(byteString).length(8),
});

const componentBytes = {
  xmm: byteString.optional(),
  ymmh: byteString.optional(),
  k: byteString.optional(),
  zmmh: byteString.optional(),
  hi16: byteString.optional(),
  pkru: byteString.optional(),
  tilecfg: byteString.optional(),
  tiledata: byteString.optional(),
};

const load = z.object({
  form: z.enum(['xrstor64', 'xrstor']),
  bv: hex,
  mxcsr: hex,
  x87: x87Load.optional(),
  ...componentBytes,
  msr: z.record(hex, hex).optional(),
});

const x87View = z.object({
  fcw: hex,
  fsw: hex,
  ftw: hex,
  st: z.array(byteString).length(8),
  xsave64: z.object({ fop: hex, fip: hex, fdp: hex }),
  fxsave: z.object({ fip: hex, fcs: hex, fdp: hex, fds: hex }),
  fnstenv: z.object({ tag: hex, fip: hex, fcs: hex, fop: hex, fdp: hex, fds: hex }),
});

const control = z.object({ cr0: hex32, cr4: hex32, xcr0: hex32, xss: hex32, efer: hex32 });

/** General registers in the order of their numbers. */
export const GENERAL_REGISTERS = [
  ...(['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'] as const),
  ...(['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const),
] as const;

const outcome = z.object({
  fault: z
    .object({ vec: z.number().int(), name: z.string(), err: hex, rip: z.number().int(), cr2: hex.optional() })
    .nullable(),
  regs: z.partialRecord(z.enum(GENERAL_REGISTERS), hex).optional(),
  flags: hex.optional(),
  mem: patches,
  state: z.object({ ...componentBytes, x87: z.string().optional(), mxcsr: hex.optional() }).optional(),
  xinuse: hex,
  bv: hex,
  xinuse_unreliable: hex.optional(),
  ctl: control.partial().optional(),
  msr: z.record(hex, hex).optional(),
  sup_xinuse: hex.optional(),
  unstable: z.unknown().optional(),
});

const vector = z.object({
  id: z.string(),
  insn: z.string(),
  cat: z.string(),
  asm: z.string(),
  note: z.string().optional(),
  code: byteString,
  mode: z.union([z.literal(32), z.literal(64)]),
  regs: z.partialRecord(z.enum(['eax', 'ebx', 'ecx', 'edx', 'esi', 'edi']), hex),
  rflags: hex.optional(),
  state: z.string(),
  mem: z.object({ fill: z.number().int().min(0).max(255), init: patches }),
  ctl: control.optional(),
  out: outcome,
});

/** A file of vectors. Keys that are not read are allowed. */
export const vectorFileSchema = z.object({
  format: z.literal('fpu-vectors-1'),
  source: z.object({
    kind: z.enum(['silicon', 'emulator']),
    emulator: z.string().optional(),
    version: z.string().optional(),
    vendor: z.string().optional(),
    family: z.number().optional(),
    model: z.number().optional(),
    cpl: z.union([z.literal(0), z.literal(3)]),
    cr0: hex32.optional(),
    cr4: hex32.optional(),
    efer: hex32.optional(),
    xcr0: hex32,
    xss: hex32,
  }),
  memory: z.object({
    base: hex,
    size: z.number().int().min(1).max(0x100_0000),
    code_base: hex,
    read_only_zero_page: hex.optional(),
  }),
  cpuid: z.array(z.string().regex(/^[0-9a-f]+\.[0-9a-f]+( [0-9a-f]{1,8}){4}$/, 'expected "leaf.sub eax ebx ecx edx"')),
  count: z.number().int(),
  x87: z.record(z.string(), x87View),
  states: z.record(z.string(), z.object({ load, visible: z.object({ xinuse: hex, bv: hex, x87: z.string() }) })),
  blobs: z.record(z.string(), z.string().regex(/^([0-9a-f]{2})*$/i, 'expected hex digits')),
  vectors: z.array(vector),
});

/** A parsed file. */
export type VectorFile = z.infer<typeof vectorFileSchema>;
/** One vector: code on a state, and what came of it. */
export type Vector = VectorFile['vectors'][number];
/** A state that was loaded before the code. */
export type LoadedState = VectorFile['states'][string];
/** x87 state as three instructions show it. */
export type X87View = VectorFile['x87'][string];
/** Components that are bytes, by their name in the format, and their bit. */
export const COMPONENT_BITS = { xmm: 1, ymmh: 2, k: 5, zmmh: 6, hi16: 7, pkru: 9, tilecfg: 17, tiledata: 18 } as const;
/** Name of a component in the format. */
export type ComponentKey = keyof typeof COMPONENT_BITS;
/** All of them. */
export const COMPONENT_KEYS = Object.keys(COMPONENT_BITS) as readonly ComponentKey[];

/** The bytes that a byte string stands for. */
export function bytesOf(file: Pick<VectorFile, 'blobs'>, text: string): Uint8Array {
  if (text.startsWith('0*')) return new Uint8Array(Number(text.slice(2)));
  const digits = text.startsWith('@') ? file.blobs[text.slice(1)] : text;
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}
