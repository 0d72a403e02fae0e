/**
 * XSAVE state components.
 *
 * Source: Intel SDM Vol. 1 "XSAVE-Supported Features and State-Component Bitmaps" (13.1).
 */

/** One state component: bit `bit` of XCR0, XSTATE_BV and every other xfeatures bitmap. */
export interface Component {
  readonly bit: number;
  /** The SDM's name, lower case: `x87`, `sse`, `avx`. */
  readonly name: string;
  /** The CPUID feature without which the component does not exist. */
  readonly feature: Feature;
}

/** CPU features that decide which instructions and components exist. */
export type Feature = 'fpu' | 'mmx' | 'fxsr' | 'sse' | 'xsave' | 'xsaveopt' | 'avx';

/** Bit of the x87 component. MMX registers are the significands of the x87 registers and belong to it. */
export const X87 = 0;
/** Bit of the SSE component: XMM registers (and, with rules of its own, MXCSR). */
export const SSE = 1;
/** Bit of the AVX component: the upper halves of the YMM registers. */
export const AVX = 2;

/** All components that are modelled, by bit. */
export const COMPONENTS: readonly Component[] = [
  { bit: X87, name: 'x87', feature: 'fpu' },
  { bit: SSE, name: 'sse', feature: 'sse' },
  { bit: AVX, name: 'avx', feature: 'avx' },
];

/** `x87`, `sse`, ... for a component bit. */
export function componentName(bit: number): string {
  return COMPONENTS.find((component) => component.bit === bit)?.name ?? `xfeature${bit}`;
}

/** `x87+sse` for a bitmap, `none` for the empty one. */
export function xfeaturesName(mask: number): string {
  const names = COMPONENTS.filter((component) => mask & (1 << component.bit)).map((component) => component.name);
  return names.length === 0 ? 'none' : names.join('+');
}
