/** Which components Linux kernels know: the rest of what a processor enumerates stays disabled in XCR0. */
import { AVX, BNDCSR, BNDREGS, HI16_ZMM, OPMASK, PKRU, SSE, X87, ZMM_HI256 } from '@fpulab/core';

const maskOf = (...bits: readonly number[]): number => bits.reduce((mask, bit) => mask | (1 << bit), 0);

/** XCNTXT_MASK of Linux 3.6: asm/xsave.h. */
export const XFEATURES_3_6 = maskOf(X87, SSE, AVX);

/**
 * XSTATE_LAZY of Linux 4.1.27 and 4.2.8, XFEATURE_MASK_LAZY of 4.8.15: asm/fpu/xstate.h.
 *
 * All that lazy switching leaves: with eagerfpu=off 4.2 and 4.8 drop XSTATE_EAGER, and without it MPX makes 4.2 eager
 * (fpu__init_system_ctx_switch()). 4.8 would let components through that it does not know
 * (fpu__get_supported_xfeatures_mask() returns ~XFEATURE_MASK_EAGER then); they are left out here.
 */
export const XFEATURES_LAZY = maskOf(X87, SSE, AVX, OPMASK, ZMM_HI256, HI16_ZMM);

/** XCNTXT_MASK of Linux 4.1.27: asm/xsave.h. XSTATE_LAZY, and MPX, which needs eager mode. So up to 4.5: PKRU came with 4.6. */
export const XFEATURES_4_1 = XFEATURES_LAZY | maskOf(BNDREGS, BNDCSR);

/** XCNTXT_MASK of Linux 4.8.15: XFEATURE_MASK_LAZY and XFEATURE_MASK_EAGER, which is MPX and PKRU. */
export const XFEATURES_4_8 = XFEATURES_LAZY | maskOf(BNDREGS, BNDCSR, PKRU);
