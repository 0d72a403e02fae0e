/**
 * Where two XSAVE areas differ, and why: two processors, two masks, or the two forms.
 *
 * Source: Intel SDM Vol. 1 "Extended Region of an XSAVE Area" (13.4.3): offsets and sizes are what CPUID leaf 0DH of
 * this processor says.
 */
import {
  BNDCSR,
  BNDREGS,
  HI16_ZMM,
  OPMASK,
  SSE,
  USER_COMPONENTS,
  X87,
  ZMM_HI256,
  bitsOf,
  componentName,
  xfeaturesName,
} from './components';
import type { ComponentEnumeration, CpuModel } from './cpu-model';
import { areaLayout, type AreaForm, type AreaLayout, type Placement } from './layout';
import { hasCompactedForm } from './legality';

/** Components with a place of their own in every area. */
const LEGACY = (1 << X87) | (1 << SSE);

/** One side of a comparison. */
export interface LayoutSide {
  readonly model: CpuModel;
  readonly layout: AreaLayout;
}

/** What differs; stable. */
export type LayoutDifferenceCode = 'form' | 'total' | 'only-in-first' | 'only-in-second' | 'offset' | 'size' | 'align';

/** One difference between two layouts. */
export interface LayoutDifference {
  readonly code: LayoutDifferenceCode;
  /** The component's bit; undefined for the area as a whole. */
  readonly bit: number | undefined;
  readonly first: number | string | undefined;
  readonly second: number | string | undefined;
  readonly sentence: string;
}

/**
 * All differences of two layouts: of the areas as a whole first, then by component.
 *
 * @returns empty when both put the same components at the same places
 */
export function compareLayouts(first: LayoutSide, second: LayoutSide): readonly LayoutDifference[] {
  const bits = bitsOf(first.layout.mask | second.layout.mask);
  return [
    ...compareForms(first, second),
    ...compareTotals(first, second),
    ...bits.flatMap((bit) => compareComponent(bit, first, second)),
  ];
}

function compareForms(first: LayoutSide, second: LayoutSide): readonly LayoutDifference[] {
  const forms = [first.layout.form, second.layout.form];
  if (forms[0] === forms[1]) return [];
  const sentence =
    `the first area is ${forms[0]}, the second ${forms[1]}: a standard area has fixed offsets from CPUID, a compacted ` +
    `one packs what XCOMP_BV names; XCOMP_BV[63] tells them apart`;
  return [{ code: 'form', bit: undefined, first: forms[0], second: forms[1], sentence }];
}

function compareTotals(first: LayoutSide, second: LayoutSide): readonly LayoutDifference[] {
  const [a, b] = [first.layout.totalBytes, second.layout.totalBytes];
  if (a === b) return [];
  const sentence = `${a} against ${b} bytes, ${Math.abs(a - b)} ${a > b ? 'less' : 'more'} in the second: ${whyEnds(first)}; ${whyEnds(second)}`;
  return [{ code: 'total', bit: undefined, first: a, second: b, sentence }];
}

/** `on zen4 the area ends with pkru (bit 9) at 2432+8`. */
function whyEnds({ model, layout }: LayoutSide): string {
  const last = lastPlacement(layout);
  if (last === undefined || last.bit < 2) return `on ${model.id} it ends with the header`;
  return `on ${model.id} it ends with ${named(last.bit)} at ${last.offset}+${last.size}`;
}

function compareComponent(bit: number, first: LayoutSide, second: LayoutSide): readonly LayoutDifference[] {
  const [a, b] = [placementOf(first.layout, bit), placementOf(second.layout, bit)];
  if (a === undefined && b === undefined) return [];
  if (b === undefined) return [onlyIn('only-in-first', bit, first, second)];
  if (a === undefined) return [onlyIn('only-in-second', bit, second, first)];
  const differences: LayoutDifference[] = [];
  if (a.offset !== b.offset) {
    const sentence = `${named(bit)} is at ${a.offset} on ${first.model.id} and at ${b.offset} on ${second.model.id}: ${whyMoved(a, b, first, second)}`;
    differences.push({ code: 'offset', bit, first: a.offset, second: b.offset, sentence });
  }
  if (a.size !== b.size) {
    const sentence = `${named(bit)} has ${a.size} bytes on ${first.model.id} and ${b.size} on ${second.model.id}`;
    differences.push({ code: 'size', bit, first: a.size, second: b.size, sentence });
  }
  if (a.align !== b.align) {
    const sentence = `${named(bit)} starts at a multiple of ${a.align} on ${first.model.id} and of ${b.align} on ${second.model.id}`;
    differences.push({ code: 'align', bit, first: a.align, second: b.align, sentence });
  }
  return differences;
}

function onlyIn(
  code: 'only-in-first' | 'only-in-second',
  bit: number,
  has: LayoutSide,
  lacks: LayoutSide,
): LayoutDifference {
  const sentence = `${named(bit)} is only in the area of ${has.model.id}: ${whyAbsent(bit, lacks)}`;
  const size = placementOf(has.layout, bit)?.size;
  return code === 'only-in-first'
    ? { code, bit, first: size, second: undefined, sentence }
    : { code, bit, first: undefined, second: size, sentence };
}

function whyAbsent(bit: number, { model, layout }: LayoutSide): string {
  if (((model.xcr0 | model.xss) & (1 << bit)) === 0) return `${model.id} does not enumerate it`;
  if (layout.form === 'standard' && !(USER_COMPONENTS & (1 << bit)))
    return 'the standard form has no supervisor components';
  return `the mask of ${model.id}'s area leaves it out`;
}

/** Standard offsets come from CPUID; compacted ones from what lies before. */
function whyMoved(a: Placement, b: Placement, first: LayoutSide, second: LayoutSide): string {
  if (first.layout.form !== second.layout.form) return 'one area is standard, the other compacted';
  const [low, high] = a.offset < b.offset ? [first, second] : [second, first];
  if (first.layout.form === 'compacted') {
    const between = bitsOf(high.layout.mask & ~low.layout.mask).filter((bit) => bit < a.bit);
    if (between.length === 0) return 'what lies before it has other sizes';
    return `the area of ${high.model.id} has ${between.map(named).join(', ')} before it`;
  }
  const offset = `CPUID.(EAX=0DH,ECX=${a.bit}):EBX says so`;
  const end = Math.max(a.offset, b.offset);
  const absent = high.model.components
    .filter(({ supervisor, offset: start, size }) => !supervisor && start + size <= end)
    .filter(({ bit }) => (low.model.xcr0 & (1 << bit)) === 0)
    .map(({ bit }) => named(bit));
  if (absent.length > 0) return `${offset}; ${low.model.id} leaves no room for ${absent.join(' and ')}`;
  const more = Math.abs(a.offset - b.offset);
  return `${offset}; ${high.model.id} keeps ${more} more bytes before it, room of components that it lacks`;
}

function placementOf(layout: AreaLayout, bit: number): Placement | undefined {
  return layout.components.find((component) => component.bit === bit);
}

function lastPlacement({ components }: AreaLayout): Placement | undefined {
  return [...components].sort((a, b) => b.offset + b.size - (a.offset + a.size))[0];
}

function named(bit: number): string {
  return `${componentName(bit)} (bit ${bit})`;
}

// --- what a size is ------------------------------------------------------------------------------------------------

/** A form and a mask whose area has a given size. */
export interface SizeMatch {
  readonly form: AreaForm;
  /** Of the standard masks with this size, the one with the most components. */
  readonly mask: number;
  /** User components that the processor has and the mask lacks. */
  readonly without: number;
}

/** What a number of bytes is on a processor. */
export interface SizeExplanation {
  readonly bytes: number;
  /** The standard form first, then compacted ones: without supervisor state first, then fewest user components left out. */
  readonly matches: readonly SizeMatch[];
  readonly sentences: readonly string[];
}

/** Compacted matches that are worth telling: many sums are equal by chance. */
const COMPACTED_MATCHES_MAX = 2;

/** Sizes that are no XSAVE area's. */
const OTHER_AREAS: ReadonlyMap<number, string> = new Map([
  [108, 'the area of FNSAVE (32-bit format)'],
  [112, 'the area of FNSAVE and a status word: struct fregs_state of Linux'],
  [512, 'the area of FXSAVE: an XSAVE area has a 64-byte header after it'],
]);

/**
 * What area of this processor has this many bytes: 2688, 2696, 2568, ...
 *
 * @returns no matches when no mask in any form gives the size
 */
export function explainSize(model: CpuModel, bytes: number): SizeExplanation {
  const other = OTHER_AREAS.get(bytes);
  if (other !== undefined) return { bytes, matches: [], sentences: [`${bytes} bytes: ${other}`] };
  const matches = [...standardMatches(model, bytes), ...compactedMatches(model, bytes)];
  const sentences = matches.flatMap((match) => [matchSentence(model, bytes, match), ...neighbours(model, match)]);
  const warning = matches[0]?.form === 'compacted' ? tooShort(model, bytes, matches[0]) : [];
  const none = matches.length === 0 ? [`no XSAVE area of ${model.id} has ${bytes} bytes`] : [];
  return { bytes, matches, sentences: [...none, ...sentences, ...warning, fullSizes(model)] };
}

/** The standard size goes by the last component alone: the largest mask is all components that end by then. */
function standardMatches(model: CpuModel, bytes: number): readonly SizeMatch[] {
  const fitting = userComponents(model).filter(({ offset, size }) => offset + size <= bytes);
  const mask = fitting.reduce((all, { bit }) => all | (1 << bit), model.xcr0 & LEGACY);
  if (areaLayout(model, mask, 'standard').totalBytes !== bytes) return [];
  return [{ form: 'standard', mask, without: model.xcr0 & ~mask }];
}

/** Tries every choice of extended components. */
function compactedMatches(model: CpuModel, bytes: number): readonly SizeMatch[] {
  if (!hasCompactedForm(model)) return [];
  const all = model.xcr0 | model.xss;
  const units = unitsOf(all & ~LEGACY);
  const matches: SizeMatch[] = [];
  for (let choice = 0; choice < 1 << units.length; choice++) {
    const mask = units.reduce((chosen, unit, index) => (choice & (1 << index) ? chosen | unit : chosen), all & LEGACY);
    if (areaLayout(model, mask, 'compacted').totalBytes !== bytes) continue;
    matches.push({ form: 'compacted', mask, without: model.xcr0 & ~mask });
  }
  const missing = ({ without }: SizeMatch): number => bitsOf(without).length;
  const supervisor = ({ mask }: SizeMatch): number => bitsOf(mask & model.xss).length;
  return matches
    .sort((a, b) => Math.sign(supervisor(a)) - Math.sign(supervisor(b)) || missing(a) - missing(b) || b.mask - a.mask)
    .slice(0, COMPACTED_MATCHES_MAX);
}

/** What is saved together: AVX-512's three components and MPX's two. TILECFG may be without TILEDATA: Linux does it. */
function unitsOf(mask: number): readonly number[] {
  const groups = [(1 << BNDREGS) | (1 << BNDCSR), (1 << OPMASK) | (1 << ZMM_HI256) | (1 << HI16_ZMM)];
  const grouped = groups.map((group) => group & mask).filter((group) => group !== 0);
  const rest = grouped.reduce((left, group) => left & ~group, mask);
  return [...grouped, ...bitsOf(rest).map((bit) => 1 << bit)];
}

function matchSentence(model: CpuModel, bytes: number, { form, mask, without }: SizeMatch): string {
  const but = without === 0 ? '' : ` but ${xfeaturesName(without).replaceAll('+', ', ')}`;
  const supervisor = mask & model.xss;
  const and = supervisor === 0 ? '' : `, and supervisor ${xfeaturesName(supervisor).replaceAll('+', ', ')}`;
  return `${bytes} bytes: the ${form} size of mask 0x${mask.toString(16)}: all user components of ${model.id}${but}${and}`;
}

/** The standard sizes just before and after: one component makes the difference. */
function neighbours(model: CpuModel, { form, mask, without }: SizeMatch): readonly string[] {
  if (form !== 'standard') return [];
  const placed = userComponents(model).sort((a, b) => a.offset - b.offset);
  const last = placed.filter(({ bit }) => mask & (1 << bit)).at(-1);
  const total = (components: number): number => areaLayout(model, components, 'standard').totalBytes;
  const before = last && `without ${named(last.bit)} it is ${total(mask & ~(1 << last.bit))}`;
  let grown = mask;
  const after = placed
    .filter(({ bit }) => without & (1 << bit))
    .map(({ bit }) => `with ${named(bit)} it is ${total((grown |= 1 << bit))}`);
  const parts = [...(before === undefined ? [] : [before]), ...after];
  return parts.length === 0 ? [] : [parts.join(', ')];
}

/** A compacted size is too small for the standard form of the same components: XSAVE there writes past the end. */
function tooShort(model: CpuModel, bytes: number, { mask }: SizeMatch): readonly string[] {
  const standard = areaLayout(model, mask & model.xcr0, 'standard');
  if (standard.totalBytes <= bytes) return [];
  const beyond = standard.components.filter(({ offset, size }) => offset + size > bytes).map(({ bit }) => named(bit));
  return [
    `a standard area for the same user components takes ${standard.totalBytes} bytes: ${bytes} are ` +
      `${standard.totalBytes - bytes} too few, and XSAVE would write ${beyond.join(', ')} past the end`,
  ];
}

function fullSizes(model: CpuModel): string {
  const standard = areaLayout(model, model.xcr0, 'standard').totalBytes;
  const all = `all components of ${model.id}: standard ${standard} bytes`;
  if (!hasCompactedForm(model)) return all;
  const compacted = areaLayout(model, model.xcr0 | model.xss, 'compacted').totalBytes;
  return `${all}, compacted ${compacted}${model.xss === 0 ? '' : ' with the supervisor components'}`;
}

function userComponents(model: CpuModel): ComponentEnumeration[] {
  return model.components.filter(({ supervisor }) => !supervisor);
}
