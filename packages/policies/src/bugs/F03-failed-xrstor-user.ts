import type { Bug } from './bug';

/** CVE-2021-47226. */
export const F03: Bug = {
  id: 'F03',
  name: 'failed-xrstor-user',
  title: 'a failed XRSTOR changes registers that belong to another task',
  year: 2021,
  cve: 'CVE-2021-47226',
  kernels: '5.2 to 5.12',
  source: 'd8778e393afa "x86/fpu: Invalidate FPU state after a failed XRSTOR from a user buffer"',
  property: 'leak',
  story:
    'A task is preempted in rt_sigreturn(), another one returns to user code and becomes the owner of the registers; it is saved and ' +
    'switched out, and its registers stay. Now the first task restores from its frame. XRSTOR meets a page that is not there, but has ' +
    'loaded some components by then, as the architecture allows. Nobody notes that the registers are no longer what their owner ' +
    'left: before the page is there the owner runs again, finds its name and its CPU, skips the load, and reads values of the first ' +
    "task's frame.",
  scenario: 'sigreturn-fault',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-5.10',
    patches: [
      {
        id: 'failed-xrstor-user',
        title: 'a failed XRSTOR from a signal frame leaves the owner of the registers as it was',
        source: 'before d8778e393afa',
        edits: [{ edit: 'remove', routine: 'fpu__restore_sig', step: 'owner = NULL' }],
      },
    ],
  },
  fixes: [{ by: 'd8778e393afa', preset: 'linux-5.10' }],
};
