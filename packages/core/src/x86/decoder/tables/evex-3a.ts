/**
 * AVX-512 in map 0F 3A.
 *
 * Source: Intel SDM Vol. 2, the opcode tables of the instructions. The shorthand is in `macros.ts`.
 */
import { parseTable, type Encoding } from '../encoding';
import { expandLines } from '../macros';

const INTEGERS = `
  00 66 VPERMQ         Vx,Wx,Ib        W1 L12 bcast
  03 66 VALIGN#        Vx,Hx,Wx,Ib     bcast
  0F 66 VPALIGNR       Vx,Hx,Wx,Ib
  14 66 VPEXTRB        Ed:b,V16,Ib     L0 nomask
  15 66 VPEXTRW        Ed:w,V16,Ib     L0 nomask
  16 66 VPEXTRD        Ed,V16,Ib       W0 L0 nomask wig32
  16 66 VPEXTRQ        Eq,V16,Ib       W1 L0 nomask only64
  1E 66 VPCMPU#        K,Hx,Wx,Ib      bcast
  1F 66 VPCMP#         K,Hx,Wx,Ib      bcast
  20 66 VPINSRB        V16,H16,Ed:b,Ib L0 nomask
  22 66 VPINSRD        V16,H16,Ed,Ib   W0 L0 nomask wig32
  22 66 VPINSRQ        V16,H16,Eq,Ib   W1 L0 nomask only64
  25 66 VPTERNLOG#     Vx,Hx,Wx,Ib     bcast
  38 66 VINSERTI32X4   Vx,Hx,W16,Ib    W0 L12
  38 66 VINSERTI64X2   Vx,Hx,W16,Ib    W1 L12
  39 66 VEXTRACTI32X4  W16,Vx,Ib       W0 L12
  39 66 VEXTRACTI64X2  W16,Vx,Ib       W1 L12
  3A 66 VINSERTI32X8   Vx,Hx,W32,Ib    W0 L2
  3A 66 VINSERTI64X4   Vx,Hx,W32,Ib    W1 L2
  3B 66 VEXTRACTI32X8  W32,Vx,Ib       W0 L2
  3B 66 VEXTRACTI64X4  W32,Vx,Ib       W1 L2
  3E 66 VPCMPU%        K,Hx,Wx,Ib
  3F 66 VPCMP%         K,Hx,Wx,Ib
  42 66 VDBPSADBW      Vx,Hx,Wx,Ib     W0
  43 66 VSHUFI32X4     Vx,Hx,Wx,Ib     W0 L12 bcast
  43 66 VSHUFI64X2     Vx,Hx,Wx,Ib     W1 L12 bcast
  44 66 VPCLMULQDQ     Vx,Hx,Wx,Ib     nomask
  70 66 VPSHLDW        Vx,Hx,Wx,Ib     W1
  71 66 VPSHLD#        Vx,Hx,Wx,Ib     bcast
  72 66 VPSHRDW        Vx,Hx,Wx,Ib     W1
  73 66 VPSHRD#        Vx,Hx,Wx,Ib     bcast
  CE 66 VGF2P8AFFINEQB    Vx,Hx,Wx,Ib  W1 bcast
  CF 66 VGF2P8AFFINEINVQB Vx,Hx,Wx,Ib  W1 bcast
`;

const FLOATS = `
  01 66 VPERMPD        Vx,Wx,Ib        W1 L12 bcast
  04 66 VPERMILPS      Vx,Wx,Ib        W0 bcast
  05 66 VPERMILPD      Vx,Wx,Ib        W1 bcast
  08 66 VRNDSCALEPS    Vx,Wx,Ib        W0 bcast sae
  09 66 VRNDSCALEPD    Vx,Wx,Ib        W1 bcast sae
  0A 66 VRNDSCALESS    Vd,Hd,Wd,Ib     W0 sae
  0B 66 VRNDSCALESD    Vq,Hq,Wq,Ib     W1 sae
  17 66 VEXTRACTPS     Ed,V16,Ib       L0 nomask
  18 66 VINSERTF32X4   Vx,Hx,W16,Ib    W0 L12
  18 66 VINSERTF64X2   Vx,Hx,W16,Ib    W1 L12
  19 66 VEXTRACTF32X4  W16,Vx,Ib       W0 L12
  19 66 VEXTRACTF64X2  W16,Vx,Ib       W1 L12
  1A 66 VINSERTF32X8   Vx,Hx,W32,Ib    W0 L2
  1A 66 VINSERTF64X4   Vx,Hx,W32,Ib    W1 L2
  1B 66 VEXTRACTF32X8  W32,Vx,Ib       W0 L2
  1B 66 VEXTRACTF64X4  W32,Vx,Ib       W1 L2
  1D 66 VCVTPS2PH      Wh,Vx,Ib        W0 sae
  21 66 VINSERTPS      V16,H16,Wd,Ib   W0 L0 nomask
  23 66 VSHUFF32X4     Vx,Hx,Wx,Ib     W0 L12 bcast
  23 66 VSHUFF64X2     Vx,Hx,Wx,Ib     W1 L12 bcast
  26 66 VGETMANTP*     Vx,Wx,Ib        bcast sae
  27 66 VGETMANTS*     Vs,Hs,Ws,Ib     sae
  50 66 VRANGEP*       Vx,Hx,Wx,Ib     bcast sae
  51 66 VRANGES*       Vs,Hs,Ws,Ib     sae
  54 66 VFIXUPIMMP*    Vx,Hx,Wx,Ib     bcast sae
  55 66 VFIXUPIMMS*    Vs,Hs,Ws,Ib     sae
  56 66 VREDUCEP*      Vx,Wx,Ib        bcast sae
  57 66 VREDUCES*      Vs,Hs,Ws,Ib     sae
  66 66 VFPCLASSP*     K,Wx,Ib         bcast
  67 66 VFPCLASSS*     K,Ws,Ib
`;

/** The AVX512-FP16 instructions of this map; the others fill maps 5 and 6. */
const HALF_FLOATS = `
  08 NP VRNDSCALEPH    Vx,Wx,Ib        unmodelled
  0A NP VRNDSCALESH    Vw,Hw,Ww,Ib     unmodelled
  26 NP VGETMANTPH     Vx,Wx,Ib        unmodelled
  27 NP VGETMANTSH     Vw,Hw,Ww,Ib     unmodelled
  56 NP VREDUCEPH      Vx,Wx,Ib        unmodelled
  57 NP VREDUCESH      Vw,Hw,Ww,Ib     unmodelled
  66 NP VFPCLASSPH     K,Wx,Ib         unmodelled
  67 NP VFPCLASSSH     K,Ww,Ib         unmodelled
  C2 NP VCMPPH         K,Hx,Wx,Ib      unmodelled
  C2 F3 VCMPSH         K,Hw,Ww,Ib      unmodelled
`;

/** EVEX encodings of map 0F 3A. */
export const EVEX_3A: readonly Encoding[] = parseTable(expandLines([INTEGERS, FLOATS, HALF_FLOATS].join('\n')), {
  space: 'evex',
  map: 3,
});
