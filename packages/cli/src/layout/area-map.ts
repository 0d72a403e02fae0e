/** An area from its first byte to its last: components, header, and what lies between. */
import {
  COMPONENTS,
  CPU_IDS,
  HEADER_BYTES,
  HEADER_OFFSET,
  SSE,
  cpuModel,
  gapsOf,
  savesMxcsr,
  type AreaForm,
  type CpuModel,
  type Gap,
} from '@fpulab/core';
import type { AreaRequest } from './area-request';

/** A stretch of bytes of the map. */
export interface AreaRow {
  readonly kind: 'component' | 'header' | 'gap';
  readonly offset: number;
  readonly size: number;
  /** The component's bit. */
  readonly bit: number | undefined;
  readonly name: string;
  /** Multiple at which the form lets the component start. */
  readonly align: number | undefined;
  /** What registers it is, what the header holds, why there is a gap. */
  readonly text: string;
}

/** The rows of an area, by offset; together they cover every byte once. */
export function mapOf(request: AreaRequest): readonly AreaRow[] {
  const components = request.layout.components.map(({ bit, name, offset, size, align }): AreaRow => {
    const text = `${COMPONENTS[bit]?.registers ?? 'not known to fpulab'}${bit === SSE ? ' (at 24)' : ''}`;
    return { kind: 'component', offset, size, bit, name, align, text };
  });
  const gaps = gapsOf(request.layout).map((gap): AreaRow => ({
    kind: 'gap',
    ...gap,
    bit: undefined,
    name: '-',
    align: undefined,
    text: whyGap(gap, request),
  }));
  return [...components, HEADER, ...gaps].sort((a, b) => a.offset - b.offset);
}

const HEADER: AreaRow = {
  kind: 'header',
  offset: HEADER_OFFSET,
  size: HEADER_BYTES,
  bit: undefined,
  name: 'header',
  align: undefined,
  text: 'XSTATE_BV, XCOMP_BV, 48 reserved bytes',
};

/** Where the legacy region's registers end. */
const LEGACY_USED = 416;

/**
 * Why nobody uses these bytes.
 *
 * @see Intel SDM Vol. 1 "Legacy Region of an XSAVE Area" (13.4.1); Linux struct _fpx_sw_bytes
 */
function whyGap(gap: Gap, { model, form, layout }: AreaRequest): string {
  if (gap.offset >= LEGACY_USED && gap.offset < HEADER_OFFSET) {
    return 'reserved; 464 to 511 for software: Linux uses them in signal frames';
  }
  if (gap.offset < HEADER_OFFSET) return `not in the mask${mxcsrIn(gap, form, layout.mask)}`;
  if (form === 'compacted') return `up to a multiple of 64 for ${nameAt(layout.components, gap)}`;
  const left = placedIn(gap, model).map(({ name }) => name);
  if (left.length > 0) return `room of ${left.join(', ')}: not in the mask`;
  const others = CPU_IDS.map((id) => cpuModel(id)).map((other) => ({ other, there: placedIn(gap, other) }));
  const found = others.find(({ there }) => there.length > 0);
  if (found !== undefined) {
    return `no component here; ${found.other.id} has ${found.there.map(({ name }) => name).join(', ')}`;
  }
  return 'no component';
}

/** MXCSR lies among the bytes of x87, but goes with SSE, and in the standard form with AVX, too. */
const MXCSR_OFFSET = 24;

function mxcsrIn({ offset }: Gap, form: AreaForm, mask: number): string {
  const saved = form === 'standard' ? savesMxcsr(mask) : (mask & (1 << SSE)) !== 0;
  return offset < MXCSR_OFFSET && saved ? '; MXCSR, at 24, is saved all the same' : '';
}

function nameAt(components: AreaRequest['layout']['components'], { offset, size }: Gap): string {
  return components.find((component) => component.offset === offset + size)?.name ?? 'the next component';
}

/** User components that a processor has within these bytes. */
function placedIn(gap: Gap, model: CpuModel): readonly { readonly name: string }[] {
  return model.components
    .filter(
      ({ supervisor, offset, size }) => !supervisor && offset >= gap.offset && offset + size <= gap.offset + gap.size,
    )
    .map(({ bit }) => ({ name: COMPONENTS[bit]?.name ?? `xfeature${bit}` }));
}
