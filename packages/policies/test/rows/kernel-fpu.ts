/** Cells of the table: kernel FPU sections. */
import type { Row } from '../cells';

export const KERNEL_FPU_ROWS: Readonly<Record<string, readonly Row[]>> = {
  'kernel_fpu_begin, registers in use': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=A:1 image=INIT TS_USEDFPU=1 PF_USED_MATH=1',
      'A.image INIT -> sse=A:1, A.TS_USEDFPU 1 -> 0',
    ],
    [
      'linux-3.6',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'A.image INIT -> sse=A:1, A.has_fpu 1 -> 0, fpu_owner_task A -> nobody',
    ],
    [
      'linux-4.1 lazy, linux-4.1 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'A.image INIT -> sse=A:1, in_kernel_fpu 0 -> 1',
    ],
    [
      'linux-4.2 lazy, linux-4.8 lazy, linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'A.image INIT -> sse=A:1, in_kernel_fpu 0 -> 1',
    ],
    [
      'linux-4.14',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT initialized=1',
      'A.image INIT -> sse=A:1, in_kernel_fpu 0 -> 1',
    ],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
      'A.image INIT -> sse=A:1, A.TIF_NEED_FPU_LOAD 0 -> 1, fpu_fpregs_owner_ctx A -> nobody, in_kernel_fpu 0 -> 1',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1 TIF_LOAD_FPU=0',
      'A.image INIT -> sse=A:1, A.fpregs_active 1 -> 0, A.TIF_LOAD_FPU 0 -> 1, fpu_fpregs_owner_ctx A -> nobody, in_kernel_fpu 0 -> 1',
    ],
    [
      'refresh-fpu',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_REFRESH_FPU=0',
      'A.believed 1 -> 2b, A.image INIT -> sse=A:1, fpregs_owner A -> nobody, A.last_cpu cpu0 -> none, A.memory_valid 0 -> 1, A.TIF_REFRESH_FPU 0 -> 1, in_kernel_fpu 0 -> 1',
    ],
  ],
  'kernel_fpu_begin, registers not its own': [
    ['linux-2.6.32', 'TS=1 fpregs=sse=B:1 image=sse=A:1 TS_USEDFPU=0 PF_USED_MATH=1', 'TS 1 -> 0'],
    [
      'linux-3.6',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'TS 1 -> 0, fpu_owner_task B -> nobody',
    ],
    [
      'linux-4.1 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'TS 1 -> 0, fpu_owner_task B -> nobody, in_kernel_fpu 0 -> 1',
    ],
    [
      'linux-4.2 lazy, linux-4.8 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:1 fpregs_active=0 fpstate_active=1',
      'TS 1 -> 0, fpu_fpregs_owner_ctx B -> nobody, in_kernel_fpu 0 -> 1',
    ],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      'fpu_fpregs_owner_ctx B -> nobody, in_kernel_fpu 0 -> 1',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=1',
      'fpu_fpregs_owner_ctx B -> nobody, in_kernel_fpu 0 -> 1',
    ],
    [
      'refresh-fpu',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_REFRESH_FPU=1',
      'B.believed 2a -> 2b, fpregs_owner B -> nobody, A.last_cpu cpu0 -> none, in_kernel_fpu 0 -> 1',
    ],
  ],
  'kernel_fpu_end, registers in use': [
    ['linux-2.6.32', 'TS=0 fpregs=sse=kernel:1 image=sse=A:1 TS_USEDFPU=0 PF_USED_MATH=1', 'TS 0 -> 1'],
    ['linux-3.6', 'TS=0 fpregs=sse=kernel:1 owner=nobody image=sse=A:1 has_fpu=0 PF_USED_MATH=1', 'TS 0 -> 1'],
    [
      'linux-4.1 lazy, linux-4.1 eager',
      'TS=0 fpregs=sse=kernel:1 owner=A image=sse=A:1 has_fpu=1 PF_USED_MATH=1',
      'fpregs sse=kernel:1 -> sse=A:1, in_kernel_fpu 1 -> 0',
    ],
    [
      'linux-4.2 lazy, linux-4.8 lazy, linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=sse=kernel:1 owner=A image=sse=A:1 fpregs_active=1 fpstate_active=1',
      'fpregs sse=kernel:1 -> sse=A:1, in_kernel_fpu 1 -> 0',
    ],
    [
      'linux-4.14',
      'TS=0 fpregs=sse=kernel:1 owner=A image=sse=A:1 initialized=1',
      'fpregs sse=kernel:1 -> sse=A:1, in_kernel_fpu 1 -> 0',
    ],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=kernel:1 owner=nobody image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      'in_kernel_fpu 1 -> 0',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=kernel:1 owner=nobody image=sse=A:1 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=1',
      'in_kernel_fpu 1 -> 0',
    ],
    ['refresh-fpu', 'TS=0 fpregs=sse=kernel:1 owner=nobody image=sse=A:1 TIF_REFRESH_FPU=1', 'in_kernel_fpu 1 -> 0'],
  ],
  'kernel_fpu_end, registers not its own': [
    ['linux-2.6.32', 'TS=0 fpregs=sse=kernel:1 image=sse=A:1 TS_USEDFPU=0 PF_USED_MATH=1', 'TS 0 -> 1'],
    ['linux-3.6', 'TS=0 fpregs=sse=kernel:1 owner=nobody image=sse=A:1 has_fpu=0 PF_USED_MATH=1', 'TS 0 -> 1'],
    [
      'linux-4.1 lazy',
      'TS=0 fpregs=sse=kernel:1 owner=nobody image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'TS 0 -> 1, in_kernel_fpu 1 -> 0',
    ],
    [
      'linux-4.2 lazy, linux-4.8 lazy',
      'TS=0 fpregs=sse=kernel:1 owner=nobody image=sse=A:1 fpregs_active=0 fpstate_active=1',
      'TS 0 -> 1, in_kernel_fpu 1 -> 0',
    ],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=kernel:1 owner=nobody image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      'in_kernel_fpu 1 -> 0',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=kernel:1 owner=nobody image=sse=A:1 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=1',
      'in_kernel_fpu 1 -> 0',
    ],
    ['refresh-fpu', 'TS=0 fpregs=sse=kernel:1 owner=nobody image=sse=A:1 TIF_REFRESH_FPU=1', 'in_kernel_fpu 1 -> 0'],
  ],
};
