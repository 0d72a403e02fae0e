import { CR0_EM, CR0_MP, CR0_TS, CR4_OSFXSR, CR4_OSXSAVE, CR4_PKE } from './control-registers';
import { AVX, HI16_ZMM, OPMASK, SSE, TILECFG, TILEDATA, ZMM_HI256, type Feature } from './components';
import { FAULT_REASONS, type FaultReason } from './fault-reasons';

/** Exception vectors that are modelled. */
export const VECTOR = { UD: 6, NM: 7, SS: 12, GP: 13, PF: 14, MF: 16, AC: 17, XM: 19 } as const;

/** `#NM` and so on. */
export function vectorName(vector: number): string {
  const name = Object.entries(VECTOR).find(([, number]) => number === vector)?.[0];
  return name ? `#${name}` : `#${vector}`;
}

/** A fault that an instruction raised, and why. */
export interface Fault {
  readonly vector: number;
  /** What is pushed, for #SS, #GP, #PF and #AC. */
  readonly errorCode: number;
  /** CR2, for #PF. */
  readonly address?: bigint;
  readonly reason: FaultReason;
}

/** A fault with error code 0 and no address. */
export function fault(vector: number, reason: FaultReason): Fault {
  return { vector, errorCode: 0, reason };
}

/** `#GP(0): XSTATE_BV has bits ...`. */
export function faultText({ vector, reason }: Fault): string {
  return `${vectorName(vector)}: ${FAULT_REASONS[reason]}`;
}

/**
 * Instruction classes that differ in how control registers make them fault. `xsave` covers XSAVE* and XRSTOR*, `fxsave`
 * FXSAVE and FXRSTOR, `xcr` XGETBV and XSETBV; `mmx-sse` touches both MMX and XMM registers; `none` looks at nothing.
 */
export type InstructionClass =
  | 'none'
  | 'x87'
  | 'wait'
  | 'mmx'
  | 'mmx-sse'
  | 'sse'
  | 'fxsave'
  | 'xsave'
  | 'avx'
  | 'avx512'
  | 'opmask'
  | 'amx'
  | 'pkru'
  | 'enqcmd'
  | 'xcr'
  | 'privileged'
  | 'smsw';

/** What a class needs of the processor. Those that are not named need nothing. */
export const FEATURE_OF_CLASS: Readonly<Partial<Record<InstructionClass, Feature>>> = {
  x87: 'fpu',
  wait: 'fpu',
  mmx: 'mmx',
  'mmx-sse': 'sse',
  sse: 'sse',
  fxsave: 'fxsr',
  xsave: 'xsave',
  avx: 'avx',
  avx512: 'avx512f',
  opmask: 'avx512f',
  amx: 'amx',
  pkru: 'pku',
  enqcmd: 'enqcmd',
  xcr: 'xsave',
};

interface Rule {
  /** What EM=1 raises; 0: nothing. */
  readonly em: number;
  /** Whether TS=1 raises #NM. */
  readonly ts: 'never' | 'always' | 'with-mp';
  /** The CR4 bit without which it is #UD, and the reason that says so. */
  readonly cr4?: readonly [bit: number, reason: FaultReason];
  /** XCR0 bits without which it is #UD. */
  readonly xcr0?: number;
}

const NEVER: Rule = { em: 0, ts: 'never' };
const OSFXSR = [CR4_OSFXSR, 'osfxsr-clear'] as const;
const OSXSAVE = [CR4_OSXSAVE, 'osxsave-clear'] as const;
const AVX_STATE = (1 << SSE) | (1 << AVX);
const AVX512_STATE = AVX_STATE | (1 << OPMASK) | (1 << ZMM_HI256) | (1 << HI16_ZMM);
const AMX_STATE = (1 << TILECFG) | (1 << TILEDATA);

/**
 * Intel SDM Vol. 3A "Interrupt 7 - Device Not Available Exception (#NM)", the table of actions for combinations of EM, MP
 * and TS under "Control Registers" (2.5), and the exception lists of Vol. 2; AMX: Vol. 2A "Intel AMX
 * Instruction Exception Classes" (2.10).
 */
const RULES: Readonly<Record<InstructionClass, Rule>> = {
  none: NEVER,
  x87: { em: VECTOR.NM, ts: 'always' },
  wait: { em: 0, ts: 'with-mp' },
  mmx: { em: VECTOR.UD, ts: 'always' },
  'mmx-sse': { em: VECTOR.UD, ts: 'always', cr4: OSFXSR },
  sse: { em: VECTOR.UD, ts: 'always', cr4: OSFXSR },
  fxsave: { em: VECTOR.NM, ts: 'always' },
  xsave: { em: 0, ts: 'always', cr4: OSXSAVE },
  avx: { em: 0, ts: 'always', cr4: OSXSAVE, xcr0: AVX_STATE },
  avx512: { em: 0, ts: 'always', cr4: OSXSAVE, xcr0: AVX512_STATE },
  opmask: { em: 0, ts: 'always', cr4: OSXSAVE, xcr0: AVX512_STATE },
  amx: { em: 0, ts: 'never', cr4: OSXSAVE, xcr0: AMX_STATE },
  pkru: { em: 0, ts: 'never', cr4: [CR4_PKE, 'pke-clear'] },
  enqcmd: NEVER,
  xcr: { em: 0, ts: 'never', cr4: OSXSAVE },
  privileged: NEVER,
  smsw: NEVER,
};

/**
 * The exception that CR0 makes an FPU instruction raise, or 0.
 *
 * #UD has priority over #NM.
 *
 * @param cr0 the CR0 that is in force on the processor (not what a guest believes)
 * @see Intel SDM Vol. 3A "Interrupt 7 - Device Not Available Exception (#NM)" and, under "Control Registers", the table of
 *   actions for combinations of EM, MP and TS; Vol. 2 exception lists of FXSAVE and XSAVE
 */
export function fpuFault(cr0: number, instruction: InstructionClass): number {
  const rule = RULES[instruction];
  if (cr0 & CR0_EM && rule.em !== 0) return rule.em;
  if (!(cr0 & CR0_TS) || rule.ts === 'never') return 0;
  return rule.ts === 'always' || cr0 & CR0_MP ? VECTOR.NM : 0;
}

/** The control registers that decide whether an instruction is available. */
export interface ControlRegisters {
  readonly cr0: number;
  readonly cr4: number;
  /** Bits of XCR0. */
  readonly xcr0: number;
}

/**
 * The fault that control registers make an instruction of this class raise: #UD first (EM, CR4, XCR0), then #NM.
 *
 * @see fpuFault; Intel SDM Vol. 2 exception lists
 */
export function availabilityFault(registers: ControlRegisters, instruction: InstructionClass): Fault | undefined {
  const { em, cr4, xcr0 = 0 } = RULES[instruction];
  if (em === VECTOR.UD && registers.cr0 & CR0_EM) return fault(VECTOR.UD, 'em-set');
  if (cr4 && !(registers.cr4 & cr4[0])) return fault(VECTOR.UD, cr4[1]);
  if ((registers.xcr0 & xcr0) !== xcr0) return fault(VECTOR.UD, 'xcr0-lacks-component');
  if (fpuFault(registers.cr0, instruction) !== VECTOR.NM) return undefined;
  return fault(VECTOR.NM, em === VECTOR.NM && registers.cr0 & CR0_EM ? 'em-set' : 'ts-set');
}
