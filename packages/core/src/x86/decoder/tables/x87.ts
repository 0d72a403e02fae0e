/**
 * The x87 map, D8 to DF.
 *
 * Sources: Intel SDM Vol. 2D "Escape Opcode Instructions" (A.5). Not in its tables, but executed by processors: FNENI,
 * FNDISI and FNSETPM, which are integer NOPs and so look at neither CR0 nor pending exceptions (Vol. 3B, chapter
 * "Architecture Compatibility", "Obsolete Instructions"; Bochs cpu/fpu.cc FPLEGACY agrees); FFREEP; FSTPNCE (FSTP that
 * reports no empty register); and second encodings of FCOM, FCOMP, FXCH and FSTP. Bochs (cpu/decoder/fetchdecode_x87.h)
 * and QEMU (target/i386/tcg/translate.c) have the same ones.
 *
 * What waits for a pending exception and what does not: Vol. 1 "Waiting vs. Non-waiting Instructions" (8.3.11).
 */
import { parseTable, type Encoding } from '../encoding';

/** Operations of /0 to /7 where a map has them all: on memory, and on the stack with ST(0) first. */
const ARITHMETIC = ['ADD', 'MUL', 'COM', 'COMP', 'SUB', 'SUBR', 'DIV', 'DIVR'];

function arithmetic(opcode: string, prefix: string, operands: string): string {
  return ARITHMETIC.map((name, index) => {
    const compared = name.startsWith('COM') ? operands.replace('st0,', '') : operands;
    return `${opcode}/${index} any ${prefix}${name} ${compared}`;
  }).join('\n');
}

const D9 = `
  D9/0   any FLD     Md
  D9/2   any FST     Md  writes
  D9/3   any FSTP    Md  writes
  D9/4   any FLDENV  Mn
  D9/5   any FLDCW   Mw
  D9/6   any FNSTENV Mn  writes nowait
  D9/7   any FNSTCW  Mw  writes nowait sets=none
  D9/0   any FLD     S
  D9/1   any FXCH    S
  D9/2.0 any FNOP    -   sets=none
  D9/3   any FSTPNCE S
  D9/4.0 any FCHS    -
  D9/4.1 any FABS    -
  D9/4.4 any FTST    -
  D9/4.5 any FXAM    -
  D9/5.0 any FLD1    -
  D9/5.1 any FLDL2T  -
  D9/5.2 any FLDL2E  -
  D9/5.3 any FLDPI   -
  D9/5.4 any FLDLG2  -
  D9/5.5 any FLDLN2  -
  D9/5.6 any FLDZ    -
  D9/6.0 any F2XM1   -
  D9/6.1 any FYL2X   -
  D9/6.2 any FPTAN   -
  D9/6.3 any FPATAN  -
  D9/6.4 any FXTRACT -
  D9/6.5 any FPREM1  -
  D9/6.6 any FDECSTP -
  D9/6.7 any FINCSTP -
  D9/7.0 any FPREM   -
  D9/7.1 any FYL2XP1 -
  D9/7.2 any FSQRT   -
  D9/7.3 any FSINCOS -
  D9/7.4 any FRNDINT -
  D9/7.5 any FSCALE  -
  D9/7.6 any FSIN    -
  D9/7.7 any FCOS    -
`;

const DA_DB = `
  DA/0   any FCMOVB   st0,S
  DA/1   any FCMOVE   st0,S
  DA/2   any FCMOVBE  st0,S
  DA/3   any FCMOVU   st0,S
  DA/5.1 any FUCOMPP  -
  DB/0   any FILD     Md
  DB/1   any FISTTP   Md  writes
  DB/2   any FIST     Md  writes
  DB/3   any FISTP    Md  writes
  DB/5   any FLD      Mt
  DB/7   any FSTP     Mt  writes
  DB/0   any FCMOVNB  st0,S
  DB/1   any FCMOVNE  st0,S
  DB/2   any FCMOVNBE st0,S
  DB/3   any FCMOVNU  st0,S
  DB/4.0 any FNENI    -   class=none sets=none
  DB/4.1 any FNDISI   -   class=none sets=none
  DB/4.2 any FNCLEX   -   nowait
  DB/4.3 any FNINIT   -   nowait
  DB/4.4 any FNSETPM  -   class=none sets=none
  DB/5   any FUCOMI   st0,S
  DB/6   any FCOMI    st0,S
`;

const DC_DD = `
  DC/0   any FADD   S,st0
  DC/1   any FMUL   S,st0
  DC/2   any FCOM   S
  DC/3   any FCOMP  S
  DC/4   any FSUBR  S,st0
  DC/5   any FSUB   S,st0
  DC/6   any FDIVR  S,st0
  DC/7   any FDIV   S,st0
  DD/0   any FLD    Mq
  DD/1   any FISTTP Mq  writes
  DD/2   any FST    Mq  writes
  DD/3   any FSTP   Mq  writes
  DD/4   any FRSTOR Ma
  DD/6   any FNSAVE Ma  writes nowait
  DD/7   any FNSTSW Mw  writes nowait sets=none
  DD/0   any FFREE  S
  DD/1   any FXCH   S
  DD/2   any FST    S
  DD/3   any FSTP   S
  DD/4   any FUCOM  S
  DD/5   any FUCOMP S
`;

const DE_DF = `
  DE/0   any FADDP   S,st0
  DE/1   any FMULP   S,st0
  DE/2   any FCOMP   S
  DE/3.1 any FCOMPP  -
  DE/4   any FSUBRP  S,st0
  DE/5   any FSUBP   S,st0
  DE/6   any FDIVRP  S,st0
  DE/7   any FDIVP   S,st0
  DF/0   any FILD    Mw
  DF/1   any FISTTP  Mw  writes
  DF/2   any FIST    Mw  writes
  DF/3   any FISTP   Mw  writes
  DF/4   any FBLD    Mt
  DF/5   any FILD    Mq
  DF/6   any FBSTP   Mt  writes
  DF/7   any FISTP   Mq  writes
  DF/0   any FFREEP  S
  DF/1   any FXCH    S
  DF/2   any FSTP    S
  DF/3   any FSTP    S
  DF/4.0 any FNSTSW  ax  writes nowait sets=none
  DF/5   any FUCOMIP st0,S
  DF/6   any FCOMIP  st0,S
`;

const WHOLE_MAPS = [
  arithmetic('D8', 'F', 'Md'),
  arithmetic('D8', 'F', 'st0,S'),
  arithmetic('DA', 'FI', 'Md'),
  arithmetic('DC', 'F', 'Mq'),
  arithmetic('DE', 'FI', 'Mw'),
];

/** Every x87 encoding. Only stores write their first operand; all but the listed ones modify the x87 component. */
export const X87_TABLE: readonly Encoding[] = parseTable([...WHOLE_MAPS, D9, DA_DB, DC_DD, DE_DF].join('\n'), {
  map: 0,
  class: 'x87',
  use: 'reads',
});
