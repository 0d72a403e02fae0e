/**
 * AVX-512 in map 0F 38: F, CD, BW, DQ, VBMI, VBMI2, IFMA, VNNI, BITALG, VPOPCNTDQ, BF16, with GFNI and VAES.
 *
 * Source: Intel SDM Vol. 2, the opcode tables of the instructions. The shorthand is in `macros.ts`.
 */
import { parseTable, type Encoding } from '../encoding';
import { expandLines } from '../macros';
import { FMA_LINES } from './fma';

const PERMUTES_AND_SHIFTS = `
  00 66 VPSHUFB        Vx,Hx,Wx
  0C 66 VPERMILPS      Vx,Hx,Wx W0 bcast
  0D 66 VPERMILPD      Vx,Hx,Wx W1 bcast
  10 66 VPSRLVW        Vx,Hx,Wx W1
  11 66 VPSRAVW        Vx,Hx,Wx W1
  12 66 VPSLLVW        Vx,Hx,Wx W1
  14 66 VPRORV#        Vx,Hx,Wx bcast
  15 66 VPROLV#        Vx,Hx,Wx bcast
  16 66 VPERMP*        Vx,Hx,Wx L12 bcast
  36 66 VPERM#         Vx,Hx,Wx L12 bcast
  45 66 VPSRLV#        Vx,Hx,Wx bcast
  46 66 VPSRAV#        Vx,Hx,Wx bcast
  47 66 VPSLLV#        Vx,Hx,Wx bcast
  64 66 VPBLENDM#      Vx,Hx,Wx bcast
  65 66 VBLENDMP*      Vx,Hx,Wx bcast
  66 66 VPBLENDM%      Vx,Hx,Wx
  70 66 VPSHLDVW       Vx,Hx,Wx W1
  71 66 VPSHLDV#       Vx,Hx,Wx bcast
  72 66 VPSHRDVW       Vx,Hx,Wx W1
  73 66 VPSHRDV#       Vx,Hx,Wx bcast
  75 66 VPERMI2%       Vx,Hx,Wx
  76 66 VPERMI2#       Vx,Hx,Wx bcast
  77 66 VPERMI2P*      Vx,Hx,Wx bcast
  7D 66 VPERMT2%       Vx,Hx,Wx
  7E 66 VPERMT2#       Vx,Hx,Wx bcast
  7F 66 VPERMT2P*      Vx,Hx,Wx bcast
  83 66 VPMULTISHIFTQB Vx,Hx,Wx W1 bcast
  8D 66 VPERM%         Vx,Hx,Wx
`;

const BROADCASTS = `
  18 66 VBROADCASTSS    Vx,Wd  W0
  19 66 VBROADCASTF32X2 Vx,Wq  W0 L12
  19 66 VBROADCASTSD    Vx,Wq  W1 L12
  1A 66 VBROADCASTF32X4 Vx,M16 W0 L12
  1A 66 VBROADCASTF64X2 Vx,M16 W1 L12
  1B 66 VBROADCASTF32X8 Vx,M32 W0 L2
  1B 66 VBROADCASTF64X4 Vx,M32 W1 L2
  2A F3 VPBROADCASTMB2Q Vx,F   W1 nomask
  3A F3 VPBROADCASTMW2D Vx,F   W0 nomask
  58 66 VPBROADCASTD    Vx,Wd  W0
  59 66 VBROADCASTI32X2 Vx,Wq  W0
  59 66 VPBROADCASTQ    Vx,Wq  W1
  5A 66 VBROADCASTI32X4 Vx,M16 W0 L12
  5A 66 VBROADCASTI64X2 Vx,M16 W1 L12
  5B 66 VBROADCASTI32X8 Vx,M32 W0 L2
  5B 66 VBROADCASTI64X4 Vx,M32 W1 L2
  78 66 VPBROADCASTB    Vx,Wb  W0
  79 66 VPBROADCASTW    Vx,Ww  W0
  7A 66 VPBROADCASTB    Vx,Rd  W0
  7B 66 VPBROADCASTW    Vx,Rd  W0
  7C 66 VPBROADCASTD    Vx,Rd  W0 wig32
  7C 66 VPBROADCASTQ    Vx,Rq  W1 only64
`;

/** Narrowing moves (F3) in three flavours: truncating, signed and unsigned saturating; and widening ones (66). */
const NARROWINGS = ['0 WB Wh', '1 DB Wf', '2 QB We', '3 DW Wh', '4 QW Wf', '5 QD Wh'].map((line) => {
  const [digit, suffix, destination] = line.split(' ');
  const of = (high: number, flavour: string): string =>
    `${high}${digit} F3 VPMOV${flavour}${suffix} ${destination},Vx W0`;
  return [of(1, 'US'), of(2, 'S'), of(3, '')].join('\n');
});

const WIDENINGS = ['0 BW Wh', '1 BD Wf', '2 BQ We', '3 WD Wh', '4 WQ Wf', '5 DQ Wh'].map((line) => {
  const [digit, suffix, source] = line.split(' ');
  const w = suffix === 'DQ' ? 'W0' : '';
  return `2${digit} 66 VPMOVSX${suffix} Vx,${source} ${w}\n3${digit} 66 VPMOVZX${suffix} Vx,${source} ${w}`;
});

const OPMASKS_AND_TESTS = `
  26 66 VPTESTM%      K,Hx,Wx
  26 F3 VPTESTNM%     K,Hx,Wx
  27 66 VPTESTM#      K,Hx,Wx bcast
  27 F3 VPTESTNM#     K,Hx,Wx bcast
  28 F3 VPMOVM2%      Vx,F    nomask
  29 F3 VPMOV%2M      K,Ux    nomask
  29 66 VPCMPEQQ      K,Hx,Wx W1 bcast
  37 66 VPCMPGTQ      K,Hx,Wx W1 bcast
  38 F3 VPMOVM2#      Vx,F    nomask
  39 F3 VPMOV#2M      K,Ux    nomask
  8F 66 VPSHUFBITQMB  K,Hx,Wx W0
`;

const INTEGERS = `
  04 66 VPMADDUBSW Vx,Hx,Wx
  0B 66 VPMULHRSW  Vx,Hx,Wx
  1C 66 VPABSB     Vx,Wx
  1D 66 VPABSW     Vx,Wx
  1E 66 VPABSD     Vx,Wx    W0 bcast
  1F 66 VPABSQ     Vx,Wx    W1 bcast
  28 66 VPMULDQ    Vx,Hx,Wx W1 bcast
  2A 66 VMOVNTDQA  Vx,Mx    W0 aligned nomask
  2B 66 VPACKUSDW  Vx,Hx,Wx W0 bcast
  38 66 VPMINSB    Vx,Hx,Wx
  39 66 VPMINS#    Vx,Hx,Wx bcast
  3A 66 VPMINUW    Vx,Hx,Wx
  3B 66 VPMINU#    Vx,Hx,Wx bcast
  3C 66 VPMAXSB    Vx,Hx,Wx
  3D 66 VPMAXS#    Vx,Hx,Wx bcast
  3E 66 VPMAXUW    Vx,Hx,Wx
  3F 66 VPMAXU#    Vx,Hx,Wx bcast
  40 66 VPMULL#    Vx,Hx,Wx bcast
  44 66 VPLZCNT#   Vx,Wx    bcast
  50 66 VPDPBUSD   Vx,Hx,Wx W0 bcast
  51 66 VPDPBUSDS  Vx,Hx,Wx W0 bcast
  52 66 VPDPWSSD   Vx,Hx,Wx W0 bcast
  53 66 VPDPWSSDS  Vx,Hx,Wx W0 bcast
  54 66 VPOPCNT%   Vx,Wx
  55 66 VPOPCNT#   Vx,Wx    bcast
  B4 66 VPMADD52LUQ Vx,Hx,Wx W1 bcast
  B5 66 VPMADD52HUQ Vx,Hx,Wx W1 bcast
  C4 66 VPCONFLICT# Vx,Wx   bcast
  CF 66 VGF2P8MULB  Vx,Hx,Wx W0
  DC 66 VAESENC     Vx,Hx,Wx nomask
  DD 66 VAESENCLAST Vx,Hx,Wx nomask
  DE 66 VAESDEC     Vx,Hx,Wx nomask
  DF 66 VAESDECLAST Vx,Hx,Wx nomask
`;

/** The BF16 instructions neither look at MXCSR nor raise SIMD exceptions. */
const FLOATS = `
  13 66 VCVTPH2PS     Vx,Wh    W0 sae
  2C 66 VSCALEFP*     Vx,Hx,Wx bcast er
  2D 66 VSCALEFS*     Vs,Hs,Ws er
  42 66 VGETEXPP*     Vx,Wx    bcast sae
  43 66 VGETEXPS*     Vs,Hs,Ws sae
  4C 66 VRCP14P*      Vx,Wx    bcast
  4D 66 VRCP14S*      Vs,Hs,Ws
  4E 66 VRSQRT14P*    Vx,Wx    bcast
  4F 66 VRSQRT14S*    Vs,Hs,Ws
  52 F3 VDPBF16PS     Vx,Hx,Wx W0 bcast
  72 F3 VCVTNEPS2BF16 Vh,Wx    W0 bcast
  72 F2 VCVTNE2PS2BF16 Vx,Hx,Wx W0 bcast
`;

/** The memory size is that of one element, which disp8 counts, however much of a vector is moved. Gathers and scatters clear their opmask as they go. */
const SPARSE = `
  62 66 VPEXPAND%   Vx,Wx:s
  63 66 VPCOMPRESS% Wx:s,Vx
  88 66 VEXPANDP*   Vx,Wx:s
  89 66 VPEXPAND#   Vx,Wx:s
  8A 66 VCOMPRESSP* Wx:s,Vx
  8B 66 VPCOMPRESS# Wx:s,Vx
  90 66 VPGATHERD#  Vx,As needmask sib distinct sets=vector+opmask
  91 66 VPGATHERQD  Vh,Ad W0 needmask sib distinct sets=vector+opmask
  91 66 VPGATHERQQ  Vx,Aq W1 needmask sib distinct sets=vector+opmask
  92 66 VGATHERDP*  Vx,As needmask sib distinct sets=vector+opmask
  93 66 VGATHERQPS  Vh,Ad W0 needmask sib distinct sets=vector+opmask
  93 66 VGATHERQPD  Vx,Aq W1 needmask sib distinct sets=vector+opmask
  A0 66 VPSCATTERD# As,Vx needmask sib sets=opmask
  A1 66 VPSCATTERQD Ad,Vh W0 needmask sib sets=opmask
  A1 66 VPSCATTERQQ Aq,Vx W1 needmask sib sets=opmask
  A2 66 VSCATTERDP* As,Vx needmask sib sets=opmask
  A3 66 VSCATTERQPS Ad,Vh W0 needmask sib sets=opmask
  A3 66 VSCATTERQPD Aq,Vx W1 needmask sib sets=opmask
`;

const LINES = [
  ...[PERMUTES_AND_SHIFTS, BROADCASTS, ...NARROWINGS, ...WIDENINGS, OPMASKS_AND_TESTS],
  ...[INTEGERS, FLOATS, SPARSE, FMA_LINES],
];

/** EVEX encodings of map 0F 38. */
export const EVEX_38: readonly Encoding[] = parseTable(expandLines(LINES.join('\n')), { space: 'evex', map: 2 });
