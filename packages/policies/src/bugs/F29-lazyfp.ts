import type { Bug } from './bug';

/** CVE-2018-3665: no patch, another policy. */
export const F29: Bug = {
  id: 'F29',
  name: 'lazyfp',
  title: "another task's registers can be read by speculation behind CR0.TS",
  year: 2018,
  cve: 'CVE-2018-3665',
  kernels: 'lazy ones: up to 4.5, to 4.9 with eagerfpu=off',
  source: '58122bf1d856 "x86/fpu: Default eagerfpu=on on all CPUs"; for Xen: XSA-267',
  property: 'speculative-exposure',
  story:
    'A lazy kernel switches tasks, sets CR0.TS and leaves the registers as they are: they are loaded when the next task traps. By the ' +
    'manual that task cannot see them before. But on Intel cores #NM is raised late: the instruction, and what depends on it, have run on the old ' +
    'values by then, and although they are undone, the cache lines that they fetched tell what was read. So whatever is in the registers while ' +
    'user code runs is no secret, whether TS is set or not. No line of lazy switching is wrong, and no patch mends it; the cure is the ' +
    'other policy: load the registers of a task whenever it is switched in. Linux made that the default on all CPUs in 4.6, two years ' +
    'before this was known, and for other reasons.',
  scenario: 'exit-to-user',
  platform: 'bare-metal',
  buggy: { preset: 'linux-4.2' },
  fixes: [{ by: '58122bf1d856', preset: 'linux-4.8' }],
};
