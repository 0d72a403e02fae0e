import type { Bug } from './bug';

/** IA32_XFD belongs to the registers, and signal delivery declares registers without it. */
export const F14: Bug = {
  id: 'F14',
  name: 'xfd-signal',
  title: 'a signal handler runs with AMX tiles enabled for another task',
  year: 2025,
  cve: 'CVE-2025-68171',
  kernels: '5.16 to 6.17',
  source: '388eff894d6b "x86/fpu: Ensure XFD state on signal delivery"',
  property: 'stale-msr',
  story:
    'IA32_XFD is written when registers are loaded, and only then. A task with AMX tiles has run and left it at 0; another one, which has ' +
    'no tiles, comes next and is still in the kernel, its registers in memory. Now it takes a signal: fpu__clear_user_states() loads INIT ' +
    'for the handler and declares that the registers are current. The flag that would have brought xfd_update_state() on the way to user ' +
    'code is clear, so the handler runs with tiles enabled that it never asked for: what it writes there, no save of its kernel ' +
    'stores, and the small image has no room for it.',
  scenario: 'amx-signal',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-6.1',
    patches: [
      {
        id: 'xfd-signal',
        title: 'fpu__clear_user_states() declares the registers current without xfd_update_state()',
        source: 'before 388eff894d6b',
        edits: [{ edit: 'remove', routine: 'fpu__clear_user_states', step: 'xfd_update_state' }],
      },
    ],
  },
  fixes: [{ by: '388eff894d6b', preset: 'linux-6.1' }],
};
