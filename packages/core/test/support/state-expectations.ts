/** What laws about saves and restores compare, with bytes compared as bytes: `toEqual` on 8 KiB of tiles takes milliseconds. */
import { AVX, HI16_ZMM, SSE, X87, ZMM_HI256 } from '../../src/x86/components';
import type { CpuModel } from '../../src/x86/cpu-model';
import { encodeEnvironment, encodeStack } from '../../src/x86/image/legacy';
import { isInitial, type ProcessorState } from '../../src/x86/processor-state';
import { FSW_ES, X87_INIT, type X87State } from '../../src/x86/x87-state';

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Fails with both in hex. */
export function expectSameBytes(what: string, found: Uint8Array, expected: Uint8Array): void {
  if (!sameBytes(found, expected)) expect([what, hex(found)]).toEqual([what, hex(expected)]);
}

/** Fails with the offsets that differ, of those that `where` approves of. */
export function expectSameArea(
  found: Uint8Array,
  expected: Uint8Array,
  where: (offset: number) => boolean = () => true,
): void {
  if (sameBytes(found, expected)) return;
  const differing = [...found.keys()].filter((offset) => found[offset] !== expected[offset] && where(offset));
  expect(differing.map((offset) => `${offset}: ${found[offset]}, not ${expected[offset]}`)).toEqual([]);
}

/** All of a state but its memory. */
export function expectSameState(found: ProcessorState, expected: ProcessorState): void {
  found.components.forEach((bytes, bit) => expectSameBytes(`component ${bit}`, bytes, expected.components[bit]));
  const rest = { components: undefined, memory: undefined };
  expect({ ...found, ...rest }).toEqual({ ...expected, ...rest });
}

/**
 * All that a faulting restore must leave alone.
 *
 * @param spread components that it may have loaded all the same
 */
export function expectUnchanged(found: ProcessorState, before: ProcessorState, spread = 0): void {
  if (!(spread & (1 << X87))) expect(found.x87).toEqual(before.x87);
  found.components.forEach((bytes, bit) => {
    if (!(spread & (1 << bit))) expectSameBytes(`component ${bit}`, bytes, before.components[bit]);
  });
  expect(found.mxcsr).toBe(before.mxcsr);
  expect(found.inUse & ~spread).toBe(before.inUse & ~spread);
  expect({ ...found.control, xfdErr: 0 }).toEqual({ ...before.control, xfdErr: 0 });
}

/** Bytes of a component that code of this mode can name (Intel SDM Vol. 1, 13.13). */
export function reach(bit: number, size: number, mode: 32 | 64): number {
  if (mode === 64 || ![SSE, AVX, ZMM_HI256, HI16_ZMM].includes(bit)) return size;
  return bit === HI16_ZMM ? 0 : size / 2;
}

/** x87 state as it comes back through an image with 64-bit pointers, or with 32-bit ones and selectors. */
export function throughImage(model: CpuModel, x87: X87State, wide: boolean): X87State {
  const { pointersSaved, selectorsSaved, pointerBits } = model.behaviour;
  const pointers = pointersSaved === 'always' || (x87.fsw & FSW_ES) !== 0;
  const loaded = (pointer: bigint): bigint => {
    const stored = wide ? pointer : pointer & 0xffff_ffffn;
    return pointerBits <= 32 ? stored : BigInt.asUintN(64, BigInt.asIntN(pointerBits, stored));
  };
  const selectors = pointers && selectorsSaved && !wide;
  return {
    ...x87,
    fop: pointers ? x87.fop : 0,
    fip: pointers ? loaded(x87.fip) : 0n,
    fdp: pointers ? loaded(x87.fdp) : 0n,
    fcs: selectors ? x87.fcs : 0,
    fds: selectors ? x87.fds : 0,
  };
}

const withoutPointers = (x87: X87State): X87State => ({ ...x87, fop: 0, fip: 0n, fdp: 0n, fcs: 0, fds: 0 });

/** x87 state but for pointers where the processor (QEMU) neither stores nor loads them. */
export function expectX87({ behaviour }: CpuModel, found: X87State, expected: X87State): void {
  if (behaviour.pointersSaved === 'never') expect(withoutPointers(found)).toEqual(withoutPointers(expected));
  else expect(found).toEqual(expected);
}

/** Whether the registers of a component are all in their initial configuration. */
export function isInInitialConfiguration(model: CpuModel, { x87, components }: ProcessorState, bit: number): boolean {
  if (bit === X87) return isInitialX87(model, x87);
  return isInitial(bit, components[bit]);
}

/** Pointers that an image does not show are no reason to be in use. */
function isInitialX87(model: CpuModel, x87: X87State): boolean {
  const shown =
    model.behaviour.pointersSaved === 'never'
      ? withoutPointers(x87)
      : { ...throughImage(model, x87, true), ...(x87.fsw & FSW_ES ? {} : { fcs: 0, fds: 0 }) };
  const same = (encode: (state: X87State) => Uint8Array): boolean => sameBytes(encode(shown), encode(X87_INIT));
  return same((state) => encodeEnvironment(state, true)) && same(encodeStack);
}
