/**
 * MMX and SSE instructions of map 0F, and the AVX instructions that are the same operation with a VEX prefix.
 *
 * Sources: Intel SDM Vol. 2, the opcode tables of the instructions; SIMD exceptions: Vol. 2A "AVX and SSE
 * Instruction Exception Classification" (2.4). The shorthand is in `macros.ts`.
 *
 * An instruction that names an MMX and an XMM register checks CR4.OSFXSR and pending x87 exceptions. CVTPI2PD from memory
 * is not one of them: it leaves the x87 state alone and reports no pending exception (Vol. 2A "CVTPI2PD"). CVTPI2PS from
 * memory is, by its page of the manual; Bochs treats it like CVTPI2PD.
 */
import { parseTable, type Encoding } from '../encoding';
import { legacyLines, vexLines } from '../macros';

const MOVES = `
  10 NP MOVUPS    Vx,Wx   unaligned vex2
  10 66 MOVUPD    Vx,Wx   unaligned vex2
  10 F3 MOVSS     Vd,Wd
  10 F2 MOVSD     Vq,Wq
  11 NP MOVUPS    Wx,Vx   unaligned vex2
  11 66 MOVUPD    Wx,Vx   unaligned vex2
  11 F3 MOVSS     Wd,Vd
  11 F2 MOVSD     Wq,Vq
  12 NP MOVHLPS   V16,U16 vex3 L0
  12 NP MOVLPS    V16,Mq  vex3 L0
  12 66 MOVLPD    V16,Mq  vex3 L0
  12 F3 MOVSLDUP  Vx,Wx   vex2
  12 F2 MOVDDUP   V16,Wq  vex2 L0
  13 NP MOVLPS    Mq,V16  vex2 L0
  13 66 MOVLPD    Mq,V16  vex2 L0
  16 NP MOVLHPS   V16,U16 vex3 L0
  16 NP MOVHPS    V16,Mq  vex3 L0
  16 66 MOVHPD    V16,Mq  vex3 L0
  16 F3 MOVSHDUP  Vx,Wx   vex2
  17 NP MOVHPS    Mq,V16  vex2 L0
  17 66 MOVHPD    Mq,V16  vex2 L0
  28 NP MOVAPS    Vx,Wx   aligned vex2
  28 66 MOVAPD    Vx,Wx   aligned vex2
  29 NP MOVAPS    Wx,Vx   aligned vex2
  29 66 MOVAPD    Wx,Vx   aligned vex2
  2B NP MOVNTPS   Mx,Vx   aligned vex2
  2B 66 MOVNTPD   Mx,Vx   aligned vex2
  50 NP MOVMSKPS  Gd,Ux   vex2
  50 66 MOVMSKPD  Gd,Ux   vex2
  6E NP MOVD      Pq,Ed   W0
  6E NP MOVQ      Pq,Eq   W1
  6E 66 MOVD      V16,Ed  vex2 L0 W0 wig32
  6E 66 MOVQ      V16,Eq  vex2 L0 W1 only64
  6F NP MOVQ      Pq,Qq
  6F 66 MOVDQA    Vx,Wx   aligned vex2
  6F F3 MOVDQU    Vx,Wx   unaligned vex2
  7E NP MOVD      Ed,Pq   W0
  7E NP MOVQ      Eq,Pq   W1
  7E 66 MOVD      Ed,V16  vex2 L0 W0 wig32
  7E 66 MOVQ      Eq,V16  vex2 L0 W1 only64
  7E F3 MOVQ      V16,Wq  vex2 L0
  7F NP MOVQ      Qq,Pq
  7F 66 MOVDQA    Wx,Vx   aligned vex2
  7F F3 MOVDQU    Wx,Vx   unaligned vex2
  C3 NP MOVNTI    My,Gy
  D6 66 MOVQ      Wq,V16  vex2 L0
  D6 F3 MOVQ2DQ   V16,Nq
  D6 F2 MOVDQ2Q   Pq,U16
  D7 mmx,66 PMOVMSKB Gd,Ux vex2
  E7 NP MOVNTQ    Mq,Pq
  E7 66 MOVNTDQ   Mx,Vx   aligned vex2
  F0 F2 LDDQU     Vx,Mx   unaligned vex2
  F7 NP MASKMOVQ  Pq,Nq   reads
  F7 66 MASKMOVDQU V16,U16 reads vex2 L0
`;

const FLOATS = `
  14 ps,pd       UNPCKL Vx,Wx    vex3
  15 ps,pd       UNPCKH Vx,Wx    vex3
  51 ps,pd       SQRT   Vs,Ws    fp vex2
  51 ss,sd       SQRT   Vs,Ws    fp vex3
  52 NP          RSQRTPS Vx,Wx   vex2
  52 F3          RSQRTSS Vd,Wd   vex3
  53 NP          RCPPS  Vx,Wx    vex2
  53 F3          RCPSS  Vd,Wd    vex3
  54 ps,pd       AND    Vx,Wx    vex3
  55 ps,pd       ANDN   Vx,Wx    vex3
  56 ps,pd       OR     Vx,Wx    vex3
  57 ps,pd       XOR    Vx,Wx    vex3
  58 ps,pd,ss,sd ADD    Vs,Ws    fp vex3
  59 ps,pd,ss,sd MUL    Vs,Ws    fp vex3
  5C ps,pd,ss,sd SUB    Vs,Ws    fp vex3
  5D ps,pd,ss,sd MIN    Vs,Ws    fp vex3
  5E ps,pd,ss,sd DIV    Vs,Ws    fp vex3
  5F ps,pd,ss,sd MAX    Vs,Ws    fp vex3
  7C 66          HADDPD Vx,Wx    fp vex3
  7C F2          HADDPS Vx,Wx    fp vex3
  7D 66          HSUBPD Vx,Wx    fp vex3
  7D F2          HSUBPS Vx,Wx    fp vex3
  C2 ps,pd,ss,sd CMP    Vs,Ws,Ib fp vex3
  C6 ps,pd       SHUF   Vx,Wx,Ib vex3
  D0 66        ADDSUBPD Vx,Wx    fp vex3
  D0 F2        ADDSUBPS Vx,Wx    fp vex3
`;

const CONVERSIONS = `
  2A NP CVTPI2PS  V16,Qq fp
  2A 66 CVTPI2PD  V16,Nq
  2A 66 CVTPI2PD  V16,Mq
  2A F3 CVTSI2SS  Vd,Ey  fp vex3
  2A F2 CVTSI2SD  Vq,Ey  fp vex3
  2C NP CVTTPS2PI Pq,Wq  fp
  2C 66 CVTTPD2PI Pq,W16 fp
  2C F3 CVTTSS2SI Gy,Wd  fp vex2
  2C F2 CVTTSD2SI Gy,Wq  fp vex2
  2D NP CVTPS2PI  Pq,Wq  fp
  2D 66 CVTPD2PI  Pq,W16 fp
  2D F3 CVTSS2SI  Gy,Wd  fp vex2
  2D F2 CVTSD2SI  Gy,Wq  fp vex2
  2E NP UCOMISS   Vd,Wd  fp reads vex2
  2E 66 UCOMISD   Vq,Wq  fp reads vex2
  2F NP COMISS    Vd,Wd  fp reads vex2
  2F 66 COMISD    Vq,Wq  fp reads vex2
  5A NP CVTPS2PD  Vx,Wh  fp vex2
  5A 66 CVTPD2PS  Vh,Wx  fp vex2
  5A F3 CVTSS2SD  Vq,Wd  fp vex3
  5A F2 CVTSD2SS  Vd,Wq  fp vex3
  5B NP CVTDQ2PS  Vx,Wx  fp vex2
  5B 66 CVTPS2DQ  Vx,Wx  fp vex2
  5B F3 CVTTPS2DQ Vx,Wx  fp vex2
  E6 66 CVTTPD2DQ Vh,Wx  fp vex2
  E6 F3 CVTDQ2PD  Vx,Wh  vex2
  E6 F2 CVTPD2DQ  Vh,Wx  fp vex2
`;

const SHUFFLES = `
  60 NP     PUNPCKLBW  Pq,Qd
  60 66     PUNPCKLBW  Vx,Wx    vex3
  61 NP     PUNPCKLWD  Pq,Qd
  61 66     PUNPCKLWD  Vx,Wx    vex3
  62 NP     PUNPCKLDQ  Pq,Qd
  62 66     PUNPCKLDQ  Vx,Wx    vex3
  63 mmx,66 PACKSSWB   Vx,Wx    vex3
  67 mmx,66 PACKUSWB   Vx,Wx    vex3
  68 mmx,66 PUNPCKHBW  Vx,Wx    vex3
  69 mmx,66 PUNPCKHWD  Vx,Wx    vex3
  6A mmx,66 PUNPCKHDQ  Vx,Wx    vex3
  6B mmx,66 PACKSSDW   Vx,Wx    vex3
  6C 66     PUNPCKLQDQ Vx,Wx    vex3
  6D 66     PUNPCKHQDQ Vx,Wx    vex3
  70 NP     PSHUFW     Pq,Qq,Ib
  70 66     PSHUFD     Vx,Wx,Ib vex2
  70 F3     PSHUFHW    Vx,Wx,Ib vex2
  70 F2     PSHUFLW    Vx,Wx,Ib vex2
  C4 mmx,66 PINSRW     V16,Ed:w,Ib vex3 L0
  C5 mmx,66 PEXTRW     Gd,U16,Ib   vex2 L0
`;

/** Shifts by an immediate: VEX writes the register in vvvv, so these lines have no `vex` word; see `vex.ts`. */
const SHIFTS_BY_IMMEDIATE = `
  71/2 mmx,66 PSRLW  Ux,Ib
  71/4 mmx,66 PSRAW  Ux,Ib
  71/6 mmx,66 PSLLW  Ux,Ib
  72/2 mmx,66 PSRLD  Ux,Ib
  72/4 mmx,66 PSRAD  Ux,Ib
  72/6 mmx,66 PSLLD  Ux,Ib
  73/2 mmx,66 PSRLQ  Ux,Ib
  73/3 66     PSRLDQ Ux,Ib
  73/6 mmx,66 PSLLQ  Ux,Ib
  73/7 66     PSLLDQ Ux,Ib
`;

/** Shifts by a register: the count is 128 bits wide at every vector length. */
const SHIFTS = ['D1 PSRLW', 'D2 PSRLD', 'D3 PSRLQ', 'E1 PSRAW', 'E2 PSRAD', 'F1 PSLLW', 'F2 PSLLD', 'F3 PSLLQ'];

/** Operations on packed integers that exist for MMX, XMM and YMM registers alike. */
const INTEGERS = [
  ...['64 PCMPGTB', '65 PCMPGTW', '66 PCMPGTD', '74 PCMPEQB', '75 PCMPEQW', '76 PCMPEQD', 'D4 PADDQ', 'D5 PMULLW'],
  ...['D8 PSUBUSB', 'D9 PSUBUSW', 'DA PMINUB', 'DB PAND', 'DC PADDUSB', 'DD PADDUSW', 'DE PMAXUB', 'DF PANDN'],
  ...['E0 PAVGB', 'E3 PAVGW', 'E4 PMULHUW', 'E5 PMULHW', 'E8 PSUBSB', 'E9 PSUBSW', 'EA PMINSW', 'EB POR'],
  ...['EC PADDSB', 'ED PADDSW', 'EE PMAXSW', 'EF PXOR', 'F4 PMULUDQ', 'F5 PMADDWD', 'F6 PSADBW', 'F8 PSUBB'],
  ...['F9 PSUBW', 'FA PSUBD', 'FB PSUBQ', 'FC PADDB', 'FD PADDW', 'FE PADDD'],
];

/** EMMS empties the x87 tag word; MOVNTSS to INSERTQ are AMD's SSE4A; VMREAD and VMWRITE need CR4.VMXE. */
const OTHERS = `
  77   NP EMMS    -       class=mmx sets=x87
  2B   F3 MOVNTSS Md,V16  unmodelled
  2B   F2 MOVNTSD Mq,V16  unmodelled
  78   66 EXTRQ   U16     unmodelled
  79   66 EXTRQ   V16,U16 unmodelled
  78   F2 INSERTQ V16,U16 unmodelled
  79   F2 INSERTQ V16,U16 unmodelled
  78   NP VMREAD  Eq,Gq   off
  79   NP VMWRITE Gq,Eq   off
`;

const COMMON = [
  ...[MOVES, FLOATS, CONVERSIONS, SHUFFLES],
  ...SHIFTS.map((line) => line.replace(' ', ' mmx,66 ') + ' Vx,W16 vex3'),
  ...INTEGERS.map((line) => line.replace(' ', ' mmx,66 ') + ' Vx,Wx vex3'),
].join('\n');

/** MMX and SSE in map 0F. */
export const SIMD_0F: readonly Encoding[] = parseTable(legacyLines([COMMON, SHIFTS_BY_IMMEDIATE, OTHERS].join('\n')), {
  map: 1,
});

/** Their VEX encodings. */
export const VEX_0F: readonly Encoding[] = parseTable(vexLines(COMMON), { space: 'vex', map: 1 });
