/** Components that kernel code gives to the running task another value in, and how it gets at their registers. */
import { PASID, PKRU, type InstructionClass, type Kernel } from '@fpulab/core';

/** A component, and what its code is called. */
export interface UpdateClient {
  readonly component: number;
  /** The instructions, as kernel code has them. */
  readonly read: string;
  readonly write: string;
  /** What callers call the new value, and where they put it. */
  readonly value: string;
  readonly slot: string;
  /** Their class. */
  readonly instruction: InstructionClass;
  /** What the task is to have; asked in each step that needs it. */
  readonly asked: (k: Kernel) => number;
  /** The kernel, too, relies on the register, whether the others are to be loaded or not: it is always that of the running task. */
  readonly isEager: boolean;
}

/** The two that are explored. A PASID is a number, kept in local 0; a PKRU is the task's own. */
export const CLIENTS = {
  pasid: {
    component: PASID,
    read: 'rdmsrl(MSR_IA32_PASID)',
    write: 'wrmsrl(MSR_IA32_PASID)',
    value: 'pasid',
    slot: 'ppasid_state->pasid',
    instruction: 'privileged',
    asked: (k) => k.local(0),
    isEager: false,
  },
  pkru: {
    component: PKRU,
    read: 'rdpkru()',
    write: 'wrpkru(pkru)',
    value: 'pkru',
    slot: 'pk->pkru',
    instruction: 'pkru',
    asked: (k) => k.askedPkru,
    isEager: true,
  },
} as const satisfies Readonly<Record<string, UpdateClient>>;
