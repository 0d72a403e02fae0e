/**
 * Which values XCR0, IA32_XSS and the component mask of an XSAVE area may have, and why others may not.
 *
 * The predicates are the architectural rules and nothing else: XSETBV and WRMSR raise #GP exactly where they give a
 * reason.
 *
 * Source: Intel SDM Vol. 1 "Enabling the XSAVE Feature Set and XSAVE-Enabled Features" (13.3); Vol. 3A "Extended
 * Control Registers (Including XCR0)" (2.6).
 */
import {
  APX,
  AVX,
  BNDCSR,
  BNDREGS,
  HI16_ZMM,
  OPMASK,
  SSE,
  SUPERVISOR_COMPONENTS,
  TILECFG,
  TILEDATA,
  USER_COMPONENTS,
  X87,
  ZMM_HI256,
  componentName,
} from './components';
import type { CpuModel } from './cpu-model';
import { areaLayout, type AreaForm, type Placement } from './layout';

/** Why a value or a mask is not legal; stable. */
export type IllegalityCode =
  | 'no-xsave'
  | 'x87-clear'
  | 'not-enumerated'
  | 'supervisor-in-xcr0'
  | 'avx-without-sse'
  | 'mpx-incomplete'
  | 'avx512-incomplete'
  | 'avx512-without-avx'
  | 'amx-incomplete'
  | 'no-xsaves'
  | 'user-in-xss'
  | 'no-compacted-form'
  | 'supervisor-in-standard-form'
  | 'overlap';

/** One reason why a value or a mask is not legal. */
export interface Illegality {
  readonly code: IllegalityCode;
  /** The bits that break the rule, ascending. */
  readonly bits: readonly number[];
  readonly sentence: string;
  /** Where the rule is written. */
  readonly source: string;
}

const ENABLING = 'Intel SDM Vol. 1 "Enabling the XSAVE Feature Set and XSAVE-Enabled Features" (13.3)';
const ENUMERATION =
  'Intel SDM Vol. 1 "Enumeration of CPU Support for XSAVE Instructions and XSAVE-Supported Features" (13.2)';
const EXTENDED_REGION = 'Intel SDM Vol. 1 "Extended Region of an XSAVE Area" (13.4.3)';

/** Components that XCR0 enables only with others. */
interface Dependency {
  readonly code: IllegalityCode;
  /** When one of these is set ... */
  readonly any: bigint;
  /** ... all of these must be. */
  readonly all: bigint;
  readonly rule: string;
}

const maskOf = (...bits: readonly number[]): bigint => bits.reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n);

const AVX512 = maskOf(OPMASK, ZMM_HI256, HI16_ZMM);
const MPX = maskOf(BNDREGS, BNDCSR);
const AMX = maskOf(TILECFG, TILEDATA);

const DEPENDENCIES: readonly Dependency[] = [
  {
    code: 'avx-without-sse',
    any: maskOf(AVX),
    all: maskOf(SSE),
    rule: 'AVX (bit 2) can be enabled only with SSE (bit 1)',
  },
  {
    code: 'mpx-incomplete',
    any: MPX,
    all: MPX,
    rule: 'the MPX components BNDREGS and BNDCSR (bits 3 and 4) can only be enabled together',
  },
  {
    code: 'avx512-incomplete',
    any: AVX512,
    all: AVX512,
    rule: 'the AVX-512 components opmask, ZMM_Hi256 and Hi16_ZMM (bits 5, 6 and 7) can only be enabled together',
  },
  {
    code: 'avx512-without-avx',
    any: AVX512,
    all: maskOf(AVX, SSE),
    rule: 'AVX-512 (bits 5, 6 and 7) can be enabled only with AVX and SSE (bits 2 and 1)',
  },
  {
    code: 'amx-incomplete',
    any: AMX,
    all: AMX,
    rule: 'the AMX components TILECFG and TILEDATA (bits 17 and 18) can only be enabled together',
  },
];

/**
 * Why XSETBV with ECX = 0 raises #GP for a value. That the CPL is 0 is the caller's business.
 *
 * APX (bit 19) with MPX (bits 3 and 4) is no rule here: the SDM states none, because no processor enumerates both.
 *
 * @param value EDX:EAX
 * @returns empty when XSETBV loads the value
 * @see Intel SDM Vol. 1 "Enabling the XSAVE Feature Set and XSAVE-Enabled Features" (13.3)
 */
export function explainXcr0(model: CpuModel, value: bigint): readonly Illegality[] {
  if (!model.features.includes('xsave')) return [missing(model, 'no-xsave', 'XSAVE, and so no XCR0')];
  const reasons: Illegality[] = [];
  if (!(value & maskOf(X87))) {
    const sentence = 'bit 0 (x87) is clear: XCR0[0] is always 1';
    reasons.push({ code: 'x87-clear', bits: [X87], sentence, source: ENABLING });
  }
  const supervisor = value & BigInt(supervisorBits(model));
  if (supervisor !== 0n) {
    const sentence = `${described(supervisor)} ${isOrAre(supervisor)} supervisor state, which IA32_XSS enables: in XCR0 reserved`;
    reasons.push({ code: 'supervisor-in-xcr0', bits: bitsOfMask(supervisor), sentence, source: ENABLING });
  }
  const unknown = value & ~supervisor & ~BigInt(model.xcr0);
  if (unknown !== 0n) reasons.push(notEnumerated(model, unknown, 'XCR0', 'CPUID.(EAX=0DH,ECX=0):EDX:EAX'));
  return [...reasons, ...DEPENDENCIES.flatMap((dependency) => broken(dependency, value))];
}

/**
 * Why WRMSR to IA32_XSS raises #GP for a value.
 *
 * @param value EDX:EAX
 * @returns empty when WRMSR loads the value
 * @see Intel SDM Vol. 1 "Enabling the XSAVE Feature Set and XSAVE-Enabled Features" (13.3)
 */
export function explainXss(model: CpuModel, value: bigint): readonly Illegality[] {
  if (!model.features.includes('xsaves')) return [missing(model, 'no-xsaves', 'XSAVES, and so no IA32_XSS')];
  const reasons: Illegality[] = [];
  const user = value & BigInt(USER_COMPONENTS);
  if (user !== 0n) {
    const sentence = `${described(user)} ${isOrAre(user)} user state, which XCR0 enables: in IA32_XSS reserved`;
    reasons.push({ code: 'user-in-xss', bits: bitsOfMask(user), sentence, source: ENABLING });
  }
  const unknown = value & ~user & ~BigInt(model.xss);
  if (unknown !== 0n) reasons.push(notEnumerated(model, unknown, 'IA32_XSS', 'CPUID.(EAX=0DH,ECX=1):EDX:ECX'));
  return reasons;
}

/**
 * Why an XSAVE area of this form cannot hold all components of a mask.
 *
 * A mask is what an instruction is asked for (RFBM) or what an area holds (XSTATE_BV, XCOMP_BV). Dependencies between
 * components bind XCR0 only: an area may hold TILECFG without TILEDATA, and Linux's do.
 *
 * @param mask components, as bits of XCR0 | IA32_XSS
 * @returns empty when every component has a place of its own
 * @see Intel SDM Vol. 1 "Extended Region of an XSAVE Area" (13.4.3)
 */
export function explainMask(model: CpuModel, mask: bigint, form: AreaForm): readonly Illegality[] {
  if (!model.features.includes('xsave')) return [missing(model, 'no-xsave', 'XSAVE, and so no XSAVE area')];
  const reasons: Illegality[] = [];
  if (form === 'compacted' && !hasCompactedForm(model)) {
    reasons.push(missing(model, 'no-compacted-form', 'XSAVEC or XSAVES, and so no compacted form'));
  }
  const unknown = mask & ~BigInt(model.xcr0) & ~BigInt(model.xss);
  if (unknown !== 0n) reasons.push(notEnumerated(model, unknown, 'an area', 'CPUID leaf 0DH'));
  const supervisor = mask & BigInt(model.xss);
  if (form === 'standard' && supervisor !== 0n) {
    const sentence =
      `${described(supervisor)} ${isOrAre(supervisor)} supervisor state, for which the standard form has no place: ` +
      `only XSAVES saves it, in the compacted form`;
    reasons.push({
      code: 'supervisor-in-standard-form',
      bits: bitsOfMask(supervisor),
      sentence,
      source: EXTENDED_REGION,
    });
  }
  return [...reasons, ...overlaps(model, Number(BigInt.asUintN(31, mask)), form)];
}

/** True when the processor has the compacted form, with XSAVEC or with XSAVES. */
export function hasCompactedForm(model: CpuModel): boolean {
  return model.features.includes('xsavec') || model.features.includes('xsaves');
}

/** `bit 17 (tilecfg)`, `bits 3 (bndregs) and 4 (bndcsr)`. */
export function described(mask: bigint): string {
  const bits = bitsOfMask(mask);
  const named = bits.map((bit) => (bit < 32 ? `${bit} (${componentName(bit)})` : String(bit)));
  const last = named.pop() ?? 'none';
  return named.length === 0 ? `bit ${last}` : `bits ${named.join(', ')} and ${last}`;
}

/** Bits of a 64-bit bitmap, ascending. */
export function bitsOfMask(mask: bigint): readonly number[] {
  return Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => mask & (1n << BigInt(bit)));
}

function isOrAre(mask: bigint): string {
  return bitsOfMask(mask).length === 1 ? 'is' : 'are';
}

/** Bits of supervisor components: what the SDM defines as such, and what this processor enumerates as such. */
function supervisorBits(model: CpuModel): number {
  return (SUPERVISOR_COMPONENTS | model.xss) & ~model.xcr0;
}

function missing(model: CpuModel, code: IllegalityCode, what: string): Illegality {
  return { code, bits: [], sentence: `${model.id} has no ${what}`, source: ENUMERATION };
}

function notEnumerated(model: CpuModel, mask: bigint, where: string, leaf: string): Illegality {
  const sentence = `${described(mask)}: ${leaf} of ${model.id} does not enumerate ${plural(mask)}, so ${where} cannot have ${plural(mask)}`;
  return { code: 'not-enumerated', bits: bitsOfMask(mask), sentence, source: ENUMERATION };
}

function plural(mask: bigint): string {
  return bitsOfMask(mask).length === 1 ? 'it' : 'them';
}

function broken({ code, any, all, rule }: Dependency, value: bigint): readonly Illegality[] {
  const lacking = all & ~value;
  if ((value & any) === 0n || lacking === 0n) return [];
  const sentence = `${rule}: ${described(value & any)} set without ${described(lacking)}`;
  return [{ code, bits: bitsOfMask((value & any) | lacking), sentence, source: ENABLING }];
}

/** Components that share bytes: in the standard form APX lies where MPX was, on a processor that claims both. */
function overlaps(model: CpuModel, mask: number, form: AreaForm): readonly Illegality[] {
  const { components } = areaLayout(model, mask, form);
  const pairs = components.flatMap((first, index) => components.slice(index + 1).map((second) => ({ first, second })));
  return pairs.filter(shareBytes).map(({ first, second }) => ({
    code: 'overlap' as const,
    bits: [first.bit, second.bit].sort((a, b) => a - b),
    sentence: `${place(first)} and ${place(second)} share bytes: one area cannot hold both`,
    source: EXTENDED_REGION,
  }));
}

function shareBytes({ first, second }: { readonly first: Placement; readonly second: Placement }): boolean {
  return first.offset < second.offset + second.size && second.offset < first.offset + first.size;
}

function place({ bit, name, offset, size }: Placement): string {
  const note = bit === APX ? ', the former MPX bytes' : '';
  return `bit ${bit} (${name}, bytes ${offset} to ${offset + size - 1}${note})`;
}
