/**
 * General-purpose instructions: those that code around FPU instructions is made of.
 *
 * Source: Intel SDM Vol. 2, the opcode tables of the instructions; Vol. 2D "One, Two, and Three-Byte Opcode Maps" (A.3).
 */
import { parseTable, type Encoding } from '../encoding';

/** The eight operations of opcodes 00-3F and of group 1, and how they use their first operand. */
const ALU = [
  ...['ADD updates lockable', 'OR updates lockable', 'ADC unmodelled', 'SBB unmodelled'],
  ...['AND updates lockable', 'SUB updates lockable', 'XOR updates lockable', 'CMP reads'],
];

function aluLines(operation: string, index: number): string {
  const [name, ...words] = operation.split(' ');
  const use = words.join(' ');
  const code = (offset: number): string => (8 * index + offset).toString(16).toUpperCase().padStart(2, '0');
  return `
    ${code(0)} any ${name} Eb,Gb ${use}
    ${code(1)} any ${name} Ev,Gv ${use}
    ${code(2)} any ${name} Gb,Eb ${use}
    ${code(3)} any ${name} Gv,Ev ${use}
    ${code(4)} any ${name} Db,Ib ${use}
    ${code(5)} any ${name} Dv,Iz ${use}
    80/${index} any ${name} Eb,Ib ${use}
    81/${index} any ${name} Ev,Iz ${use}
    83/${index} any ${name} Ev,Ib ${use}`;
}

const MOVES = `
  88   any MOV   Eb,Gb
  89   any MOV   Ev,Gv
  8A   any MOV   Gb,Eb
  8B   any MOV   Gv,Ev
  B0+  any MOV   Ob,Ib
  B8+  any MOV   Ov,Iv
  C6/0 any MOV   Eb,Ib
  C7/0 any MOV   Ev,Iz
  8D   any LEA   Gv,M  noaccess
  90   any NOP   -     norexb
  90   F3  PAUSE -     norexb
`;

/** Privileged at CPL 3; CLI, STI, IN and OUT with IOPL 0 and no I/O permission. */
const PRIVILEGED = `
  F4   any HLT  -      class=privileged
  FA   any CLI  -      class=privileged
  FB   any STI  -      class=privileged
  E4   any IN   Db,Ib  class=privileged
  E5   any IN   Dv,Ib  class=privileged
  EC   any IN   Db     class=privileged
  ED   any IN   Dv     class=privileged
  E6   any OUT  Db,Ib  class=privileged
  E7   any OUT  Dv,Ib  class=privileged
  EE   any OUT  Db     class=privileged
  EF   any OUT  Dv     class=privileged
`;

/** Transactions are never enabled: CPUID.(7,0):EBX.RTM. */
const TRANSACTIONS = `
  C6/7.0 any XABORT - off
  C7/7.0 any XBEGIN - off
`;

/** WAIT is the only FPU instruction outside D8-DF and 0F. */
const WAIT = '9B any FWAIT - class=wait';

/** One-byte opcodes that are modelled, x87 apart. */
export const GENERAL: readonly Encoding[] = parseTable(
  [...ALU.map(aluLines), MOVES, PRIVILEGED, TRANSACTIONS, WAIT].join('\n'),
  {
    map: 0,
  },
);

/**
 * One-byte opcodes that do not exist in 64-bit mode; D6 has no documented instruction. All others that are not in the
 * tables are instructions that are not modelled.
 *
 * @see Intel SDM Vol. 2D "One, Two, and Three-Byte Opcode Maps" (A.3)
 */
export const UNDEFINED_IN_64_BIT_MODE: readonly number[] = [
  0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x82, 0x9a, 0xce, 0xd4, 0xd5, 0xd6,
  0xea,
];
