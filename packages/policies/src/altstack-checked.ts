/** get_sigframe() is outside of all policies; what mends it is a property of the kernel. */
import type { Patch } from '@fpulab/core';

/** SIGSEGV for a task whose signal frame does not fit its alternate stack, instead of a frame in the memory below it. */
export const ALTSTACK_CHECKED: Patch = {
  id: 'altstack-checked',
  title: 'get_sigframe() looks whether a frame that enters the alternate stack fits it',
  source: '2beb4a53fc3f, 5.14',
  edits: [],
  checksAltstack: true,
};
