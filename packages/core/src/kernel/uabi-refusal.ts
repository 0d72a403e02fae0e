/** Why Linux does not take what user space hands it. */

/** The error numbers that occur. */
export type Errno = 'EINVAL' | 'EFAULT' | 'ENODEV';

/** Every refusal: a stable code, the error number of the system call, and a sentence. */
const REFUSALS = {
  'xfeatures-not-allowed': { errno: 'EINVAL', text: 'XSTATE_BV has a component that the task may not set' },
  'xcomp-bv-set': { errno: 'EINVAL', text: 'XCOMP_BV is not 0: user space has to use the standard format' },
  'header-reserved': { errno: 'EINVAL', text: 'bytes 16 to 63 of the header are not all 0' },
  'mxcsr-reserved': { errno: 'EINVAL', text: 'MXCSR has a bit that the processor does not have' },
  unreadable: { errno: 'EFAULT', text: 'the image ends before a part that it must have' },
  'xstate-not-whole': { errno: 'EFAULT', text: 'NT_X86_XSTATE can only be written as a whole, in its full size' },
  'fpregs-not-whole': { errno: 'EINVAL', text: 'the register set can only be written as a whole, in its full size' },
  'no-xsave': { errno: 'ENODEV', text: 'the processor has no XSAVE: there is no NT_X86_XSTATE' },
  'no-fxsr': { errno: 'ENODEV', text: 'the processor has no FXSAVE: there is no NT_PRXFPREG' },
} as const satisfies Record<string, { readonly errno: Errno; readonly text: string }>;

/** The code of a refusal. */
export type RefusalCode = keyof typeof REFUSALS;

/** All refusals by code. */
export const UABI_REFUSALS: Readonly<Record<RefusalCode, { readonly errno: Errno; readonly text: string }>> = REFUSALS;

/** What a conversion gives back instead of a result. The kernel's buffer is as before. */
export interface Refusal {
  readonly ok: false;
  readonly code: RefusalCode;
  readonly errno: Errno;
  readonly text: string;
}

/** The refusal with this code. */
export function refusal(code: RefusalCode): Refusal {
  return { ok: false, code, ...UABI_REFUSALS[code] };
}
