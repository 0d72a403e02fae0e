/** Cells of the table: #NM and the return to user code. */
import type { Row } from '../cells';

export const TRAP_ROWS: Readonly<Record<string, readonly Row[]>> = {
  '#NM, first use': [
    [
      'linux-2.6.32',
      'TS=1 fpregs=sse=A:1 image=none TS_USEDFPU=0 PF_USED_MATH=0',
      'TS 1 -> 0, fpregs sse=A:1 -> INIT, B.image none -> INIT, B.TS_USEDFPU 0 -> 1, B.PF_USED_MATH 0 -> 1, B.fpu_counter 0 -> 1',
    ],
    [
      'linux-3.6, linux-4.1 lazy',
      'TS=1 fpregs=sse=A:1 owner=A image=none has_fpu=0 PF_USED_MATH=0',
      'TS 1 -> 0, fpregs sse=A:1 -> INIT, B.image none -> INIT, B.has_fpu 0 -> 1, B.PF_USED_MATH 0 -> 1, B.fpu_counter 0 -> 1, fpu_owner_task A -> B',
    ],
    [
      'linux-4.2 lazy',
      'TS=1 fpregs=sse=A:1 owner=A image=INIT fpregs_active=0 fpstate_active=0',
      'TS 1 -> 0, fpregs sse=A:1 -> INIT, B.fpregs_active 0 -> 1, B.fpstate_active 0 -> 1, B.counter 0 -> 1, fpu_fpregs_owner_ctx A -> B',
    ],
    [
      'linux-4.8 lazy',
      'TS=1 fpregs=INIT owner=B image=INIT fpregs_active=0 fpstate_active=1',
      'TS 1 -> 0, B.fpregs_active 0 -> 1, B.counter 0 -> 1',
    ],
  ],
  '#NM, later use': [
    [
      'linux-2.6.32',
      'TS=1 fpregs=sse=B:1 image=sse=A:1 TS_USEDFPU=0 PF_USED_MATH=1',
      'TS 1 -> 0, fpregs sse=B:1 -> sse=A:1, A.TS_USEDFPU 0 -> 1, A.fpu_counter 1 -> 2',
    ],
    [
      'linux-3.6, linux-4.1 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'TS 1 -> 0, fpregs sse=B:1 -> sse=A:1, A.has_fpu 0 -> 1, A.fpu_counter 1 -> 2, fpu_owner_task B -> A',
    ],
    [
      'linux-4.2 lazy, linux-4.8 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:1 fpregs_active=0 fpstate_active=1',
      'TS 1 -> 0, fpregs sse=B:1 -> sse=A:1, A.fpregs_active 0 -> 1, A.counter 1 -> 2, fpu_fpregs_owner_ctx B -> A',
    ],
  ],
  '#NM, because somebody has set TS': [
    ['linux-4.14', 'TS=1 fpregs=INIT owner=A image=INIT initialized=1', 'TS 1 -> 0'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=1 fpregs=INIT owner=nobody image=INIT TIF_NEED_FPU_LOAD=1',
      'TS 1 -> 0',
    ],
    ['refresh-fpu', 'TS=1 fpregs=INIT owner=nobody image=INIT TIF_REFRESH_FPU=0', 'TS 1 -> 0'],
  ],
  "exit to user, registers are another task's": [
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      'fpregs sse=B:1 -> sse=A:1, A.TIF_NEED_FPU_LOAD 1 -> 0, fpu_fpregs_owner_ctx B -> A',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=1',
      'fpregs sse=B:1 -> sse=A:1, A.fpregs_active 0 -> 1, A.TIF_LOAD_FPU 1 -> 0, A.cached_flags 1 -> 0, fpu_fpregs_owner_ctx B -> A',
    ],
    [
      'refresh-fpu',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_REFRESH_FPU=1',
      'fpregs sse=B:1 -> sse=A:1, A.believed 2b -> 1, B.believed 2a -> 2b, fpregs_owner B -> A, A.memory_valid 1 -> 0, A.TIF_REFRESH_FPU 1 -> 0',
    ],
  ],
  'exit to user, registers are still its own': [
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      'A.TIF_NEED_FPU_LOAD 1 -> 0',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=1',
      'A.fpregs_active 0 -> 1, A.TIF_LOAD_FPU 1 -> 0, A.cached_flags 1 -> 0',
    ],
    [
      'refresh-fpu',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 TIF_REFRESH_FPU=1',
      'A.believed 2a -> 1, A.memory_valid 1 -> 0, A.TIF_REFRESH_FPU 1 -> 0',
    ],
  ],
};
