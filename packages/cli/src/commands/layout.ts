import { writeFileSync } from 'node:fs';
import { FpuError, HEADER_BYTES, HEADER_OFFSET, described, type CpuModel } from '@fpulab/core';
import { loadCpu } from '../cpu-argument';
import { EXIT } from '../exit-codes';
import { mapOf, type AreaRow } from '../layout/area-map';
import { areaOf, hex, type AreaRequest, type IgnoredReason } from '../layout/area-request';
import { check, checkLines, type CheckPart } from '../layout/check';
import { linuxDocument, linuxLines } from '../layout/linux-sizes';
import { svgOf } from '../layout/svg';
import { tableLines } from '../layout/table';
import { paintFor, print, printJson, type GlobalOptions } from '../terminal';

/** The flags of `fpulab layout`. */
export interface LayoutFlags {
  readonly cpu: string;
  readonly mask?: bigint;
  readonly compacted?: boolean;
  readonly check?: boolean;
  readonly xcr0?: bigint;
  readonly xss?: bigint;
  readonly against?: string;
  readonly size?: number;
  /** A file; true for stdout. */
  readonly svg?: string | true;
}

/** `fpulab layout --cpu <id|file>` */
export function layout(flags: LayoutFlags, options: GlobalOptions): number {
  if (flags.svg === true && options.json) {
    throw new FpuError('FPU501', '--svg without a file and --json both print a document on stdout', {
      hint: 'name a file: --svg map.svg',
    });
  }
  const area = areaOf(loadCpu(flags.cpu), flags.mask, flags.compacted ? 'compacted' : 'standard');
  const rows = mapOf(area);
  const parts = isCheck(flags) ? checkParts(area, flags) : undefined;
  if (parts === undefined) noteIgnored(area, options);
  if (flags.svg !== undefined) writeSvg(svgOf(area, rows), flags.svg);
  if (options.json) printJson(documentOf(area, rows, parts));
  else if (parts !== undefined) print(checkLines(parts, paintFor(options.color)).join('\n'));
  else if (flags.svg !== true) printMap(area, rows, options);
  return parts === undefined || parts.every(({ ok }) => ok) ? EXIT.ok : EXIT.violation;
}

/** The flags that ask a question check, too. */
function isCheck({ check: asked, xcr0, xss, against, size }: LayoutFlags): boolean {
  return asked === true || [xcr0, xss, against, size].some((flag) => flag !== undefined);
}

function checkParts(area: AreaRequest, { mask, xcr0, xss, against, size }: LayoutFlags): readonly CheckPart[] {
  return check({ area, mask, xcr0, xss, size, against: against === undefined ? undefined : loadCpu(against) });
}

const IGNORED: Readonly<Record<IgnoredReason, (model: CpuModel) => string>> = {
  'not-enumerated': ({ id }) => `CPUID leaf 0DH of ${id} does not enumerate such components`,
  'supervisor-in-standard-form': () => 'supervisor components have no place in the standard form; see --compacted',
};

function noteIgnored({ model, ignored }: AreaRequest, { quiet }: GlobalOptions): void {
  if (quiet) return;
  for (const reason of ['not-enumerated', 'supervisor-in-standard-form'] as const) {
    const bits = ignored.filter((one) => one.reason === reason).map(({ bit }) => 1n << BigInt(bit));
    if (bits.length === 0) continue;
    const mask = bits.reduce((all, bit) => all | bit);
    const why = IGNORED[reason](model);
    process.stderr.write(`fpulab: note: --mask: ${described(mask)} left out, as the processor does (RFBM): ${why}\n`);
  }
}

function printMap(area: AreaRequest, rows: readonly AreaRow[], options: GlobalOptions): void {
  print([...tableLines(area, rows, paintFor(options.color)), '', ...linuxLines(area)].join('\n'));
}

function writeSvg(svg: string, target: string | true): void {
  if (target === true) {
    process.stdout.write(svg);
    return;
  }
  try {
    writeFileSync(target, svg);
  } catch (cause) {
    throw new FpuError('FPU503', `cannot write '${target}': ${(cause as Error).message}`, { file: target }, { cause });
  }
}

function documentOf(area: AreaRequest, rows: readonly AreaRow[], parts: readonly CheckPart[] | undefined) {
  const { model, form, requested, layout: placed, ignored } = area;
  return {
    schema: 'fpulab/layout@1',
    cpu: model.id,
    form,
    requestedMask: hex(requested),
    mask: hex(placed.mask),
    totalBytes: placed.totalBytes,
    header: { offset: HEADER_OFFSET, size: HEADER_BYTES },
    components: placed.components,
    gaps: rows.filter(({ kind }) => kind === 'gap').map(({ offset, size, text }) => ({ offset, size, reason: text })),
    ignored,
    linux: linuxDocument(area),
    ...(parts === undefined ? {} : { check: { ok: parts.every(({ ok }) => ok), parts } }),
  };
}
