/**
 * The form of CPU model files, `*.cpu.json`, and what must agree in them.
 *
 * A user's own model goes through the same checks as the built-in ones, which the tests put through them.
 */
import { z } from 'zod';
import { FpuError } from '../error';
import { COMPONENTS, SSE, SUPERVISOR_COMPONENTS, X87, bitsOf, type Component, type Feature } from './components';
import { CPU_MODEL_SCHEMA } from './cpu-model-file';
import { DEVIATIONS, type Deviation } from './deviations';
import { EXTENDED_OFFSET } from './layout';

/** All features as a list; the compiler complains when one is missing or too many. */
const FEATURES = Object.keys({
  fpu: true,
  mmx: true,
  fxsr: true,
  ffxsr: true,
  sse: true,
  sse2: true,
  xsave: true,
  xsaveopt: true,
  xsavec: true,
  xgetbv1: true,
  xsaves: true,
  xfd: true,
  avx: true,
  mpx: true,
  avx512f: true,
  pt: true,
  pku: true,
  enqcmd: true,
  cet: true,
  hdc: true,
  uintr: true,
  lbr: true,
  hwp: true,
  amx: true,
  apx: true,
} satisfies Record<Feature, true>) as [Feature, ...Feature[]];

const hex32 = z.string().regex(/^0x[0-9a-f]{1,8}$/, 'expected 32 bits in lower-case hexadecimal, like "0x2e7"');
const bytes = z.int().min(0).max(0xffff);
const updated = z.enum(['always', 'with-exception', 'never']);

const componentShape = z.strictObject({
  bit: z.int().min(2).max(31),
  size: bytes.min(1),
  /** In the standard format; 0 for supervisor components. */
  offset: bytes,
  supervisor: z.boolean().default(false),
  align64: z.boolean().default(false),
  xfd: z.boolean().default(false),
});

const behaviourShape = z.strictObject({
  initTracking: z.enum(['value', 'load', 'loaded-value']),
  initTracking32: z.enum(['all', 'low']),
  pointersSaved: z.enum(['always', 'zero-without-exception', 'untouched-without-exception', 'never']),
  pointersUpdated: z.strictObject({ fop: updated, fip: updated, fdp: updated }).readonly(),
  selectorsSaved: z.boolean(),
  pointerBits: z.int().min(32).max(64),
  modifiedOptimisation: z.enum(['none', 'standard', 'any']),
  pageFault: z.enum(['before-transfer', 'in-order', 'any-part']),
  deviations: z
    .array(z.enum(Object.keys(DEVIATIONS) as [Deviation, ...Deviation[]]))
    .readonly()
    .default([]),
});

const fileShape = z.strictObject({
  schema: z.literal(CPU_MODEL_SCHEMA),
  /** What `--cpu`, logs and replay strings call it. */
  id: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/, 'expected an id of a-z, 0-9, "." and "-"'),
  title: z.string().min(1),
  /** The 12 characters of CPUID leaf 0. */
  vendor: z.string().length(12),
  signature: z
    .strictObject({
      family: z.int().min(0).max(0x10e),
      model: z.int().min(0).max(0xff),
      stepping: z.int().min(0).max(0xf),
    })
    .readonly(),
  features: z.array(z.enum(FEATURES)).readonly(),
  mxcsrMask: hex32,
  xcr0: hex32,
  xss: hex32,
  components: z.array(componentShape.readonly()).readonly(),
  behaviour: behaviourShape.readonly(),
  /** Leaf and sub-leaf, in hexadecimal, to EAX, EBX, ECX and EDX. */
  cpuid: z
    .record(
      z
        .string()
        .regex(
          /^(0|[1-9a-f][0-9a-f]{0,7})\.(0|[1-9a-f][0-9a-f]?)$/,
          'expected "leaf.subleaf" in hexadecimal, like "7.0"',
        ),
      z.tuple([hex32, hex32, hex32, hex32]).readonly(),
    )
    .readonly()
    .default({}),
  /** What each statement rests on. */
  sources: z.array(z.string().min(1)).min(1).readonly(),
});

/** A CPU model as its file has it: masks and registers in hexadecimal, all defaults filled in. */
export type CpuModelFile = Readonly<z.output<typeof fileShape>>;

/** Something in a file that does not agree with the rest of it. */
interface Disagreement {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** The form of a CPU model file, and that its parts agree. For files within files: event logs hold a model, too. */
export const cpuModelSchema = fileShape.superRefine((file, context) => {
  for (const { path, message } of disagreements(file)) context.addIssue({ code: 'custom', path: [...path], message });
});

/** A file that has the form; see `parseCpuModel`. */
export function checkedFile(json: unknown, where: string): CpuModelFile {
  const result = cpuModelSchema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = pathText(issue.path);
  const message = issue.message.replace(/^Invalid input: /, '');
  const found =
    issue.code === 'custom' || message.includes('received') ? '' : `, found ${foundText(at(json, issue.path))}`;
  throw new FpuError('FPU102', `${where}: ${path === '' ? '' : `${path}: `}${message}${found}`, {
    where,
    path,
    hint: `a CPU model file has the form of the built-in models, which 'fpulab list cpus --json' prints`,
  });
}

// --- what must agree -----------------------------------------------------------------------------------------------

/** Bits that a processor with XSAVE always has. */
const LEGACY = (1 << X87) | (1 << SSE);

/** Features without which others make no sense. */
const NEEDS: readonly (readonly [Feature, ...Feature[]])[] = [
  ['mmx', 'fpu'],
  ['fxsr', 'fpu'],
  ['ffxsr', 'fxsr'],
  ['sse', 'fxsr'],
  ['sse2', 'sse'],
  ['xsave', 'fxsr', 'sse'],
  ['xsaveopt', 'xsave'],
  ['xsavec', 'xsave'],
  ['xgetbv1', 'xsave'],
  ['xsaves', 'xsave'],
  ['xfd', 'xsave'],
  ['avx512f', 'avx'],
];

function disagreements(file: CpuModelFile): readonly Disagreement[] {
  return [...featureRules(file), ...maskRules(file), ...componentRules(file)];
}

function* featureRules({ features, mxcsrMask }: CpuModelFile): Generator<Disagreement> {
  const path = ['features'];
  const twice = features.find((feature, index) => features.indexOf(feature) !== index);
  if (twice !== undefined) yield { path, message: `'${twice}' is there twice` };
  for (const [feature, ...needed] of NEEDS) {
    const missing = features.includes(feature) ? needed.find((one) => !features.includes(one)) : undefined;
    if (missing !== undefined) yield { path, message: `'${feature}' needs '${missing}', which is not there` };
  }
  const expected = features.includes('sse') ? 'the bits that MXCSR may hold, 0xffbf among them' : '0x0 without sse';
  const fits = features.includes('sse') ? (Number(mxcsrMask) & 0xffbf) === 0xffbf : Number(mxcsrMask) === 0;
  if (!fits) yield { path: ['mxcsrMask'], message: `expected ${expected}, found ${mxcsrMask}` };
}

function* maskRules({ features, xcr0, xss }: CpuModelFile): Generator<Disagreement> {
  const user = Number(xcr0);
  const supervisor = Number(xss);
  const xsave = features.includes('xsave');
  if (!xsave && user !== 0) yield { path: ['xcr0'], message: `expected 0x0 without xsave, found ${xcr0}` };
  if (xsave && (user & LEGACY) !== LEGACY) {
    yield { path: ['xcr0'], message: `expected bits 0 and 1 (x87 and SSE) with xsave, found ${xcr0}` };
  }
  if (!features.includes('xsaves') && supervisor !== 0) {
    yield { path: ['xss'], message: `expected 0x0 without xsaves, found ${xss}` };
  }
  for (const [key, mask, register] of [
    ['xcr0', user, 'xcr0'],
    ['xss', supervisor, 'xss'],
  ] as const) {
    for (const bit of bitsOf(mask)) {
      const component = COMPONENTS[bit] as Component | undefined;
      if (component?.enabledBy !== register) {
        yield {
          path: [key],
          message: `bit ${bit} (${component?.name ?? 'undefined'}) is no component of ${registerName(register)}`,
        };
      } else yield* companionRules(component, mask, features, key);
    }
  }
  yield* unusableFeatures(features, user);
}

function* companionRules(
  { bit, name, feature, requires }: Component,
  mask: number,
  features: readonly Feature[],
  key: string,
): Generator<Disagreement> {
  if (!features.includes(feature))
    yield { path: [key], message: `bit ${bit} (${name}) needs the feature '${feature}'` };
  const missing = bitsOf(requires & ~mask).map((other) => `${other} (${COMPONENTS[other].name})`);
  if (missing.length > 0) yield { path: [key], message: `bit ${bit} (${name}) needs bit ${missing.join(' and bit ')}` };
}

/** Registers that no XCR0 can enable cannot be used. Supervisor state can: its MSRs need no IA32_XSS. */
function* unusableFeatures(features: readonly Feature[], user: number): Generator<Disagreement> {
  for (const { bit, name, feature } of COMPONENTS) {
    if (bit <= SSE || SUPERVISOR_COMPONENTS & (1 << bit)) continue;
    if (features.includes(feature) && !(user & (1 << bit))) {
      yield { path: ['xcr0'], message: `the feature '${feature}' needs bit ${bit} (${name})` };
    }
  }
}

function* componentRules({ features, xcr0, xss, components }: CpuModelFile): Generator<Disagreement> {
  const enumerated = (Number(xcr0) | Number(xss)) & ~LEGACY;
  for (const bit of bitsOf(enumerated)) {
    if (components.some((component) => component.bit === bit)) continue;
    yield {
      path: ['components'],
      message: `expected an entry for bit ${bit} (${COMPONENTS[bit]?.name ?? 'undefined'}) of xcr0 and xss`,
    };
  }
  for (const [index, component] of components.entries()) {
    const path = ['components', index];
    if (!(enumerated & (1 << component.bit))) {
      yield { path: [...path, 'bit'], message: `neither xcr0 nor xss has bit ${component.bit}` };
      continue;
    }
    if (components.findIndex(({ bit }) => bit === component.bit) !== index) {
      yield { path: [...path, 'bit'], message: `bit ${component.bit} has two entries` };
    }
    yield* placeRules(component, path);
    if (component.xfd && !features.includes('xfd'))
      yield { path: [...path, 'xfd'], message: `needs the feature 'xfd'` };
  }
  yield* overlapRules(components);
}

function* placeRules(
  { bit, size, offset, supervisor }: CpuModelFile['components'][number],
  path: readonly (string | number)[],
): Generator<Disagreement> {
  const known = COMPONENTS[bit] as Component | undefined;
  if (!known) return; // the mask's rules have named it
  if (size !== known.size) {
    yield { path: [...path, 'size'], message: `expected ${known.size} bytes of ${known.name}, found ${size}` };
  }
  if (supervisor !== (known.enabledBy === 'xss')) {
    const kind = known.enabledBy === 'xss' ? 'supervisor' : 'user';
    yield { path: [...path, 'supervisor'], message: `${known.name} is ${kind} state, found ${supervisor}` };
  } else if (supervisor && offset !== 0) {
    yield {
      path: [...path, 'offset'],
      message: `expected 0: supervisor state has no place in the standard format, found ${offset}`,
    };
  } else if (!supervisor && offset < EXTENDED_OFFSET) {
    yield {
      path: [...path, 'offset'],
      message: `expected at least ${EXTENDED_OFFSET}, behind the XSAVE header, found ${offset}`,
    };
  }
}

function* overlapRules(components: CpuModelFile['components']): Generator<Disagreement> {
  const placed = [...components.entries()].filter(([, { supervisor }]) => !supervisor);
  const ascending = placed.sort(([, a], [, b]) => a.offset - b.offset);
  for (const [position, [index, { bit, offset }]] of ascending.entries()) {
    const [, before] = ascending[position - 1] ?? [];
    if (before === undefined || before.bit === bit || before.offset + before.size <= offset) continue;
    const end = before.offset + before.size;
    yield {
      path: ['components', index, 'offset'],
      message: `overlaps bit ${before.bit}, which ends at ${end}, found ${offset}`,
    };
  }
}

function registerName(register: 'xcr0' | 'xss'): string {
  return register === 'xcr0' ? 'XCR0' : 'IA32_XSS';
}

// --- error messages ------------------------------------------------------------------------------------------------

/** `components[0].size` */
function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

function at(json: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], json);
}

const TEXT_MAX = 60;

function foundText(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}...` : text;
}
