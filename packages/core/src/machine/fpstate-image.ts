/**
 * The images of the machine as bytes: what an fpstate or the registers would look like in memory.
 *
 * Values move as ids; bytes exist only here, when somebody asks. The bytes of a value of a user component say which value it is, so they
 * can be read back.
 */
import { FpuError } from '../error';
import { COMPONENTS, SSE, SUPERVISOR_COMPONENTS, TILECFG, X87 } from '../x86/components';
import type { CpuModel } from '../x86/cpu-model';
import { areaLayout, type AreaForm } from '../x86/layout';
import { xcompBvOf, type XsaveImage } from '../x86/image/image';
import { MXCSR_INIT } from '../x86/processor-state';
import { X87_INIT, type X87State } from '../x86/x87-state';
import type { MachineState } from './state';
import { INIT, valueBytes, valueOfBytes } from './values';

/** Which image is meant, and in which form. */
export interface FpstateImageOptions {
  readonly model: CpuModel;
  /** A task's fpstate, or a vCPU's behind them. */
  readonly fpstate: number;
  readonly form: AreaForm;
}

/**
 * An fpstate as the image that XSAVE (standard) or XSAVEC (compacted) would have stored: a component whose value is INIT has its
 * XSTATE_BV bit clear and no bytes.
 *
 * @throws FpuError FPU204 for the standard form of supervisor components, which have no place there
 */
export function fpstateImage(state: MachineState, { model, fpstate, form }: FpstateImageOptions): XsaveImage {
  const { image, components: count, componentBits } = state.at;
  const mask = componentBits.reduce((all, bit) => all | (1 << bit), 0);
  if (form === 'standard' && mask & SUPERVISOR_COMPONENTS) {
    throw new FpuError(
      'FPU204',
      'supervisor components have no place in a standard image; ask for the compacted form',
      { mask },
    );
  }
  const layout = areaLayout(model, mask, form);
  const components = new Map<number, Uint8Array>();
  let x87: X87State | undefined;
  let xstateBv = 0n;
  componentBits.forEach((bit, index) => {
    const value = state.words[image + fpstate * count + index];
    if (value === INIT) return;
    xstateBv |= 1n << BigInt(bit);
    if (bit === X87) x87 = x87OfValue(value);
    else components.set(bit, bytesOfValue(value, bit, sizeIn(layout, bit)));
  });
  const xcompBv = form === 'compacted' ? xcompBvOf(mask) : 0n;
  const mxcsr = form === 'standard' || components.has(SSE) ? { value: MXCSR_INIT, mask: model.mxcsrMask } : undefined;
  return { form, layout, wide: true, xstateBv, xcompBv, mxcsr, x87, components };
}

/**
 * The values of an image that `fpstateImage` made, by component bit; INIT where XSTATE_BV is clear.
 *
 * @returns undefined for a component whose bytes are no value of ours
 */
export function valuesOfImage({ layout, x87, components }: XsaveImage): ReadonlyMap<number, number | undefined> {
  const values = new Map<number, number | undefined>();
  for (const { bit } of layout.components) {
    const bytes = components.get(bit);
    if (bit === X87) values.set(X87, x87 ? valueOfBytes(x87.registers.subarray(0, 8)) : INIT);
    else values.set(bit, bytes ? valueOfComponent(bytes, bit) : INIT);
  }
  return values;
}

function sizeIn({ components }: XsaveImage['layout'], bit: number): number {
  return components.find((placement) => placement.bit === bit)?.size ?? 0;
}

/** All eight registers hold the value, as MMX registers do: exponents all ones. */
function x87OfValue(value: number): X87State {
  const register = Uint8Array.of(...valueBytes(value, 8), 0xff, 0xff);
  return { ...X87_INIT, ftw: 0xff, registers: Uint8Array.from({ length: 80 }, (_, index) => register[index % 10]) };
}

const TILES = 8;
const ROWS_OFFSET = 48;
const BYTES_PER_ROW_OFFSET = 16;

/** TILECFG must be a configuration that XRSTOR accepts: palette 1, and the value in the rows of the tiles, four bits each. */
function bytesOfValue(value: number, bit: number, size: number): Uint8Array {
  const { registerBytes = size } = COMPONENTS[bit];
  if (bit !== TILECFG) return valueBytes(value, size).fill(0, registerBytes);
  const config = new Uint8Array(size);
  config[0] = 1;
  for (let tile = 0; tile < TILES; tile++) {
    config[ROWS_OFFSET + tile] = ((value >>> (4 * tile)) & 0xf) + 1;
    config[BYTES_PER_ROW_OFFSET + 2 * tile] = 64;
  }
  return config;
}

function valueOfComponent(bytes: Uint8Array, bit: number): number | undefined {
  if (bit !== TILECFG) return valueOfBytes(bytes.subarray(0, COMPONENTS[bit].registerBytes));
  let value = 0;
  for (let tile = 0; tile < TILES; tile++) value |= (bytes[ROWS_OFFSET + tile] - 1) << (4 * tile);
  return value;
}
