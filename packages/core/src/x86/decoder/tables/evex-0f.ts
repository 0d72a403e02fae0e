/**
 * AVX-512 in map 0F.
 *
 * Source: Intel SDM Vol. 2, the opcode tables of the instructions. The shorthand is in `macros.ts`; `ps`, `pd`, `ss`, `sd`
 * as prefix choose EVEX.W too.
 */
import { parseTable, type Encoding } from '../encoding';
import { expandLines } from '../macros';

const MOVES = `
  10 ps,pd VMOVU       Vx,Wx
  11 ps,pd VMOVU       Wx,Vx
  10 ss,sd VMOV        Vs,Hs,Us
  10 ss,sd VMOV        Vs,Ms
  11 ss,sd VMOV        Us,Hs,Vs
  11 ss,sd VMOV        Ms,Vs
  12 NP    VMOVLPS     V16,H16,Mq  W0 L0 nomask
  12 NP    VMOVHLPS    V16,H16,U16 W0 L0 nomask
  12 66    VMOVLPD     V16,H16,Mq  W1 L0 nomask
  12 F3    VMOVSLDUP   Vx,Wx       W0
  12 F2    VMOVDDUP    V16,Wq      W1 L0
  12 F2    VMOVDDUP    Vx,Wx       W1 L12
  13 NP    VMOVLPS     Mq,V16      W0 L0 nomask
  13 66    VMOVLPD     Mq,V16      W1 L0 nomask
  16 NP    VMOVHPS     V16,H16,Mq  W0 L0 nomask
  16 NP    VMOVLHPS    V16,H16,U16 W0 L0 nomask
  16 66    VMOVHPD     V16,H16,Mq  W1 L0 nomask
  16 F3    VMOVSHDUP   Vx,Wx       W0
  17 NP    VMOVHPS     Mq,V16      W0 L0 nomask
  17 66    VMOVHPD     Mq,V16      W1 L0 nomask
  28 ps,pd VMOVA       Vx,Wx       aligned
  29 ps,pd VMOVA       Wx,Vx       aligned
  2B ps,pd VMOVNT      Mx,Vx       aligned nomask
  6E 66    VMOVD       V16,Ed      W0 L0 nomask wig32
  6E 66    VMOVQ       V16,Eq      W1 L0 nomask only64
  6F 66    VMOVDQA32   Vx,Wx       W0 aligned
  6F 66    VMOVDQA64   Vx,Wx       W1 aligned
  6F F3    VMOVDQU32   Vx,Wx       W0
  6F F3    VMOVDQU64   Vx,Wx       W1
  6F F2    VMOVDQU8    Vx,Wx       W0
  6F F2    VMOVDQU16   Vx,Wx       W1
  7E 66    VMOVD       Ed,V16      W0 L0 nomask wig32
  7E 66    VMOVQ       Eq,V16      W1 L0 nomask only64
  7E F3    VMOVQ       V16,Wq      W1 L0 nomask
  7F 66    VMOVDQA32   Wx,Vx       W0 aligned
  7F 66    VMOVDQA64   Wx,Vx       W1 aligned
  7F F3    VMOVDQU32   Wx,Vx       W0
  7F F3    VMOVDQU64   Wx,Vx       W1
  7F F2    VMOVDQU8    Wx,Vx       W0
  7F F2    VMOVDQU16   Wx,Vx       W1
  D6 66    VMOVQ       Wq,V16      W1 L0 nomask
  E7 66    VMOVNTDQ    Mx,Vx       W0 aligned nomask
`;

const FLOATS = `
  14 ps,pd VUNPCKL Vx,Hx,Wx    bcast
  15 ps,pd VUNPCKH Vx,Hx,Wx    bcast
  51 ps,pd VSQRT   Vx,Wx       bcast er
  51 ss,sd VSQRT   Vs,Hs,Ws    er
  54 ps,pd VAND    Vx,Hx,Wx    bcast
  55 ps,pd VANDN   Vx,Hx,Wx    bcast
  56 ps,pd VOR     Vx,Hx,Wx    bcast
  57 ps,pd VXOR    Vx,Hx,Wx    bcast
  58 ps,pd VADD    Vx,Hx,Wx    bcast er
  58 ss,sd VADD    Vs,Hs,Ws    er
  59 ps,pd VMUL    Vx,Hx,Wx    bcast er
  59 ss,sd VMUL    Vs,Hs,Ws    er
  5C ps,pd VSUB    Vx,Hx,Wx    bcast er
  5C ss,sd VSUB    Vs,Hs,Ws    er
  5D ps,pd VMIN    Vx,Hx,Wx    bcast sae
  5D ss,sd VMIN    Vs,Hs,Ws    sae
  5E ps,pd VDIV    Vx,Hx,Wx    bcast er
  5E ss,sd VDIV    Vs,Hs,Ws    er
  5F ps,pd VMAX    Vx,Hx,Wx    bcast sae
  5F ss,sd VMAX    Vs,Hs,Ws    sae
  C2 ps,pd VCMP    K,Hx,Wx,Ib  bcast sae
  C2 ss,sd VCMP    K,Hs,Ws,Ib  sae
  C6 ps,pd VSHUF   Vx,Hx,Wx,Ib bcast
`;

const CONVERSIONS = `
  2A F3 VCVTSI2SS   Vd,Hd,Ey er nomask
  2A F2 VCVTSI2SD   Vq,Hq,Ey er nomask
  2C F3 VCVTTSS2SI  Gy,Wd    sae nomask
  2C F2 VCVTTSD2SI  Gy,Wq    sae nomask
  2D F3 VCVTSS2SI   Gy,Wd    er nomask
  2D F2 VCVTSD2SI   Gy,Wq    er nomask
  2E NP VUCOMISS    Vd,Wd    W0 sae reads nomask
  2E 66 VUCOMISD    Vq,Wq    W1 sae reads nomask
  2F NP VCOMISS     Vd,Wd    W0 sae reads nomask
  2F 66 VCOMISD     Vq,Wq    W1 sae reads nomask
  5A NP VCVTPS2PD   Vx,Wh    W0 bcast sae
  5A 66 VCVTPD2PS   Vh,Wx    W1 bcast er
  5A F3 VCVTSS2SD   Vq,Hq,Wd W0 sae
  5A F2 VCVTSD2SS   Vd,Hd,Wq W1 er
  5B NP VCVTDQ2PS   Vx,Wx    W0 bcast er
  5B NP VCVTQQ2PS   Vh,Wx    W1 bcast er
  5B 66 VCVTPS2DQ   Vx,Wx    W0 bcast er
  5B F3 VCVTTPS2DQ  Vx,Wx    W0 bcast sae
  78 NP VCVTTPS2UDQ Vx,Wx    W0 bcast sae
  78 NP VCVTTPD2UDQ Vh,Wx    W1 bcast sae
  78 66 VCVTTPS2UQQ Vx,Wh    W0 bcast sae
  78 66 VCVTTPD2UQQ Vx,Wx    W1 bcast sae
  78 F3 VCVTTSS2USI Gy,Wd    sae nomask
  78 F2 VCVTTSD2USI Gy,Wq    sae nomask
  79 NP VCVTPS2UDQ  Vx,Wx    W0 bcast er
  79 NP VCVTPD2UDQ  Vh,Wx    W1 bcast er
  79 66 VCVTPS2UQQ  Vx,Wh    W0 bcast er
  79 66 VCVTPD2UQQ  Vx,Wx    W1 bcast er
  79 F3 VCVTSS2USI  Gy,Wd    er nomask
  79 F2 VCVTSD2USI  Gy,Wq    er nomask
  7A 66 VCVTTPS2QQ  Vx,Wh    W0 bcast sae
  7A 66 VCVTTPD2QQ  Vx,Wx    W1 bcast sae
  7A F3 VCVTUDQ2PD  Vx,Wh    W0 bcast
  7A F3 VCVTUQQ2PD  Vx,Wx    W1 bcast er
  7A F2 VCVTUDQ2PS  Vx,Wx    W0 bcast er
  7A F2 VCVTUQQ2PS  Vh,Wx    W1 bcast er
  7B 66 VCVTPS2QQ   Vx,Wh    W0 bcast er
  7B 66 VCVTPD2QQ   Vx,Wx    W1 bcast er
  7B F3 VCVTUSI2SS  Vd,Hd,Ey er nomask
  7B F2 VCVTUSI2SD  Vq,Hq,Ey er nomask
  E6 66 VCVTTPD2DQ  Vh,Wx    W1 bcast sae
  E6 F3 VCVTDQ2PD   Vx,Wh    W0 bcast
  E6 F3 VCVTQQ2PD   Vx,Wx    W1 bcast er
  E6 F2 VCVTPD2DQ   Vh,Wx    W1 bcast er
`;

const SHUFFLES = `
  62   66 VPUNPCKLDQ  Vx,Hx,Wx       W0 bcast
  6A   66 VPUNPCKHDQ  Vx,Hx,Wx       W0 bcast
  6B   66 VPACKSSDW   Vx,Hx,Wx       W0 bcast
  6C   66 VPUNPCKLQDQ Vx,Hx,Wx       W1 bcast
  6D   66 VPUNPCKHQDQ Vx,Hx,Wx       W1 bcast
  70   66 VPSHUFD     Vx,Wx,Ib       W0 bcast
  70   F3 VPSHUFHW    Vx,Wx,Ib
  70   F2 VPSHUFLW    Vx,Wx,Ib
  C4   66 VPINSRW     V16,H16,Ed:w,Ib L0 nomask
  C5   66 VPEXTRW     Gd,U16,Ib      L0 nomask
  71/2 66 VPSRLW      Hx,Wx,Ib
  71/4 66 VPSRAW      Hx,Wx,Ib
  71/6 66 VPSLLW      Hx,Wx,Ib
  72/0 66 VPROR#      Hx,Wx,Ib       bcast
  72/1 66 VPROL#      Hx,Wx,Ib       bcast
  72/2 66 VPSRLD      Hx,Wx,Ib       W0 bcast
  72/4 66 VPSRA#      Hx,Wx,Ib       bcast
  72/6 66 VPSLLD      Hx,Wx,Ib       W0 bcast
  73/2 66 VPSRLQ      Hx,Wx,Ib       W1 bcast
  73/3 66 VPSRLDQ     Hx,Wx,Ib       nomask
  73/6 66 VPSLLQ      Hx,Wx,Ib       W1 bcast
  73/7 66 VPSLLDQ     Hx,Wx,Ib       nomask
  D1   66 VPSRLW      Vx,Hx,W16
  D2   66 VPSRLD      Vx,Hx,W16      W0
  D3   66 VPSRLQ      Vx,Hx,W16      W1
  E1   66 VPSRAW      Vx,Hx,W16
  E2   66 VPSRA#      Vx,Hx,W16
  F1   66 VPSLLW      Vx,Hx,W16
  F2   66 VPSLLD      Vx,Hx,W16      W0
  F3   66 VPSLLQ      Vx,Hx,W16      W1
`;

/** Packed integers. Byte and word elements: W is ignored, no broadcast. */
const BYTES_AND_WORDS = [
  ...['60 VPUNPCKLBW', '61 VPUNPCKLWD', '63 VPACKSSWB', '67 VPACKUSWB', '68 VPUNPCKHBW', '69 VPUNPCKHWD', 'D5 VPMULLW'],
  ...['D8 VPSUBUSB', 'D9 VPSUBUSW', 'DA VPMINUB', 'DC VPADDUSB', 'DD VPADDUSW', 'DE VPMAXUB', 'E0 VPAVGB', 'E3 VPAVGW'],
  ...['E4 VPMULHUW', 'E5 VPMULHW', 'E8 VPSUBSB', 'E9 VPSUBSW', 'EA VPMINSW', 'EC VPADDSB', 'ED VPADDSW', 'EE VPMAXSW'],
  ...['F5 VPMADDWD', 'F8 VPSUBB', 'F9 VPSUBW', 'FC VPADDB', 'FD VPADDW'],
].map((line) => `${line.replace(' ', ' 66 ')} Vx,Hx,Wx`);

const COMPARES = ['64 VPCMPGTB', '65 VPCMPGTW', '74 VPCMPEQB', '75 VPCMPEQW'].map(
  (line) => `${line.replace(' ', ' 66 ')} K,Hx,Wx`,
);

const DOUBLE_AND_QUAD_WORDS = `
  66 66 VPCMPGTD K,Hx,Wx  W0 bcast
  76 66 VPCMPEQD K,Hx,Wx  W0 bcast
  D4 66 VPADDQ   Vx,Hx,Wx W1 bcast
  DB 66 VPAND#   Vx,Hx,Wx bcast
  DF 66 VPANDN#  Vx,Hx,Wx bcast
  EB 66 VPOR#    Vx,Hx,Wx bcast
  EF 66 VPXOR#   Vx,Hx,Wx bcast
  F4 66 VPMULUDQ Vx,Hx,Wx W1 bcast
  F6 66 VPSADBW  Vx,Hx,Wx nomask
  FA 66 VPSUBD   Vx,Hx,Wx W0 bcast
  FB 66 VPSUBQ   Vx,Hx,Wx W1 bcast
  FE 66 VPADDD   Vx,Hx,Wx W0 bcast
`;

const LINES = [MOVES, FLOATS, CONVERSIONS, SHUFFLES, ...BYTES_AND_WORDS, ...COMPARES, DOUBLE_AND_QUAD_WORDS];

/** EVEX encodings of map 0F. */
export const EVEX_0F: readonly Encoding[] = parseTable(expandLines(LINES.join('\n')), { space: 'evex', map: 1 });
