/** Cells of the table: signal frames. */
import type { Row } from '../cells';

export const SIGNALS_ROWS: Readonly<Record<string, readonly Row[]>> = {
  'signal delivery, registers in use: the frame': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=A:1 image=INIT TS_USEDFPU=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.frame INIT -> sse=A:1, A.TS_USEDFPU 1 -> 0, A.PF_USED_MATH 1 -> 0',
    ],
    [
      'linux-3.6',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.frame INIT -> sse=A:1, A.has_fpu 1 -> 0, A.PF_USED_MATH 1 -> 0, fpu_owner_task A -> nobody',
    ],
    [
      'linux-4.1 lazy, linux-4.1 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'A.frame INIT -> sse=A:1',
    ],
    [
      'linux-4.2 lazy, linux-4.8 lazy, linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'A.frame INIT -> sse=A:1',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=INIT initialized=1', 'A.frame INIT -> sse=A:1'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
      'A.frame INIT -> sse=A:1',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1 TIF_LOAD_FPU=0',
      'A.image INIT -> sse=A:1, A.frame INIT -> sse=A:1',
    ],
    [
      'refresh-fpu',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_REFRESH_FPU=0',
      'A.believed 1 -> 2a, A.image INIT -> sse=A:1, A.frame INIT -> sse=A:1, A.memory_valid 0 -> 1, A.TIF_REFRESH_FPU 0 -> 1',
    ],
  ],
  'signal delivery, preempted before: the frame': [
    [
      'linux-2.6.32',
      'TS=1 fpregs=sse=B:1 image=sse=A:1 TS_USEDFPU=0 PF_USED_MATH=1',
      'A.frame INIT -> sse=A:1, A.PF_USED_MATH 1 -> 0',
    ],
    [
      'linux-3.6',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'A.frame INIT -> sse=A:1, A.PF_USED_MATH 1 -> 0',
    ],
    ['linux-4.1 lazy', 'TS=1 fpregs=sse=B:1 owner=B image=sse=A:1 has_fpu=0 PF_USED_MATH=1', 'A.frame INIT -> sse=A:1'],
    [
      'linux-4.2 lazy, linux-4.8 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:1 fpregs_active=0 fpstate_active=1',
      'A.frame INIT -> sse=A:1',
    ],
    [
      'linux-4.1 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 has_fpu=1 PF_USED_MATH=1',
      'A.frame INIT -> sse=A:1',
    ],
    [
      'linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 fpregs_active=1 fpstate_active=1',
      'A.frame INIT -> sse=A:1',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 initialized=1', 'A.frame INIT -> sse=A:1'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      'fpregs sse=B:1 -> sse=A:1, A.frame INIT -> sse=A:1, A.TIF_NEED_FPU_LOAD 1 -> 0, fpu_fpregs_owner_ctx B -> A',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=1',
      'A.frame INIT -> sse=A:1',
    ],
    ['refresh-fpu', 'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_REFRESH_FPU=1', 'A.frame INIT -> sse=A:1'],
  ],
  "signal delivery, registers in use: the handler's state": [
    ['linux-2.6.32', 'TS=1 fpregs=sse=A:1 image=INIT TS_USEDFPU=0 PF_USED_MATH=0', ''],
    ['linux-3.6', 'TS=1 fpregs=sse=A:1 owner=nobody image=INIT has_fpu=0 PF_USED_MATH=0', ''],
    [
      'linux-4.1 lazy',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.has_fpu 1 -> 0, A.PF_USED_MATH 1 -> 0, A.fpu_counter 1 -> 0, fpu_owner_task A -> nobody',
    ],
    [
      'linux-4.2 lazy',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'TS 0 -> 1, A.fpregs_active 1 -> 0, A.fpstate_active 1 -> 0, A.counter 1 -> 0, fpu_fpregs_owner_ctx A -> nobody',
    ],
    [
      'linux-4.8 lazy, linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'fpregs sse=A:1 -> INIT',
    ],
    ['linux-4.1 eager', 'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1', 'fpregs sse=A:1 -> INIT'],
    ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=INIT initialized=1', 'fpregs sse=A:1 -> INIT'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
      'fpregs sse=A:1 -> INIT',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 fpregs_active=1 fpstate_active=1 TIF_LOAD_FPU=0',
      'A.image sse=A:1 -> INIT, A.fpregs_active 1 -> 0, A.TIF_LOAD_FPU 0 -> 1, fpu_fpregs_owner_ctx A -> nobody',
    ],
    [
      'refresh-fpu',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 TIF_REFRESH_FPU=1',
      'A.believed 2a -> 2b, A.image sse=A:1 -> INIT, A.last_cpu cpu0 -> none',
    ],
  ],
  'sigreturn, registers in use': [
    ['linux-2.6.32', 'TS=0 fpregs=sse=A:2 image=INIT TS_USEDFPU=1 PF_USED_MATH=1', 'fpregs sse=A:2 -> sse=A:1'],
    [
      'linux-3.6, linux-4.1 lazy, linux-4.1 eager',
      'TS=0 fpregs=sse=A:2 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'fpregs sse=A:2 -> sse=A:1',
    ],
    [
      'linux-4.2 lazy, linux-4.8 lazy, linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=sse=A:2 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'fpregs sse=A:2 -> sse=A:1',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:2 owner=A image=INIT initialized=1', 'fpregs sse=A:2 -> sse=A:1'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:2 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
      'fpregs sse=A:2 -> sse=A:1',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=A:2 owner=A image=INIT fpregs_active=1 fpstate_active=1 TIF_LOAD_FPU=0',
      'A.image INIT -> sse=A:1, A.fpregs_active 1 -> 0, A.TIF_LOAD_FPU 0 -> 1, fpu_fpregs_owner_ctx A -> nobody',
    ],
    [
      'refresh-fpu',
      'TS=0 fpregs=sse=A:2 owner=A image=INIT TIF_REFRESH_FPU=0',
      'A.believed 1 -> 2b, A.image INIT -> sse=A:1, A.last_cpu cpu0 -> none, A.memory_valid 0 -> 1, A.TIF_REFRESH_FPU 0 -> 1',
    ],
  ],
  'sigreturn, preempted before': [
    [
      'linux-2.6.32',
      'TS=1 fpregs=sse=B:1 image=sse=A:2 TS_USEDFPU=0 PF_USED_MATH=1',
      'TS 1 -> 0, fpregs sse=B:1 -> sse=A:1, A.TS_USEDFPU 0 -> 1',
    ],
    [
      'linux-3.6, linux-4.1 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:2 has_fpu=0 PF_USED_MATH=1',
      'TS 1 -> 0, fpregs sse=B:1 -> sse=A:1, A.has_fpu 0 -> 1, fpu_owner_task B -> A',
    ],
    [
      'linux-4.2 lazy, linux-4.8 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:2 fpregs_active=0 fpstate_active=1',
      'TS 1 -> 0, fpregs sse=B:1 -> sse=A:1, A.fpregs_active 0 -> 1, fpu_fpregs_owner_ctx B -> A',
    ],
    [
      'linux-4.1 eager',
      'TS=0 fpregs=sse=A:2 owner=A image=sse=A:2 has_fpu=1 PF_USED_MATH=1',
      'fpregs sse=A:2 -> sse=A:1',
    ],
    [
      'linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=sse=A:2 owner=A image=sse=A:2 fpregs_active=1 fpstate_active=1',
      'fpregs sse=A:2 -> sse=A:1',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:2 owner=A image=sse=A:2 initialized=1', 'fpregs sse=A:2 -> sse=A:1'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:2 TIF_NEED_FPU_LOAD=1',
      'fpregs sse=B:1 -> sse=A:1, A.TIF_NEED_FPU_LOAD 1 -> 0, fpu_fpregs_owner_ctx B -> A',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:2 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=1',
      'A.image sse=A:2 -> sse=A:1, A.last_cpu cpu0 -> none',
    ],
    [
      'refresh-fpu',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:2 TIF_REFRESH_FPU=1',
      'A.image sse=A:2 -> sse=A:1, A.last_cpu cpu0 -> none',
    ],
  ],
  'sigreturn, a page of the frame is missing and comes; XRSTOR had loaded SSE': [
    [
      'linux-2.6.32',
      'TS=1 fpregs=sse=B:1 image=sse=A:2 TS_USEDFPU=0 PF_USED_MATH=1',
      'TS 1 -> 0, fpregs sse=B:1 -> sse=A:1, A.TS_USEDFPU 0 -> 1',
    ],
    [
      'linux-3.6, linux-4.1 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:2 has_fpu=0 PF_USED_MATH=1',
      'TS 1 -> 0, fpregs sse=B:1 -> sse=A:1, A.has_fpu 0 -> 1, fpu_owner_task B -> A',
    ],
    [
      'linux-4.2 lazy, linux-4.8 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:2 fpregs_active=0 fpstate_active=1',
      'TS 1 -> 0, fpregs sse=B:1 -> sse=A:1, A.fpregs_active 0 -> 1, fpu_fpregs_owner_ctx B -> A',
    ],
    [
      'linux-4.1 eager',
      'TS=0 fpregs=sse=A:2 owner=A image=sse=A:2 has_fpu=1 PF_USED_MATH=1',
      'fpregs sse=A:2 -> sse=A:1',
    ],
    [
      'linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=sse=A:2 owner=A image=sse=A:2 fpregs_active=1 fpstate_active=1',
      'fpregs sse=A:2 -> sse=A:1',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:2 owner=A image=sse=A:2 initialized=1', 'fpregs sse=A:2 -> sse=A:1'],
    [
      'linux-5.2',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:2 TIF_NEED_FPU_LOAD=1',
      'fpregs sse=B:1 -> sse=A:1, A.image sse=A:2 -> sse=A:1, A.TIF_NEED_FPU_LOAD 1 -> 0, fpu_fpregs_owner_ctx B -> A',
    ],
    [
      'linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:2 TIF_NEED_FPU_LOAD=1',
      'fpregs sse=B:1 -> sse=A:1, A.TIF_NEED_FPU_LOAD 1 -> 0, fpu_fpregs_owner_ctx B -> A',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:2 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=1',
      'A.image sse=A:2 -> sse=A:1, A.last_cpu cpu0 -> none',
    ],
    [
      'refresh-fpu',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:2 TIF_REFRESH_FPU=1',
      'A.image sse=A:2 -> sse=A:1, A.last_cpu cpu0 -> none',
    ],
  ],
  'sigreturn, forged frame': [
    ['linux-2.6.32', 'TS=1 fpregs=sse=B:1 image=sse=A:2 TS_USEDFPU=0 PF_USED_MATH=1', 'A.PF_USED_MATH 1 -> 0'],
    [
      'linux-3.6',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:2 has_fpu=0 PF_USED_MATH=1',
      'A.PF_USED_MATH 1 -> 0, fpu_owner_task B -> nobody',
    ],
    [
      'linux-4.1 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:2 has_fpu=0 PF_USED_MATH=1',
      'A.PF_USED_MATH 1 -> 0, A.fpu_counter 1 -> 0, fpu_owner_task B -> nobody',
    ],
    [
      'linux-4.2 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:2 fpregs_active=0 fpstate_active=1',
      'A.fpstate_active 1 -> 0, A.counter 1 -> 0, fpu_fpregs_owner_ctx B -> nobody',
    ],
    [
      'linux-4.8 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:2 fpregs_active=0 fpstate_active=1',
      'TS 1 -> 0, fpregs sse=B:1 -> INIT, A.image sse=A:2 -> INIT, A.fpregs_active 0 -> 1, fpu_fpregs_owner_ctx B -> A',
    ],
    ['linux-4.1 eager', 'TS=0 fpregs=sse=A:2 owner=A image=sse=A:2 has_fpu=1 PF_USED_MATH=1', 'fpregs sse=A:2 -> INIT'],
    [
      'linux-4.2 eager',
      'TS=0 fpregs=sse=A:2 owner=A image=sse=A:2 fpregs_active=1 fpstate_active=1',
      'fpregs sse=A:2 -> INIT',
    ],
    [
      'linux-4.8 eager',
      'TS=0 fpregs=sse=A:2 owner=A image=sse=A:2 fpregs_active=1 fpstate_active=1',
      'fpregs sse=A:2 -> INIT, A.image sse=A:2 -> INIT, A.counter 1 -> 0',
    ],
    [
      'linux-4.14',
      'TS=0 fpregs=sse=A:2 owner=A image=sse=A:2 initialized=1',
      'fpregs sse=A:2 -> INIT, A.image sse=A:2 -> INIT',
    ],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:2 TIF_NEED_FPU_LOAD=1',
      'fpregs sse=B:1 -> INIT, A.TIF_NEED_FPU_LOAD 1 -> 0, fpu_fpregs_owner_ctx B -> A',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:2 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=1',
      'A.image sse=A:2 -> sse=A:1, A.last_cpu cpu0 -> none',
    ],
    [
      'refresh-fpu',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:2 TIF_REFRESH_FPU=1',
      'A.image sse=A:2 -> sse=A:1, A.last_cpu cpu0 -> none',
    ],
  ],
  'sigreturn, a frame without FPU state': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=A:1 image=INIT TS_USEDFPU=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.TS_USEDFPU 1 -> 0, A.PF_USED_MATH 1 -> 0',
    ],
    [
      'linux-3.6',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.has_fpu 1 -> 0, A.PF_USED_MATH 1 -> 0, fpu_owner_task A -> nobody',
    ],
    [
      'linux-4.1 lazy',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.has_fpu 1 -> 0, A.PF_USED_MATH 1 -> 0, A.fpu_counter 1 -> 0, fpu_owner_task A -> nobody',
    ],
    [
      'linux-4.2 lazy',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'TS 0 -> 1, A.fpregs_active 1 -> 0, A.fpstate_active 1 -> 0, A.counter 1 -> 0, fpu_fpregs_owner_ctx A -> nobody',
    ],
  ],
};
