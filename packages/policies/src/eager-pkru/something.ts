import { INIT, PKRU, step, type Patch } from '@fpulab/core';
import { WRPKRU } from './form';

/**
 * The question of June 2018: kernel_fpu_begin(); something(); kernel_fpu_end(); copy_from_user(). Here something() changes PKRU, which
 * nobody is supposed to do.
 */
export const SOMETHING_WRITES_PKRU: Patch = {
  id: 'something-writes-pkru',
  title: 'code inside a kernel FPU section opens all protection keys and does not restore PKRU',
  source:
    'LKML, 2018-06-15, in the thread "Lazy FPU restoration / moving kernel_fpu_end() to context switch": "Does that *matter* unless something() modified PKRU?"',
  edits: [
    {
      edit: 'append',
      routine: 'hook:kernel-fpu-section',
      nodes: [step('something(): wrpkru(0)', (k) => k.writeRegister(PKRU, INIT), WRPKRU)],
    },
  ],
};
