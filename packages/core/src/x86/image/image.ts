/**
 * Images: FPU state in memory, between values and exact bytes.
 *
 * `encode` writes the bytes that the instruction writes and leaves all others alone; `decode` reads them back.
 */
import { FpuError } from '../../error';
import { SSE, X87 } from '../components';
import { COMPACTED_BIT, HEADER_OFFSET, type AreaLayout } from '../layout';
import type { X87State } from '../x87-state';
import {
  MXCSR_OFFSET,
  STACK_OFFSET,
  XMM_OFFSET,
  decodeFsave,
  decodeMxcsr,
  decodeX87,
  encodeEnvironment,
  encodeFsave,
  encodeMxcsr,
  encodeStack,
  fsaveBytes,
  type MxcsrImage,
} from './legacy';

/** What XSAVE, XSAVEOPT, XSAVEC or XSAVES store. */
export interface XsaveImage {
  readonly form: 'standard' | 'compacted';
  readonly layout: AreaLayout;
  /** Stored with REX.W: FIP and FDP have 64 bits. */
  readonly wide: boolean;
  readonly xstateBv: bigint;
  /** 0 in the standard form, where the instruction does not write it. */
  readonly xcompBv: bigint;
  readonly mxcsr: MxcsrImage | undefined;
  readonly x87: X87State | undefined;
  /** Bytes per component above x87. Fewer bytes than the component has: only those are written (32-bit code). */
  readonly components: ReadonlyMap<number, Uint8Array>;
}

/** What FXSAVE stores. */
export interface FxsaveImage {
  readonly form: 'fxsave';
  readonly wide: boolean;
  readonly x87: X87State;
  readonly mxcsr: MxcsrImage | undefined;
  /** 256 bytes, 128 in 32-bit code, none where XMM is not saved. */
  readonly xmm: Uint8Array | undefined;
}

/** What FNSAVE stores. */
export interface FsaveImage {
  readonly form: 'fnsave';
  readonly operandBits: 16 | 32;
  readonly x87: X87State;
}

/** An image of any form. */
export type Image = XsaveImage | FxsaveImage | FsaveImage;

/** Bytes of the image at an offset of its area. */
export interface Write {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Writes an image into an area, over whatever is there.
 *
 * @returns bytes written
 * @throws FpuError FPU103 when the area is too small; then nothing has been written
 */
export function encode(image: Image, area: Uint8Array): number {
  const writes = writesOf(image);
  requireBytes(
    area,
    writes.reduce((end, { offset, bytes }) => Math.max(end, offset + bytes.length), 0),
  );
  for (const { offset, bytes } of writes) area.set(bytes, offset);
  return writes.reduce((count, { bytes }) => count + bytes.length, 0);
}

/** The bytes of an image, where they go. */
export function writesOf(image: Image): readonly Write[] {
  switch (image.form) {
    case 'fnsave':
      return [{ offset: 0, bytes: encodeFsave(image.x87, image.operandBits) }];
    case 'fxsave': {
      const xmm = image.xmm ? [{ offset: XMM_OFFSET, bytes: image.xmm }] : [];
      return [...legacyWrites(image), ...xmm];
    }
    default:
      return [...partWrites(image), { offset: HEADER_OFFSET, bytes: headerBytes(image) }];
  }
}

/** How the legacy region is written where processors differ. */
export interface LegacyOptions {
  /** False: FOP, FIP and FDP are left alone. */
  readonly pointers?: boolean;
  /** MXCSR comes behind the x87 registers instead of in the order of addresses. */
  readonly mxcsrLast?: boolean;
}

/** Parts of the legacy region. */
export interface LegacyParts extends LegacyOptions {
  readonly wide: boolean;
  readonly x87: X87State | undefined;
  readonly mxcsr: MxcsrImage | undefined;
}

/** What an XSAVE area holds, but for the header. */
export interface XsaveParts extends LegacyParts {
  readonly layout: AreaLayout;
  readonly components: ReadonlyMap<number, Uint8Array>;
}

/** The bytes of an XSAVE area but for its header, in the order in which they are written. */
export function partWrites(parts: XsaveParts): readonly Write[] {
  const writes = [...legacyWrites(parts)];
  for (const { bit, offset } of parts.layout.components) {
    const bytes = parts.components.get(bit);
    if (bytes && bytes.length > 0) writes.push({ offset, bytes });
  }
  return writes;
}

/** XSTATE_BV, and XCOMP_BV in the compacted form: the bytes of the header that a save writes. */
export function headerBytes({
  form,
  xstateBv,
  xcompBv,
}: Pick<XsaveImage, 'form' | 'xstateBv' | 'xcompBv'>): Uint8Array {
  const words = form === 'standard' ? [xstateBv] : [xstateBv, xcompBv];
  return new Uint8Array(BigUint64Array.from(words).buffer);
}

/** Bytes 0 to 5 of the legacy region: FCW, FSW, FTW and a zero; FOP follows. */
const BEFORE_POINTERS = 6;

/** x87 and MXCSR, as FXSAVE and XSAVE write them. */
export function legacyWrites({ x87, mxcsr, wide, pointers = true, mxcsrLast = false }: LegacyParts): readonly Write[] {
  const environment = x87 && encodeEnvironment(x87, wide);
  const first = environment
    ? [{ offset: 0, bytes: pointers ? environment : environment.subarray(0, BEFORE_POINTERS) }]
    : [];
  const control = mxcsr ? [{ offset: MXCSR_OFFSET, bytes: encodeMxcsr(mxcsr) }] : [];
  const stack = x87 ? [{ offset: STACK_OFFSET, bytes: encodeStack(x87) }] : [];
  return mxcsrLast ? [...first, ...stack, ...control] : [...first, ...control, ...stack];
}

/** How the bytes of an XSAVE area are to be read. */
export interface XsaveDecodeForm {
  readonly form: 'standard' | 'compacted';
  readonly wide: boolean;
  readonly layout: AreaLayout;
}

/** How the bytes of an area are to be read. */
export type DecodeForm =
  | { readonly form: 'fnsave'; readonly operandBits: 16 | 32 }
  | { readonly form: 'fxsave'; readonly wide: boolean }
  | XsaveDecodeForm;

/**
 * Reads an area: the components that XSTATE_BV marks, MXCSR always. Reserved bits are kept as they are.
 *
 * @throws FpuError FPU103 when the area is too small
 */
export function decode(area: Uint8Array, how: DecodeForm): Image {
  if (how.form === 'fnsave') {
    requireBytes(area, fsaveBytes(how.operandBits));
    return { ...how, x87: decodeFsave(area, how.operandBits) };
  }
  if (how.form === 'fxsave') {
    requireBytes(area, XMM_OFFSET + 256);
    const xmm = area.slice(XMM_OFFSET, XMM_OFFSET + 256);
    return { ...how, x87: decodeX87(area, how.wide), mxcsr: decodeMxcsr(area), xmm };
  }
  return decodeXsave(area, how);
}

function decodeXsave(area: Uint8Array, how: XsaveDecodeForm): XsaveImage {
  const { layout, wide, form } = how;
  requireBytes(area, layout.totalBytes);
  const header = new DataView(area.buffer, area.byteOffset + HEADER_OFFSET, 16);
  const xstateBv = header.getBigUint64(0, true);
  const xcompBv = form === 'standard' ? 0n : header.getBigUint64(8, true);
  const present = (bit: number): boolean => ((xstateBv >> BigInt(bit)) & 1n) === 1n;
  const components = new Map<number, Uint8Array>();
  for (const { bit, offset, size } of layout.components) {
    if (bit !== X87 && present(bit)) components.set(bit, area.slice(offset, offset + size));
  }
  const x87 = present(X87) && layout.mask & (1 << X87) ? decodeX87(area, wide) : undefined;
  return { form, layout, wide, xstateBv, xcompBv, mxcsr: decodeMxcsr(area), x87, components };
}

/** XCOMP_BV of a compacted area that holds `mask`. */
export function xcompBvOf(mask: number): bigint {
  return COMPACTED_BIT | BigInt(mask >>> 0);
}

/** XSTATE_BV or any other 64-bit bitmap, cut to the components that are defined. */
export function maskOf(bitmap: bigint): number {
  return Number(bitmap & 0x7fff_ffffn);
}

/** The components of an image that hold values, as a bitmap. */
export function presentIn({ x87, components }: XsaveImage): number {
  return [...components.keys()].reduce((mask, bit) => mask | (1 << bit), x87 ? 1 << X87 : 0);
}

/** XMM registers of an XSAVE image, zeros where SSE is in its initial configuration. */
export function xmmOf(image: XsaveImage): Uint8Array {
  return image.components.get(SSE) ?? new Uint8Array(256);
}

function requireBytes(area: Uint8Array, bytes: number): void {
  if (area.length < bytes) throw tooSmall(bytes, area.length);
}

function tooSmall(needed: number, found: number): FpuError {
  return new FpuError('FPU103', `the area has ${found} bytes, the image needs ${needed}`, {
    needed,
    found,
    hint: 'a standard area ends behind its highest component, a compacted one is as long as XCOMP_BV makes it',
  });
}
