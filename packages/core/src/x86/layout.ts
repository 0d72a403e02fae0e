/**
 * Where components lie in an XSAVE area.
 *
 * Source: Intel SDM Vol. 1 "XSAVE Area" (13.4), "Extended Region of an XSAVE Area" (13.4.3).
 */
import { AVX, SSE, X87, componentName } from './components';
import type { CpuModel } from './cpu-model';

/** Standard: fixed offsets from CPUID leaf 0DH. Compacted: what XCOMP_BV names, packed. */
export type AreaForm = 'standard' | 'compacted';

/** Bytes of the legacy region. */
export const LEGACY_BYTES = 512;
/** Offset of the XSAVE header: XSTATE_BV, XCOMP_BV, 48 reserved bytes. */
export const HEADER_OFFSET = LEGACY_BYTES;
/** Bytes of the XSAVE header. */
export const HEADER_BYTES = 64;
/** Offset of the extended region, and the size of an area without one. */
export const EXTENDED_OFFSET = HEADER_OFFSET + HEADER_BYTES;
/** XCOMP_BV[63]: the area is compacted. */
export const COMPACTED_BIT = 1n << 63n;

/** One component's place in an area. */
export interface Placement {
  readonly bit: number;
  readonly name: string;
  /** Bytes from the start of the area. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Multiple at which the form lets it start: 64 or 1; 16 for the fixed place of XMM. */
  readonly align: number;
}

/** An XSAVE area. */
export interface AreaLayout {
  readonly form: AreaForm;
  /** Components that have a place, as a bitmap. */
  readonly mask: number;
  readonly totalBytes: number;
  /** By offset; x87 and SSE share the legacy region. */
  readonly components: readonly Placement[];
}

/** x87 from offset 0: its environment, and the eight slots from 32 on; MXCSR lies between them at 24. */
const X87_PLACE: Placement = { bit: X87, name: componentName(X87), offset: 0, size: 160, align: 1 };
const SSE_PLACE: Placement = { bit: SSE, name: componentName(SSE), offset: 160, size: 256, align: 16 };

/**
 * The layout of an area that holds `mask`. Bits that the CPU does not enumerate have no place and are left out.
 *
 * @param mask components, as bits of XCR0 | IA32_XSS
 * @param form in the standard form supervisor components have no place
 * @returns at least legacy region and header: 576 bytes
 * @see Intel SDM Vol. 1 "Extended Region of an XSAVE Area" (13.4.3)
 */
export function areaLayout(model: CpuModel, mask: number, form: AreaForm): AreaLayout {
  const wanted = model.components
    .filter(({ bit, supervisor }) => (mask & (1 << bit)) !== 0 && !(form === 'standard' && supervisor))
    .sort((a, b) => a.bit - b.bit);
  const extended: Placement[] = [];
  let end = EXTENDED_OFFSET;
  for (const { bit, size, offset, align64 } of wanted) {
    const align = align64 ? 64 : 1;
    const start = form === 'standard' ? offset : Math.ceil(end / align) * align;
    extended.push({ bit, name: componentName(bit), offset: start, size, align });
    end = Math.max(end, start + size);
  }
  const legacy = [X87_PLACE, SSE_PLACE].filter(({ bit }) => mask & (1 << bit));
  const components = [...legacy, ...extended.sort((a, b) => a.offset - b.offset)];
  return { form, mask: components.reduce((all, { bit }) => all | (1 << bit), 0), totalBytes: end, components };
}

/** Bytes of an area that belong to no component of it. */
export interface Gap {
  readonly offset: number;
  readonly size: number;
}

/**
 * The bytes between the components and the header, by offset. No save writes them: what lies there stays. The exception
 * is MXCSR with its mask, bytes 24 to 31 among those of x87, which goes with SSE and, in the standard form, AVX.
 *
 * Bytes 416 to 511 are a gap of every area: the XSAVE feature set does not use them.
 *
 * @see Intel SDM Vol. 1 "Legacy Region of an XSAVE Area" (13.4.1)
 */
export function gapsOf({ components, totalBytes }: AreaLayout): readonly Gap[] {
  const taken = [...components, { offset: HEADER_OFFSET, size: HEADER_BYTES }].sort((a, b) => a.offset - b.offset);
  const gaps: Gap[] = [];
  let end = 0;
  for (const { offset, size } of [...taken, { offset: totalBytes, size: 0 }]) {
    if (offset > end) gaps.push({ offset: end, size: offset - end });
    end = Math.max(end, offset + size);
  }
  return gaps;
}

/** True when `mask` has SSE or AVX: only then the standard form saves MXCSR. */
export function savesMxcsr(mask: number): boolean {
  return (mask & ((1 << SSE) | (1 << AVX))) !== 0;
}

/** Layouts are asked for by every save and restore: remembered per model, form and mask. */
export class LayoutTable {
  private readonly known = new Map<number, AreaLayout>();

  constructor(private readonly model: CpuModel) {}

  /** The same as `areaLayout`. */
  of(mask: number, form: AreaForm): AreaLayout {
    const key = mask * 2 + (form === 'standard' ? 0 : 1);
    const found = this.known.get(key) ?? areaLayout(this.model, mask, form);
    this.known.set(key, found);
    return found;
  }
}
