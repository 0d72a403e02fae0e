/**
 * Instructions with a VEX prefix that have no SSE counterpart: AVX, AVX2, FMA, F16C, BMI, opmasks, AMX.
 *
 * Source: Intel SDM Vol. 2, the opcode tables of the instructions. The shorthand is in `macros.ts`.
 */
import { parseTable, type Encoding } from '../encoding';
import { expandLines } from '../macros';
import { FMA_LINES } from './fma';

const AVX_0F = `
  10   F3 VMOVSS     Vd,Hd,Ud
  10   F3 VMOVSS     Vd,Md
  10   F2 VMOVSD     Vq,Hq,Uq
  10   F2 VMOVSD     Vq,Mq
  11   F3 VMOVSS     Ud,Hd,Vd
  11   F3 VMOVSS     Md,Vd
  11   F2 VMOVSD     Uq,Hq,Vq
  11   F2 VMOVSD     Mq,Vq
  12   F2 VMOVDDUP   Vx,Wx    L1
  71/2 66 VPSRLW     Hx,Ux,Ib
  71/4 66 VPSRAW     Hx,Ux,Ib
  71/6 66 VPSLLW     Hx,Ux,Ib
  72/2 66 VPSRLD     Hx,Ux,Ib
  72/4 66 VPSRAD     Hx,Ux,Ib
  72/6 66 VPSLLD     Hx,Ux,Ib
  73/2 66 VPSRLQ     Hx,Ux,Ib
  73/3 66 VPSRLDQ    Hx,Ux,Ib
  73/6 66 VPSLLQ     Hx,Ux,Ib
  73/7 66 VPSLLDQ    Hx,Ux,Ib
  77   NP VZEROUPPER - L0 class=avx sets=upper
  77   NP VZEROALL   - L1 class=avx sets=vector
  AE/2 NP VLDMXCSR   Md L0 class=avx reads sets=none
  AE/3 NP VSTMXCSR   Md L0 class=avx
`;

/** KAND to KUNPCK: three registers and VEX.256; the others VEX.128. */
const OPMASKS_0F = `
  41 kmask KAND    K,L,F L1
  42 kmask KANDN   K,L,F L1
  44 kmask KNOT    K,F   L0
  45 kmask KOR     K,L,F L1
  46 kmask KXNOR   K,L,F L1
  47 kmask KXOR    K,L,F L1
  4A kmask KADD    K,L,F L1
  4B 66 KUNPCKBW   K,L,F L1 W0
  4B NP KUNPCKWD   K,L,F L1 W0
  4B NP KUNPCKDQ   K,L,F L1 W1
  90 kmask KMOV    K,Js  L0
  91 kmask KMOV    Ms,K  L0
  92 NP KMOVW      K,Rd  L0 W0
  92 66 KMOVB      K,Rd  L0 W0
  92 F2 KMOVD      K,Rd  L0 W0
  92 F2 KMOVQ      K,Rq  L0 W1 only64
  93 NP KMOVW      Gd,F  L0 W0
  93 66 KMOVB      Gd,F  L0 W0
  93 F2 KMOVD      Gd,F  L0 W0
  93 F2 KMOVQ      Gq,F  L0 W1 only64
  98 kmask KORTEST K,F   L0 reads
  99 kmask KTEST   K,F   L0 reads
`;

const AVX_38 = `
  0C 66 VPERMILPS      Vx,Hx,Wx W0
  0D 66 VPERMILPD      Vx,Hx,Wx W0
  0E 66 VTESTPS        Vx,Wx    W0 reads
  0F 66 VTESTPD        Vx,Wx    W0 reads
  13 66 VCVTPH2PS      Vx,Wh    W0 fp
  16 66 VPERMPS        Vx,Hx,Wx W0 L1
  18 66 VBROADCASTSS   Vx,Wd    W0
  19 66 VBROADCASTSD   Vx,Wq    W0 L1
  1A 66 VBROADCASTF128 Vx,M16   W0 L1
  2C 66 VMASKMOVPS     Vx,Hx,Mx W0
  2D 66 VMASKMOVPD     Vx,Hx,Mx W0
  2E 66 VMASKMOVPS     Mx,Hx,Vx W0
  2F 66 VMASKMOVPD     Mx,Hx,Vx W0
  36 66 VPERMD         Vx,Hx,Wx W0 L1
  45 66 VPSRLV#        Vx,Hx,Wx
  46 66 VPSRAVD        Vx,Hx,Wx W0
  47 66 VPSLLV#        Vx,Hx,Wx
  50 66 VPDPBUSD       Vx,Hx,Wx W0
  51 66 VPDPBUSDS      Vx,Hx,Wx W0
  52 66 VPDPWSSD       Vx,Hx,Wx W0
  53 66 VPDPWSSDS      Vx,Hx,Wx W0
  58 66 VPBROADCASTD   Vx,Wd    W0
  59 66 VPBROADCASTQ   Vx,Wq    W0
  5A 66 VBROADCASTI128 Vx,M16   W0 L1
  78 66 VPBROADCASTB   Vx,Wb    W0
  79 66 VPBROADCASTW   Vx,Ww    W0
  8C 66 VPMASKMOV#     Vx,Hx,Mx
  8E 66 VPMASKMOV#     Mx,Hx,Vx
  90 66 VPGATHERD#     Vx,As,Hx distinct sib
  91 66 VPGATHERQ#     Vx,As,Hx distinct sib
  92 66 VGATHERDP*     Vx,As,Hx distinct sib
  93 66 VGATHERQP*     Vx,As,Hx distinct sib
  CF 66 VGF2P8MULB     Vx,Hx,Wx W0
`;

/** General registers only; they look at no control register. */
const BMI_38 = `
  F2   NP ANDN   Gy,By,Ey L0
  F3/1 NP BLSR   By,Ey    L0
  F3/2 NP BLSMSK By,Ey    L0
  F3/3 NP BLSI   By,Ey    L0
  F5   NP BZHI   Gy,Ey,By L0
  F5   F3 PEXT   Gy,By,Ey L0
  F5   F2 PDEP   Gy,By,Ey L0
  F6   F2 MULX   Gy,By,Ey L0
  F7   NP BEXTR  Gy,Ey,By L0
  F7   66 SHLX   Gy,Ey,By L0
  F7   F3 SARX   Gy,Ey,By L0
  F7   F2 SHRX   Gy,Ey,By L0
`;

/** AMX exists in 64-bit mode only. TILELOADD and its kin need a SIB byte, TDP* three different tiles. */
const AMX_38 = `
  49/0   NP LDTILECFG   M64   L0 W0 only64 class=amx reads sets=tilecfg+tiledata
  49/0   66 STTILECFG   M64   L0 W0 only64 class=amx
  49/0.0 NP TILERELEASE -     L0 W0 only64 class=amx sets=tilecfg+tiledata
  49/r.0 F2 TILEZERO    T     L0 W0 only64
  4B     F2 TILELOADD   T,M   L0 W0 only64 sib
  4B     66 TILELOADDT1 T,M   L0 W0 only64 sib
  4B     F3 TILESTORED  M,T   L0 W0 only64 sib
  5C     F3 TDPBF16PS   T,X,Z L0 W0 only64 distinct
  5E     F2 TDPBSSD     T,X,Z L0 W0 only64 distinct
  5E     F3 TDPBSUD     T,X,Z L0 W0 only64 distinct
  5E     66 TDPBUSD     T,X,Z L0 W0 only64 distinct
  5E     NP TDPBUUD     T,X,Z L0 W0 only64 distinct
`;

const AVX_3A = `
  00 66 VPERMQ           Vx,Wx,Ib     W1 L1
  01 66 VPERMPD          Vx,Wx,Ib     W1 L1
  02 66 VPBLENDD         Vx,Hx,Wx,Ib  W0
  04 66 VPERMILPS        Vx,Wx,Ib     W0
  05 66 VPERMILPD        Vx,Wx,Ib     W0
  06 66 VPERM2F128       Vx,Hx,Wx,Ib  W0 L1
  18 66 VINSERTF128      Vx,Hx,W16,Ib W0 L1
  19 66 VEXTRACTF128     W16,Vx,Ib    W0 L1
  1D 66 VCVTPS2PH        Wh,Vx,Ib     W0 fp
  30 66 KSHIFTR%         K,F,Ib       L0
  31 66 KSHIFTR#         K,F,Ib       L0
  32 66 KSHIFTL%         K,F,Ib       L0
  33 66 KSHIFTL#         K,F,Ib       L0
  38 66 VINSERTI128      Vx,Hx,W16,Ib W0 L1
  39 66 VEXTRACTI128     W16,Vx,Ib    W0 L1
  46 66 VPERM2I128       Vx,Hx,Wx,Ib  W0 L1
  4A 66 VBLENDVPS        Vx,Hx,Wx,Yx  W0
  4B 66 VBLENDVPD        Vx,Hx,Wx,Yx  W0
  4C 66 VPBLENDVB        Vx,Hx,Wx,Yx  W0
  CE 66 VGF2P8AFFINEQB    Vx,Hx,Wx,Ib W1
  CF 66 VGF2P8AFFINEINVQB Vx,Hx,Wx,Ib W1
  F0 F2 RORX             Gy,Ey,Ib     L0
`;

/** VEX encodings without an SSE counterpart. */
export const VEX_ONLY: readonly Encoding[] = [
  ...parseTable(expandLines([AVX_0F, OPMASKS_0F].join('\n')), { space: 'vex', map: 1 }),
  ...parseTable(expandLines([AVX_38, BMI_38, AMX_38, FMA_LINES].join('\n')), { space: 'vex', map: 2 }),
  ...parseTable(expandLines(AVX_3A), { space: 'vex', map: 3 }),
];
