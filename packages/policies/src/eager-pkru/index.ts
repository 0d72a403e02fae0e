/** PKRU is switched with the task, whatever happens to the other registers: two forms. */
import { PKRU, type ModifierPolicy } from '@fpulab/core';
import { imageForm } from './image';
import { threadForm } from './thread';

/** Where PKRU is while its task does not run: in the XSAVE image (5.2 to 5.13), or in `thread.pkru` (5.14 on). */
export type EagerPkruForm = 'image' | 'thread';

const FORMS = { image: imageForm, thread: threadForm };

/**
 * Switches PKRU in __switch_to(), so that the kernel may access user memory before the task is back in user code. A modifier of
 * `load-fpu-deferral`: the form goes with the era. Without PKRU there is nothing for it to do.
 */
export function eagerPkru({ form }: { readonly form: EagerPkruForm }): ModifierPolicy {
  return { kind: 'modifier', id: 'eager-pkru', onlyWith: 1 << PKRU, routines: [], ...FORMS[form]() };
}

export { SOMETHING_WRITES_PKRU } from './something';
