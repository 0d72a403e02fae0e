/**
 * SSSE3, SSE4, AES, SHA and GFNI instructions of maps 0F 38 and 0F 3A, and the AVX instructions that are the same
 * operation with a VEX prefix.
 *
 * Source: Intel SDM Vol. 2, the opcode tables of the instructions. The shorthand is in `macros.ts`.
 */
import { parseTable, type Encoding } from '../encoding';
import { legacyLines, vexLines } from '../macros';

/** Operations with two sources; SSSE3 has them for MMX registers too. */
const SSSE3 = [
  ...['00 PSHUFB', '01 PHADDW', '02 PHADDD', '03 PHADDSW', '04 PMADDUBSW', '05 PHSUBW', '06 PHSUBD', '07 PHSUBSW'],
  ...['08 PSIGNB', '09 PSIGNW', '0A PSIGND', '0B PMULHRSW'],
];

const SSE4_BINARY = [
  ...['28 PMULDQ', '29 PCMPEQQ', '2B PACKUSDW', '37 PCMPGTQ', '38 PMINSB', '39 PMINSD', '3A PMINUW', '3B PMINUD'],
  ...['3C PMAXSB', '3D PMAXSD', '3E PMAXUW', '3F PMAXUD', '40 PMULLD'],
  ...['DC AESENC', 'DD AESENCLAST', 'DE AESDEC', 'DF AESDECLAST'],
];

/** PMOVSX and PMOVZX: by how much the elements grow. */
const EXTENSIONS = ['0 BW Wh', '1 BD Wf', '2 BQ We', '3 WD Wh', '4 WQ Wf', '5 DQ Wh'];

const MAP_38 = `
  10 66     PBLENDVB    Vx,Wx,xmm0
  14 66     BLENDVPS    Vx,Wx,xmm0
  15 66     BLENDVPD    Vx,Wx,xmm0
  17 66     PTEST       Vx,Wx   reads vex2
  1C mmx,66 PABSB       Vx,Wx   vex2
  1D mmx,66 PABSW       Vx,Wx   vex2
  1E mmx,66 PABSD       Vx,Wx   vex2
  2A 66     MOVNTDQA    Vx,Mx   aligned vex2
  41 66     PHMINPOSUW  V16,W16 vex2 L0
  C8 NP     SHA1NEXTE   V16,W16
  C9 NP     SHA1MSG1    V16,W16
  CA NP     SHA1MSG2    V16,W16
  CB NP     SHA256RNDS2 V16,W16,xmm0
  CC NP     SHA256MSG1  V16,W16
  CD NP     SHA256MSG2  V16,W16
  CF 66     GF2P8MULB   V16,W16
  DB 66     AESIMC      V16,W16 vex2 L0
`;

/** General-purpose instructions of the map; INVEPT and its like need CR4.VMXE, WRSS and WRUSS CET shadow stacks. */
const GENERAL_38 = `
  80 66  INVEPT    Gq,M16 off
  81 66  INVVPID   Gq,M16 off
  82 66  INVPCID   Gq,M16 unmodelled
  F0 NP  MOVBE     Gv,Mv  unmodelled
  F0 66  MOVBE     Gv,Mv  unmodelled
  F0 F2  CRC32     Gy,Eb
  F1 NP  MOVBE     Mv,Gv  unmodelled
  F1 66  MOVBE     Mv,Gv  unmodelled
  F1 F2  CRC32     Gy,Ev
  F5 66  WRUSS     My,Gy  off
  F6 NP  WRSS      My,Gy  off
  F6 66  ADCX      Gy,Ey  unmodelled
  F6 F3  ADOX      Gy,Ey  unmodelled
  F8 66  MOVDIR64B Gm,M64 unmodelled
  F8 F2  ENQCMD    Gm,M64 unmodelled
  F8 F3  ENQCMDS   Gm,M64 unmodelled
  F9 NP  MOVDIRI   My,Gy  unmodelled
`;

const MAP_3A = `
  08 66     ROUNDPS         Vx,Wx,Ib    fp vex2
  09 66     ROUNDPD         Vx,Wx,Ib    fp vex2
  0A 66     ROUNDSS         Vd,Wd,Ib    fp vex3
  0B 66     ROUNDSD         Vq,Wq,Ib    fp vex3
  0C 66     BLENDPS         Vx,Wx,Ib    vex3
  0D 66     BLENDPD         Vx,Wx,Ib    vex3
  0E 66     PBLENDW         Vx,Wx,Ib    vex3
  0F mmx,66 PALIGNR         Vx,Wx,Ib    vex3
  14 66     PEXTRB          Ed:b,V16,Ib vex2 L0
  15 66     PEXTRW          Ed:w,V16,Ib vex2 L0
  16 66     PEXTRD          Ed,V16,Ib   vex2 L0 W0 wig32
  16 66     PEXTRQ          Eq,V16,Ib   vex2 L0 W1 only64
  17 66     EXTRACTPS       Ed,V16,Ib   vex2 L0
  20 66     PINSRB          V16,Ed:b,Ib vex3 L0
  21 66     INSERTPS        V16,Wd,Ib   vex3 L0
  22 66     PINSRD          V16,Ed,Ib   vex3 L0 W0 wig32
  22 66     PINSRQ          V16,Eq,Ib   vex3 L0 W1 only64
  40 66     DPPS            Vx,Wx,Ib    fp vex3
  41 66     DPPD            V16,W16,Ib  fp vex3 L0
  42 66     MPSADBW         Vx,Wx,Ib    vex3
  44 66     PCLMULQDQ       Vx,Wx,Ib    vex3
  60 66     PCMPESTRM       V16,W16,Ib  unaligned reads sets=vector vex2 L0
  61 66     PCMPESTRI       V16,W16,Ib  unaligned reads vex2 L0
  62 66     PCMPISTRM       V16,W16,Ib  unaligned reads sets=vector vex2 L0
  63 66     PCMPISTRI       V16,W16,Ib  unaligned reads vex2 L0
  CC NP     SHA1RNDS4       V16,W16,Ib
  CE 66     GF2P8AFFINEQB   V16,W16,Ib
  CF 66     GF2P8AFFINEINVQB V16,W16,Ib
  DF 66     AESKEYGENASSIST V16,W16,Ib  vex2 L0
`;

function extension(line: string): string {
  const [digit, suffix, source] = line.split(' ');
  return `2${digit} 66 PMOVSX${suffix} Vx,${source} vex2\n3${digit} 66 PMOVZX${suffix} Vx,${source} vex2`;
}

const COMMON_38 = [
  MAP_38,
  ...SSSE3.map((line) => line.replace(' ', ' mmx,66 ') + ' Vx,Wx vex3'),
  ...SSE4_BINARY.map((line) => line.replace(' ', ' 66 ') + ' Vx,Wx vex3'),
  ...EXTENSIONS.map(extension),
].join('\n');

/** MMX and SSE in maps 0F 38 and 0F 3A. */
export const SIMD_38_3A: readonly Encoding[] = [
  ...parseTable(legacyLines([COMMON_38, GENERAL_38].join('\n')), { map: 2 }),
  ...parseTable(legacyLines(MAP_3A), { map: 3 }),
];

/** Their VEX encodings. */
export const VEX_38_3A: readonly Encoding[] = [
  ...parseTable(vexLines(COMMON_38), { space: 'vex', map: 2 }),
  ...parseTable(vexLines(MAP_3A), { space: 'vex', map: 3 }),
];
