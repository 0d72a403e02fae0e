import { CR0_EM, CR0_MP, CR0_TS } from './control-registers';

/** Exception vectors that are modelled. */
export const VECTOR = { UD: 6, NM: 7, GP: 13 } as const;

/** `#NM` and so on. */
export function vectorName(vector: number): string {
  const name = Object.entries(VECTOR).find(([, number]) => number === vector)?.[0];
  return name ? `#${name}` : `#${vector}`;
}

/** Instruction classes that differ in how CR0 makes them fault. `xsave` covers XSAVE and XRSTOR, `fxsave` FXSAVE and FXRSTOR. */
export type InstructionClass = 'x87' | 'mmx' | 'sse' | 'avx' | 'wait' | 'fxsave' | 'xsave';

/** Per class: what EM=1 raises (0: nothing) and whether TS=1 raises #NM without MP. */
const RULES: Readonly<Record<InstructionClass, { readonly em: number; readonly ts: 'always' | 'with-mp' }>> = {
  x87: { em: VECTOR.NM, ts: 'always' },
  mmx: { em: VECTOR.UD, ts: 'always' },
  sse: { em: VECTOR.UD, ts: 'always' },
  avx: { em: 0, ts: 'always' },
  wait: { em: 0, ts: 'with-mp' },
  fxsave: { em: VECTOR.NM, ts: 'always' },
  xsave: { em: 0, ts: 'always' },
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
  if (!(cr0 & CR0_TS)) return 0;
  return rule.ts === 'always' || cr0 & CR0_MP ? VECTOR.NM : 0;
}
