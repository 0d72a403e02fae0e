/** `--check`: why a value is illegal, how a layout differs, what a size is. */
import {
  CPU_IDS,
  SUPERVISOR_COMPONENTS,
  areaLayout,
  compareLayouts,
  cpuModel,
  explainMask,
  explainSize,
  explainXcr0,
  explainXss,
  hasCompactedForm,
  type CpuModel,
  type Illegality,
} from '@fpulab/core';
import type { Paint } from '@fpulab/eventlog';
import { areaOf, hex, type AreaRequest } from './area-request';

/** What is to be checked. */
export interface CheckRequest {
  readonly area: AreaRequest;
  /** `--mask` was given. */
  readonly mask: bigint | undefined;
  readonly xcr0: bigint | undefined;
  readonly xss: bigint | undefined;
  readonly against: CpuModel | undefined;
  readonly size: number | undefined;
}

/** One explanation; `ok` when there is nothing wrong and nothing different. */
export interface CheckPart {
  readonly what: 'xcr0' | 'xss' | 'mask' | 'against' | 'size';
  readonly subject: string;
  readonly ok: boolean;
  readonly verdict: string;
  readonly reasons: readonly CheckReason[];
  /** What else is worth knowing. */
  readonly remarks: readonly string[];
}

/** One sentence of an explanation. */
export interface CheckReason {
  readonly code: string;
  readonly sentence: string;
  readonly source: string | undefined;
}

/** Everything that was asked to be checked; without a question, the processor's own XCR0 and IA32_XSS. */
export function check(request: CheckRequest): readonly CheckPart[] {
  const { area, mask, xcr0, xss, against, size } = request;
  const parts: CheckPart[] = [];
  if (xcr0 !== undefined) parts.push(checkXcr0(area.model, xcr0));
  if (xss !== undefined) parts.push(checkXss(area.model, xss));
  const compared = against !== undefined || size !== undefined;
  if (mask !== undefined && !compared) parts.push(...checkMask(area, mask));
  if (size !== undefined) parts.push(checkSize(area, size));
  if (against !== undefined) parts.push(checkAgainst(area, mask, against));
  return parts.length > 0 ? parts : own(area.model);
}

function own(model: CpuModel): readonly CheckPart[] {
  const xss = model.features.includes('xsaves') ? [checkXss(model, BigInt(model.xss))] : [];
  return [checkXcr0(model, BigInt(model.xcr0)), ...xss];
}

function checkXcr0(model: CpuModel, value: bigint): CheckPart {
  const reasons = explainXcr0(model, value);
  const verdict = reasons.length === 0 ? 'legal: XSETBV loads it' : 'illegal: XSETBV raises #GP(0)';
  return part('xcr0', `XCR0 ${hex(value)} on ${model.id}`, verdict, reasons);
}

function checkXss(model: CpuModel, value: bigint): CheckPart {
  const reasons = explainXss(model, value);
  const verdict = reasons.length === 0 ? 'legal: WRMSR loads it' : 'illegal: WRMSR raises #GP(0)';
  return part('xss', `IA32_XSS ${hex(value)} on ${model.id}`, verdict, reasons);
}

function part(
  what: CheckPart['what'],
  subject: string,
  verdict: string,
  found: readonly Illegality[],
  remarks: readonly string[] = [],
): CheckPart {
  const reasons = found.map(({ code, sentence, source }) => ({ code, sentence, source }));
  return { what, subject, ok: reasons.length === 0, verdict, reasons, remarks };
}

/** A mask is judged as what one area holds, and as what XCR0 and IA32_XSS would have to enable for it. */
function checkMask({ model, form }: AreaRequest, mask: bigint): readonly CheckPart[] {
  const supervisor = mask & BigInt(SUPERVISOR_COMPONENTS);
  const user = mask & ~supervisor;
  const reasons = explainMask(model, mask, form);
  const verdict = reasons.length === 0 ? 'legal: every component has a place' : 'not every component has a place';
  const remark = 'as instruction mask it is harmless: the processor ANDs it with XCR0 (XSAVES: XCR0 | IA32_XSS)';
  const area = part('mask', `${form} area with mask ${hex(mask)} on ${model.id}`, verdict, reasons, [
    ...(reasons.length === 0
      ? []
      : [`${remark}; in XSTATE_BV or XCOMP_BV, XRSTOR and XRSTORS raise #GP(0) for such bits`]),
  ]);
  const parts = [area];
  if (user !== 0n) parts.push(enabling(checkXcr0(model, user), area));
  if (supervisor !== 0n && form === 'compacted') parts.push(checkXss(model, supervisor));
  return parts;
}

/** An area may hold what XCR0 cannot enable alone. */
function enabling(xcr0: CheckPart, area: CheckPart): CheckPart {
  if (xcr0.ok || !area.ok) return xcr0;
  const remarks = ['an area and an instruction mask may have these components alone: the rule binds XCR0 only'];
  return { ...xcr0, remarks };
}

function checkSize(area: AreaRequest, size: number): CheckPart {
  const { model, form, layout } = area;
  const { matches, sentences } = explainSize(model, size);
  const difference = size - layout.totalBytes;
  const asked = `the ${form} area with mask ${hex(layout.mask)} takes ${layout.totalBytes} bytes`;
  const verdict = difference === 0 ? `fits: ${asked}` : `${asked}: ${amount(difference)}`;
  const elsewhere = matches.length === 0 ? othersWith(model, size) : [];
  const reasons = sentences.map((sentence) => ({ code: 'size', sentence, source: undefined }));
  return {
    what: 'size',
    subject: `${size} bytes on ${model.id}`,
    ok: difference === 0,
    verdict,
    reasons,
    remarks: elsewhere,
  };
}

function amount(difference: number): string {
  return difference < 0 ? `${size(-difference)} too few` : `${size(difference)} too many`;
}

function size(bytes: number): string {
  return bytes === 1 ? '1 byte' : `${bytes} bytes`;
}

/** Built-in processors whose area with all components has a size. */
function othersWith(model: CpuModel, bytes: number): readonly string[] {
  const others = CPU_IDS.filter((id) => id !== model.id).map((id) => cpuModel(id));
  const xsave = others.filter(({ features }) => features.includes('xsave'));
  const standard = xsave.filter((other) => areaLayout(other, other.xcr0, 'standard').totalBytes === bytes);
  const compacted = xsave
    .filter(hasCompactedForm)
    .filter((other) => areaLayout(other, other.xcr0 | other.xss, 'compacted').totalBytes === bytes);
  return [
    ...standard.map(({ id }) => `${bytes} is the standard size on ${id}`),
    ...compacted.map(({ id }) => `${bytes} is the compacted size on ${id}`),
  ];
}

/** With `--mask` the same components on both; without, all that each processor has. */
function checkAgainst(area: AreaRequest, mask: bigint | undefined, against: CpuModel): CheckPart {
  const other = areaOf(against, mask, area.form);
  const differences = compareLayouts(area, other);
  const reasons = differences.map(({ code, sentence }) => ({ code, sentence, source: undefined }));
  const subject = `${area.form} area of ${area.model.id} against ${against.id}`;
  const ok = reasons.length === 0;
  const remark = 'offsets and sizes come from CPUID leaf 0DH of the running processor: take none from another';
  return { what: 'against', subject, ok, verdict: ok ? 'the same' : 'different', reasons, remarks: ok ? [] : [remark] };
}

/** The parts as text. */
export function checkLines(parts: readonly CheckPart[], paint: Paint): readonly string[] {
  return parts.flatMap(({ subject, verdict, ok, reasons, remarks }, index) => [
    ...(index === 0 ? [] : ['']),
    `${paint.head(subject)}: ${ok ? paint.tsClear(verdict) : paint.violation(verdict)}`,
    ...reasons.map(({ sentence }) => `  - ${sentence}`),
    ...[...new Set(reasons.flatMap(({ source }) => source ?? []))].map((source) => paint.dim(`    ${source}`)),
    ...remarks.map((remark) => `  ${remark}`),
  ]);
}
