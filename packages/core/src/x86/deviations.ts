/**
 * What single processors do that no other behaviour flag says: each deviation has a name, models declare it with its source, and the code
 * that it changes asks for it. The first two are silicon's, which the manuals allow; the others are mistakes or simplifications of emulators.
 */
export const DEVIATIONS = {
  'write-marks-avx':
    'while ZMM_Hi256 is in use, a write of an XMM register by SSE, or of a YMM register but to clear it, sets XINUSE[2]',
  'mxcsr-mask-zero': 'FXSAVE stores 0 as MXCSR_MASK, which stands for FFBFH',
  'xsave-marks-mxcsr':
    'XSAVE and XSAVEOPT set XSTATE_BV[1] when only MXCSR is not 1F80H (SDM Vol. 1, 13.7: XMM alone decides)',
  'xsave-reads-header-first':
    'XSAVE and XSAVEOPT read XSTATE_BV before anything else: a missing page is a read fault of byte 512',
  'xstate-bv-63-ignored': 'XRSTOR and XRSTORS accept XSTATE_BV[63] in the compacted form',
  'pkru-four-bytes': 'saves write bytes 3:0 of the PKRU component and leave 7:4 alone',
  'no-sttilecfg': 'STTILECFG is #UD',
  'fnstsw-ax-updates-fip': 'FNSTSW AX loads FIP',
  'fnop-keeps-fip': 'FNOP does not load FIP',
  'no-denormal-flag': 'loading a denormal single or double does not set FSW.DE',
  'mmx-keeps-exponent': 'a write to an MMX register leaves bits 79:64 of the x87 register alone',
  'fxsave-stores-mxcsr-last': 'FXSAVE and XSAVE store MXCSR behind the x87 registers',
  'fxrstor-in-order':
    'FXRSTOR has loaded FCW, FSW, FTW (reserved bits too) and the registers before a missing page when it meets it',
  'cr0-upper-half-ignored': 'MOV to CR0 ignores bits 63:32',
} as const;

/** Name of a deviation. */
export type Deviation = keyof typeof DEVIATIONS;
