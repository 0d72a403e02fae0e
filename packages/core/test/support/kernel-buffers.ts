/** Kernel buffers for tests: everything that no save would have written is poison. */
import fc from 'fast-check';
import { SUPERVISOR_COMPONENTS, TILEDATA } from '../../src/x86/components';
import { cpuModel, hasFeature, type CpuModel } from '../../src/x86/cpu-model';
import { EXTENDED_OFFSET, HEADER_OFFSET, areaLayout, type AreaForm } from '../../src/x86/layout';
import { linuxFpuConfig } from '../../src/kernel/fpstate-size';
import { uabiContext, type UabiContext } from '../../src/kernel/uabi-xstate';

/** What a kernel buffer holds. */
export interface BufferContents {
  readonly form: AreaForm;
  /** Components that have a place. */
  readonly mask: number;
  readonly xstateBv: number;
  /** The byte that lies everywhere else. */
  readonly poison: number;
  /** Bytes of the components; never the poison. */
  readonly seed: number;
}

/** A byte that depends on the component and its place: 1 to 0x3A, so neither zero nor 0x3C nor 0xA5. */
export function contentByte(seed: number, bit: number, index: number): number {
  return 1 + ((seed + 31 * bit + 7 * index) % 0x3a);
}

/** A buffer in which the components of XSTATE_BV are stored; MXCSR with SSE or AVX, as in a compacted save. */
export function kernelBuffer(model: CpuModel, contents: BufferContents): Uint8Array {
  const { form, mask, xstateBv, poison, seed } = contents;
  const layout = areaLayout(model, mask, form);
  const area = new Uint8Array(layout.totalBytes).fill(poison);
  area.fill(0, HEADER_OFFSET, EXTENDED_OFFSET);
  const view = new DataView(area.buffer);
  view.setBigUint64(HEADER_OFFSET, BigInt(xstateBv), true);
  if (form === 'compacted') view.setBigUint64(HEADER_OFFSET + 8, (1n << 63n) | BigInt(mask), true);
  const mxcsr = area.slice(24, 32);
  for (const { bit, offset, size } of layout.components) {
    if (!(xstateBv & (1 << bit))) continue;
    for (let index = 0; index < size; index++) area[offset + index] = contentByte(seed, bit, index);
  }
  area.set(mxcsr, 24);
  if (xstateBv & 0b110) {
    view.setUint32(24, 0x1f80 | (seed & 0x1f), true);
    view.setUint32(28, model.mxcsrMask, true);
  }
  return area;
}

/** The bytes of a component in an area with this layout. */
export function bytesOf(area: Uint8Array, layout: ReturnType<typeof areaLayout>, bit: number): Uint8Array {
  const place = layout.components.find((candidate) => candidate.bit === bit);
  if (!place) throw new Error(`no place for component ${bit}`);
  return area.subarray(place.offset, place.offset + place.size);
}

/** A task and its buffer. */
export interface Case {
  readonly context: UabiContext;
  readonly contents: BufferContents;
}

/** A task on one of four processors, with or without TILEDATA, with a buffer as Linux has it or, on all, a standard one. */
export const anyCase: fc.Arbitrary<Case> = fc
  .record({
    id: fc.constantFrom('skylake-x', 'sapphire-rapids', 'haswell', 'zen4'),
    amx: fc.boolean(),
    standard: fc.boolean(),
    inUse: fc.integer({ min: 0, max: 0x7ffff }),
    seed: fc.nat(0xffff),
  })
  .map(({ id, amx, standard, inUse, seed }) => {
    const model = cpuModel(id);
    const acquired = amx ? 1 << TILEDATA : 0;
    const context = uabiContext(model, { acquired });
    const { kernel } = linuxFpuConfig(model);
    const form = standard || !hasFeature(model, 'xsaves') ? 'standard' : 'compacted';
    const all = kernel.defaultFeatures | (acquired & kernel.maxFeatures);
    const mask = form === 'compacted' ? all : all & ~SUPERVISOR_COMPONENTS;
    return { context, contents: { form, mask, xstateBv: inUse & mask, poison: 0xa5, seed } };
  });
