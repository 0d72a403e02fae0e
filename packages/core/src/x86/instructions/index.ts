/** Which code executes which instruction. */
import type { Feature } from '../components';
import { FEATURE_OF_CLASS, type Fault, type InstructionClass } from '../faults';
import type { Instruction } from '../instruction';
import type { Processor } from '../processor';
import * as amx from './amx';
import * as control from './control';
import { data, vzero } from './data';
import { fxrstor, fxsave } from './fxsave';
import * as general from './general';
import { rdmsr, wrmsr } from './msr';
import { ldmxcsr, stmxcsr } from './mxcsr';
import * as x87 from './x87-control';
import { isExact, x87Data } from './x87-data';
import { xrstor } from './xrstor';
import { xsave } from './xsave';

/** Executes an instruction that is available; returns its fault or does all of it. */
export type Handler = (cpu: Processor, instruction: Instruction) => Fault | undefined;

/** Hints, fences and flushes: nothing of them is modelled but their faults. */
const WITHOUT_RESULT = [
  ...['NOP', 'PAUSE', 'SFENCE', 'LFENCE', 'MFENCE', 'CLFLUSH', 'CLFLUSHOPT', 'CLWB', 'PREFETCH', 'PREFETCHW'],
  ...['PREFETCHWT1', 'PREFETCHNTA', 'PREFETCHT0', 'PREFETCHT1', 'PREFETCHT2', 'FNENI', 'FNDISI', 'FNSETPM'],
];

const HANDLERS: Readonly<Record<string, Handler>> = {
  FNINIT: x87.fninit,
  FNCLEX: x87.fnclex,
  FNSAVE: x87.fnsave,
  FRSTOR: x87.frstor,
  FNSTENV: x87.fnstenv,
  FLDENV: x87.fldenv,
  FLDCW: x87.fldcw,
  FNSTCW: x87.fnstcw,
  FNSTSW: x87.fnstsw,
  FINCSTP: x87.moveTop(1),
  FDECSTP: x87.moveTop(-1),
  FFREE: x87.ffree,
  FNOP: x87.fnop,
  FWAIT: x87.touchX87,
  FNENI: x87.touchX87,
  FNDISI: x87.touchX87,
  FNSETPM: x87.touchX87,
  EMMS: x87.emms,
  FXSAVE: fxsave,
  FXRSTOR: fxrstor,
  XSAVE: xsave,
  XSAVEOPT: xsave,
  XSAVEC: xsave,
  XSAVES: xsave,
  XRSTOR: xrstor,
  XRSTORS: xrstor,
  LDMXCSR: ldmxcsr,
  STMXCSR: stmxcsr,
  VLDMXCSR: ldmxcsr,
  VSTMXCSR: stmxcsr,
  VZEROUPPER: vzero(false),
  VZEROALL: vzero(true),
  XGETBV: control.xgetbv,
  XSETBV: control.xsetbv,
  RDPKRU: control.rdpkru,
  WRPKRU: control.wrpkru,
  RDMSR: rdmsr,
  WRMSR: wrmsr,
  CLTS: control.clts,
  LMSW: control.lmsw,
  SMSW: control.smsw,
  MOV_FROM_CR: control.movFromControl,
  MOV_TO_CR: control.movToControl,
  LDTILECFG: amx.ldtilecfg,
  STTILECFG: amx.sttilecfg,
  TILERELEASE: amx.tilerelease,
  TILEZERO: amx.tilezero,
  TILELOADD: amx.tileload,
  TILELOADDT1: amx.tileload,
  TILESTORED: amx.tilestore,
  CPUID: general.cpuid,
  ANDN: general.andn,
  POPCNT: general.popcnt,
  CRC32: general.crc32,
  MOVNTI: general.mov,
  ...Object.fromEntries(WITHOUT_RESULT.map((mnemonic) => [mnemonic, general.untouched])),
  LEA: general.lea,
  MOV: general.mov,
  AND: general.arithmetic(general.logic((left, right) => left & right)),
  OR: general.arithmetic(general.logic((left, right) => left | right)),
  XOR: general.arithmetic(general.logic((left, right) => left ^ right)),
  TEST: general.arithmetic(
    general.logic((left, right) => left & right),
    false,
  ),
  ADD: general.arithmetic(general.sum(1n)),
  SUB: general.arithmetic(general.sum(-1n)),
  CMP: general.arithmetic(general.sum(-1n), false),
};

/** Modelled as far as they are #GP at CPL 3 (CLI and STI: with IOPL 0). */
const PRIVILEGED_ONLY = [
  ...['HLT', 'CLI', 'STI', 'IN', 'OUT', 'INVD', 'WBINVD', 'INVLPG', 'LGDT', 'LIDT', 'LLDT', 'LTR', 'SWAPGS', 'SYSRET'],
  ...['SYSEXIT', 'MOV_FROM_DR', 'MOV_TO_DR'],
];

/** True for privileged instructions of which only the fault at CPL 3 is modelled. */
export function isPrivilegedOnly(mnemonic: string): boolean {
  return PRIVILEGED_ONLY.includes(mnemonic);
}

const BY_CLASS: Readonly<Partial<Record<InstructionClass, Handler>>> = {
  x87: x87Data,
  mmx: data,
  'mmx-sse': data,
  sse: data,
  avx: data,
  avx512: data,
  opmask: data,
  amx: amx.tileArithmetic,
  none: general.unknownResult,
  privileged: control.privilegedOnly,
};

/** False for instructions of which only the faults and the components that they modify are modelled. */
export function isModelledInFull(instruction: Instruction): boolean {
  return instruction.mnemonic in HANDLERS || instruction.class === 'privileged' || isExact(instruction);
}

/** The code for an instruction. */
export function handlerOf({ mnemonic, class: kind }: Instruction): Handler {
  const handler = HANDLERS[mnemonic] ?? BY_CLASS[kind];
  if (!handler) throw new Error(`fpulab bug: no code executes ${mnemonic}`);
  return handler;
}

/** Members of the class `xsave` with a CPUID bit of their own. */
const FEATURE_OF_MNEMONIC: Readonly<Record<string, Feature>> = {
  XSAVEOPT: 'xsaveopt',
  XSAVEC: 'xsavec',
  XSAVES: 'xsaves',
  XRSTORS: 'xsaves',
};

/** The CPUID feature without which an instruction is #UD. */
export function featureOf({ mnemonic, class: kind }: Instruction): Feature | undefined {
  return FEATURE_OF_MNEMONIC[mnemonic] ?? FEATURE_OF_CLASS[kind];
}
