/** Cells of the table: register sets. */
import type { Row } from '../cells';

export const REGSETS_ROWS: Readonly<Record<string, readonly Row[]>> = {
  'ptrace read (stopped)': [
    ['linux-2.6.32', 'TS=1 fpregs=sse=A:1 image=sse=A:1 TS_USEDFPU=0 PF_USED_MATH=1', ''],
    [
      'linux-3.6, linux-4.1 lazy',
      'TS=1 fpregs=sse=A:1 owner=A image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'A.last_cpu cpu0 -> none',
    ],
    ['linux-4.2 lazy', 'TS=1 fpregs=sse=A:1 owner=A image=sse=A:1 fpregs_active=0 fpstate_active=1', ''],
    [
      'linux-4.8 lazy, linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=INIT owner=D image=sse=A:1 fpregs_active=0 fpstate_active=1',
      '',
    ],
    ['linux-4.1 eager', 'TS=0 fpregs=INIT owner=D image=sse=A:1 has_fpu=0 PF_USED_MATH=1', 'A.last_cpu cpu0 -> none'],
    ['linux-4.14', 'TS=0 fpregs=INIT owner=D image=sse=A:1 initialized=1', ''],
    ['linux-5.2, linux-5.14, linux-6.1, linux-6.12', 'TS=0 fpregs=INIT owner=D image=sse=A:1 TIF_NEED_FPU_LOAD=0', ''],
    ['rfc-2016', 'TS=0 fpregs=INIT owner=D image=sse=A:1 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=0', ''],
    ['refresh-fpu', 'TS=0 fpregs=INIT owner=D image=sse=A:1 TIF_REFRESH_FPU=1', ''],
  ],
  'ptrace read (stopped), a target that has no FPU state yet': [
    [
      'linux-2.6.32',
      'TS=1 fpregs=INIT image=none TS_USEDFPU=0 PF_USED_MATH=0',
      'A.image none -> INIT, A.PF_USED_MATH 0 -> 1',
    ],
    [
      'linux-3.6, linux-4.1 lazy',
      'TS=1 fpregs=INIT owner=nobody image=none has_fpu=0 PF_USED_MATH=0',
      'A.image none -> INIT, A.PF_USED_MATH 0 -> 1',
    ],
    [
      'linux-4.2 lazy',
      'TS=1 fpregs=INIT owner=nobody image=INIT fpregs_active=0 fpstate_active=0',
      'A.fpstate_active 0 -> 1',
    ],
    ['linux-4.8 lazy', 'TS=0 fpregs=INIT owner=D image=INIT fpregs_active=0 fpstate_active=1', ''],
  ],
  'ptrace write': [
    [
      'linux-2.6.32',
      'TS=1 fpregs=sse=A:1 image=sse=A:1 TS_USEDFPU=0 PF_USED_MATH=1',
      'A.image sse=A:1 -> x87=A:2 sse=A:2',
    ],
    [
      'linux-3.6, linux-4.1 lazy',
      'TS=1 fpregs=sse=A:1 owner=A image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'A.image sse=A:1 -> x87=A:2 sse=A:2 avx=A:2, A.last_cpu cpu0 -> none',
    ],
    [
      'linux-4.2 lazy',
      'TS=1 fpregs=sse=A:1 owner=A image=sse=A:1 fpregs_active=0 fpstate_active=1',
      'A.image sse=A:1 -> x87=A:2 sse=A:2 avx=A:2, A.last_cpu cpu0 -> none',
    ],
    [
      'linux-4.8 lazy, linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=INIT owner=D image=sse=A:1 fpregs_active=0 fpstate_active=1',
      'A.image sse=A:1 -> x87=A:2 sse=A:2 avx=A:2, A.last_cpu cpu0 -> none',
    ],
    [
      'linux-4.1 eager',
      'TS=0 fpregs=INIT owner=D image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'A.image sse=A:1 -> x87=A:2 sse=A:2 avx=A:2, A.last_cpu cpu0 -> none',
    ],
    [
      'linux-4.14',
      'TS=0 fpregs=INIT owner=D image=sse=A:1 initialized=1',
      'A.image sse=A:1 -> x87=A:2 sse=A:2 avx=A:2, A.last_cpu cpu0 -> none',
    ],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=INIT owner=D image=sse=A:1 TIF_NEED_FPU_LOAD=0',
      'A.image sse=A:1 -> x87=A:2 sse=A:2 avx=A:2, A.last_cpu cpu0 -> none',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=INIT owner=D image=sse=A:1 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=0',
      'A.image sse=A:1 -> x87=A:2 sse=A:2 avx=A:2, A.last_cpu cpu0 -> none',
    ],
    [
      'refresh-fpu',
      'TS=0 fpregs=INIT owner=D image=sse=A:1 TIF_REFRESH_FPU=1',
      'A.image sse=A:1 -> x87=A:2 sse=A:2 avx=A:2, A.last_cpu cpu0 -> none',
    ],
  ],
  'ptrace write, of a header that XRSTOR would refuse': [
    [
      'linux-3.6, linux-4.1 lazy',
      'TS=1 fpregs=sse=A:1 owner=A image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'A.image sse=A:1 -> x87=A:2 sse=A:2 avx=A:2, A.last_cpu cpu0 -> none',
    ],
    [
      'linux-4.2 lazy',
      'TS=1 fpregs=sse=A:1 owner=A image=sse=A:1 fpregs_active=0 fpstate_active=1',
      'A.image sse=A:1 -> INIT, A.last_cpu cpu0 -> none',
    ],
    [
      'linux-4.8 lazy, linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=INIT owner=D image=sse=A:1 fpregs_active=0 fpstate_active=1',
      'A.image sse=A:1 -> INIT, A.last_cpu cpu0 -> none',
    ],
    [
      'linux-4.1 eager',
      'TS=0 fpregs=INIT owner=D image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'A.image sse=A:1 -> x87=A:2 sse=A:2 avx=A:2, A.last_cpu cpu0 -> none',
    ],
    [
      'linux-4.14',
      'TS=0 fpregs=INIT owner=D image=sse=A:1 initialized=1',
      'A.image sse=A:1 -> INIT, A.last_cpu cpu0 -> none',
    ],
    [
      'linux-5.2',
      'TS=0 fpregs=INIT owner=D image=sse=A:1 TIF_NEED_FPU_LOAD=0',
      'A.image sse=A:1 -> INIT, A.last_cpu cpu0 -> none',
    ],
    [
      'linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=INIT owner=D image=sse=A:1 TIF_NEED_FPU_LOAD=0',
      'A.last_cpu cpu0 -> none',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=INIT owner=D image=sse=A:1 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=0',
      'A.image sse=A:1 -> INIT, A.last_cpu cpu0 -> none',
    ],
    ['refresh-fpu', 'TS=0 fpregs=INIT owner=D image=sse=A:1 TIF_REFRESH_FPU=1', 'A.last_cpu cpu0 -> none'],
  ],
  'core dump (current), registers in use': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=A:1 image=INIT TS_USEDFPU=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.image INIT -> sse=A:1, A.TS_USEDFPU 1 -> 0',
    ],
    [
      'linux-3.6, linux-4.1 lazy',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.image INIT -> sse=A:1, A.has_fpu 1 -> 0, fpu_owner_task A -> nobody',
    ],
    [
      'linux-4.2 lazy, linux-4.8 lazy, linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'A.image INIT -> sse=A:1',
    ],
    ['linux-4.1 eager', 'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1', 'A.image INIT -> sse=A:1'],
    ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=INIT initialized=1', 'A.image INIT -> sse=A:1'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
      'A.image INIT -> sse=A:1',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1 TIF_LOAD_FPU=0',
      'A.image INIT -> sse=A:1',
    ],
    [
      'refresh-fpu',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_REFRESH_FPU=0',
      'A.believed 1 -> 2a, A.image INIT -> sse=A:1, A.memory_valid 0 -> 1, A.TIF_REFRESH_FPU 0 -> 1',
    ],
  ],
  'core dump (current), registers not its own': [
    ['linux-2.6.32', 'TS=1 fpregs=sse=B:1 image=sse=A:1 TS_USEDFPU=0 PF_USED_MATH=1', 'A.fpu_counter 1 -> 0'],
    [
      'linux-3.6',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'A.last_cpu cpu0 -> none, A.fpu_counter 1 -> 0',
    ],
    ['linux-4.1 lazy', 'TS=1 fpregs=sse=B:1 owner=B image=sse=A:1 has_fpu=0 PF_USED_MATH=1', 'A.last_cpu cpu0 -> none'],
    [
      'linux-4.2 lazy, linux-4.8 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:1 fpregs_active=0 fpstate_active=1',
      '',
    ],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      '',
    ],
    ['rfc-2016', 'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=1', ''],
    ['refresh-fpu', 'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_REFRESH_FPU=1', ''],
  ],
};
