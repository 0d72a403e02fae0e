/** Register sets that a tracer or a core dump asks for: steps that several kernels have. */
import { HEADER, NOBODY, SSE, TRACED_HEADER, X87, group, routine, step, unless, when } from '@fpulab/core';
import type { Kernel, Patch, Routine, RoutineNode, Slot, Step } from '@fpulab/core';

/** The image of the task that is asked about. */
export const targetImage = (k: Kernel): number => k.fpstateOf(k.target);

/** user_regset_copyout(): the image as it is. */
export const copyout: Step = step('user_regset_copyout', (k) => k.showFpstate(targetImage(k)));

/** True when the tracer's header has something in it that XRSTOR refuses. FXSAVE images have no header. */
export const isBadHeader = (k: Kernel): boolean => k.tracedHeader > TRACED_HEADER.good;

/**
 * user_regset_copyin(): the tracer's image, header and all, replaces the standard image. x87 and SSE alone have no header and are marked in
 * XSTATE_BV.
 */
export const copyin: Step = step('user_regset_copyin', (k) => {
  k.takeFromTracer(targetImage(k));
  if (isBadHeader(k)) k.writeHeader(targetImage(k), HEADER.reserved);
  else if (k.headerOf(targetImage(k)) !== HEADER.valid && k.tracedHeader === TRACED_HEADER.good)
    k.writeHeader(targetImage(k), HEADER.valid);
});

/** What differs between the kernels that allocate images, up to 4.1. */
export interface AllocatedRegsets {
  readonly usedMath: Slot;
  /** unlazy_fpu() of current, for a core dump. */
  readonly unlazy: RoutineNode;
  /** Before 3.4 nobody takes registers for valid that were not loaded, and there is nothing to invalidate. */
  readonly lastCpu?: Slot;
  /**
   * Which part of a header xstateregs_set() clears. `reserved1`: XCOMP_BV and the eight bytes behind it, which is all that XRSTOR looks at
   * (3.6); `reserved`: the 48 bytes behind XCOMP_BV (4.1). `unknown`: there is no NT_X86_XSTATE yet (2.6.32).
   */
  readonly header: 'unknown' | 'reserved1' | 'reserved';
}

/** init_fpu(), and get() and set() of the register sets behind it: kernel/i387.c up to 4.1. */
export function allocatedRegsets(kernel: AllocatedRegsets): readonly Routine[] {
  const { usedMath, lastCpu, header } = kernel;
  const failed = (k: Kernel): boolean => k.local(0) !== 0;
  const allocate: readonly RoutineNode[] = [
    unless(
      (k) => k.isAllocated(targetImage(k)),
      [
        step('kmem_cache_alloc', (k) => k.setLocal(0, k.allocationMaySleep() ? 0 : 1)),
        unless(failed, [step('fpu->state = new memory', (k) => k.allocate(targetImage(k)))]),
      ],
    ),
    unless(failed, [
      step('fpu_finit', (k) => k.initFpstate(targetImage(k))),
      step('set PF_USED_MATH', (k) => k.write(usedMath, k.target, 1)),
    ]),
  ];
  const initFpu = group('init_fpu', [
    when(
      (k) => k.read(usedMath, k.target) !== 0,
      [
        when((k) => k.target === k.task, [kernel.unlazy]),
        ...(lastCpu ? [step('last_cpu = ~0', (k) => k.write(lastCpu, k.target, NOBODY))] : []),
      ],
      allocate,
    ),
  ]);
  const isThere = (k: Kernel): boolean => k.isAllocated(targetImage(k));
  const noMemory = step('return -ENOMEM', () => {});
  const isXstate = (k: Kernel): boolean => k.tracedHeader !== TRACED_HEADER.none && k.target !== k.task;
  const known = (body: readonly RoutineNode[]): readonly RoutineNode[] =>
    header === 'unknown' ? [when(isXstate, [step('return -EIO', () => {})], body)] : body;
  const shown = header === 'unknown' ? (k: Kernel): number => k.regset & LEGACY : (k: Kernel): number => k.regset;
  const isCleared = (k: Kernel): boolean => header === 'reserved1' || k.tracedHeader !== TRACED_HEADER.xcompBv;
  return [
    routine(
      'xstateregs_get',
      known([
        initFpu,
        when(isThere, [step('user_regset_copyout', (k) => k.showFpstate(targetImage(k), shown(k)))], [noMemory]),
      ]),
    ),
    routine(
      'xstateregs_set',
      known([
        initFpu,
        when(
          isThere,
          [
            copyin,
            when(
              (k) => isBadHeader(k) && isCleared(k),
              [step('these bits must be zero', (k) => k.writeHeader(targetImage(k), HEADER.valid))],
            ),
          ],
          [noMemory],
        ),
      ]),
    ),
    // Register sets that are not active are left out.
    routine('fill_thread_core_info', [
      when((k) => k.read(usedMath, k.task) !== 0, [step('regset->get', (k) => k.call('xstateregs_get'))]),
    ]),
  ];
}

/** Which of them answers which hook. */
export const REGSET_HOOKS = {
  'ptrace-read': 'xstateregs_get',
  'ptrace-write': 'xstateregs_set',
  'core-dump': 'fill_thread_core_info',
} as const;

const LEGACY = (1 << X87) | (1 << SSE);

/** What 4.2 to 5.13 do with a target whose tracer gives them an image that they refuse: it loses all it had. This is the fix. */
export const REFUSED_IMAGE_KEEPS: Patch = {
  id: 'refused-image-keeps',
  title: 'xstateregs_set() leaves the target what it has when it refuses an image',
  source: '43be46e89698 "x86/fpu: Sanitize xstateregs_set()", 5.14',
  edits: [{ edit: 'remove', routine: 'xstateregs_set', step: 'fpstate_init on failure' }],
};

/** F32 on 4.1, which clears reserved bytes of the header and forgets that XCOMP_BV was carved out of them. */
export const XCOMP_BV_CLEARED: Patch = {
  id: 'xcomp-bv-cleared',
  title: 'xstateregs_set() clears XCOMP_BV with the other bits that must be zero',
  source: 'Linux 3.6 xstateregs_set(), which clears it as a part of reserved1',
  edits: [
    {
      edit: 'insert-after',
      routine: 'xstateregs_set',
      step: 'user_regset_copyin',
      nodes: [when(isBadHeader, [step('XCOMP_BV = 0', (k) => k.writeHeader(targetImage(k), HEADER.valid))])],
    },
  ],
};
