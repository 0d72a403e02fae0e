/** PKRU is switched with the task, whatever happens to the other registers: two forms. */
import { DEFAULT_PKRU, INIT, PKRU, type ModifierPolicy } from '@fpulab/core';
import { imageForm } from './image';
import { threadForm } from './thread';

/** Where PKRU is while its task does not run: in the XSAVE image (5.2 to 5.13), or in `thread.pkru` (5.14 on). */
export type EagerPkruForm = 'image' | 'thread';

/**
 * Switches PKRU in __switch_to(), so that the kernel may access user memory before the task is back in user code. A modifier of
 * `load-fpu-deferral`, whose era goes with the form, and of `rfc-2016`. Without PKRU there is nothing for it to do.
 *
 * @param options.initPkru `all-keys`: the kernel has no init_pkru_value yet (up to 4.8), kernel threads run with hardware's 0
 */
export function eagerPkru({ form, initPkru = 'restrictive' }: EagerPkruOptions): ModifierPolicy {
  const made = form === 'thread' ? threadForm() : imageForm(initPkru === 'restrictive' ? DEFAULT_PKRU : INIT);
  return { kind: 'modifier', id: 'eager-pkru', onlyWith: 1 << PKRU, routines: [], ...made };
}

/** How PKRU is switched, and what kernel threads have. */
export interface EagerPkruOptions {
  readonly form: EagerPkruForm;
  readonly initPkru?: 'restrictive' | 'all-keys';
}

export { PKRU_AT_SWITCH } from './at-switch';
export { WRITE_PKRU_LOCKED } from './pkey-access';
export { SOMETHING_WRITES_PKRU } from './something';
