/** What must never happen, by stable id. */

/** Ids of the oracles. The order is part of the log format. */
export const ORACLES = [
  'leak',
  'lost-update',
  'kernel-fpu-clobber',
  'atomic-sleep',
  'unexpected-fault',
  'speculative-exposure',
  'validity',
  'pkru-mismatch',
  'stale-msr',
  'image-overrun',
  'livelock',
] as const;

/** The id of an oracle. */
export type OracleId = (typeof ORACLES)[number];

/** Index of each oracle in ORACLES: the number that events carry. */
export const ORACLE = Object.fromEntries(ORACLES.map((id, index) => [id, index])) as Readonly<Record<OracleId, number>>;

/** What each oracle means, in one line. */
export const ORACLE_TEXT: Readonly<Record<OracleId, string>> = {
  leak: 'user code can read, without a trap to its kernel, a value that another principal wrote',
  'lost-update': 'a task reads something else than the value that it wrote last',
  'kernel-fpu-clobber': 'registers change inside a kernel FPU section',
  'atomic-sleep': 'something sleeps with interrupts, bottom halves or preemption off',
  'unexpected-fault':
    '#NM in kernel mode where the kernel does not expect it, a double fault for want of stack, or the panic that ends it',
  'speculative-exposure':
    "user code runs while the registers hold another principal's data, even behind TS=1 (on affected CPUs: CVE-2018-3665)",
  'pkru-mismatch': "the kernel or user code accesses user memory under another PKRU than the task's",
  'stale-msr': 'user code runs while IA32_XFD or IA32_PASID is not what the task or the kernel believes it to be',
  livelock: 'a task that nothing disturbs goes round in its kernel for ever',
  'image-overrun': 'a save writes a component for which the image has no room',
  validity:
    "a task's latest FPU state is lost, its registers are written before they were loaded, or its policy takes for valid what is not",
};

/**
 * The validity of a task's FPU context, in the words of the 2016 thread on delayed register loading: 1 CPU valid and
 * memory not; 2a both; 2b memory only. Before a task has written anything there is nothing to be valid; `lost` is
 * the illegal state.
 */
export const VALIDITY = { unused: 0, cpu: 1, both: 2, memory: 3, split: 4, lost: 5, transit: 6 } as const;

/**
 * `1`, `2a`, ... by VALIDITY value. `split`: every component is valid somewhere, but not all in one place. `in transit`:
 * only in the image of a child that is not born yet, where FNSAVE takes it for a moment, or in the signal frame through which the task
 * is returning.
 */
export const VALIDITY_NAMES: readonly string[] = ['unused', '1', '2a', '2b', 'split', 'lost', 'in transit'];
