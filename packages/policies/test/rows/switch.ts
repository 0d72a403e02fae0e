/** Cells of the table: CPUs that come up, context switches, kernel threads. */
import type { Row } from '../cells';

export const SWITCH_ROWS: Readonly<Record<string, readonly Row[]>> = {
  'CPU up': [
    ['linux-4.1 eager', 'TS=1 fpregs=INIT owner=nobody image=none has_fpu=0 PF_USED_MATH=0', 'TS 1 -> 0'],
    [
      'linux-4.2 eager, linux-4.8 eager',
      'TS=1 fpregs=INIT owner=nobody image=INIT fpregs_active=0 fpstate_active=0',
      'TS 1 -> 0',
    ],
    ['linux-4.14', 'TS=1 fpregs=INIT owner=nobody image=INIT initialized=0', 'TS 1 -> 0'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=1 fpregs=INIT owner=nobody image=INIT TIF_NEED_FPU_LOAD=1',
      'TS 1 -> 0',
    ],
    [
      'rfc-2016',
      'TS=1 fpregs=INIT owner=nobody image=INIT fpregs_active=0 fpstate_active=0 TIF_LOAD_FPU=0',
      'TS 1 -> 0',
    ],
    ['refresh-fpu', 'TS=1 fpregs=INIT owner=nobody image=INIT TIF_REFRESH_FPU=0', 'TS 1 -> 0'],
  ],
  'switch-out, registers in use': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=A:1 image=INIT TS_USEDFPU=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.image INIT -> sse=A:1, A.TS_USEDFPU 1 -> 0',
    ],
    [
      'linux-3.6, linux-4.1 lazy',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.image INIT -> sse=A:1, A.has_fpu 1 -> 0, A.last_cpu none -> cpu0',
    ],
    [
      'linux-4.2 lazy',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'TS 0 -> 1, A.image INIT -> sse=A:1, A.fpregs_active 1 -> 0, A.last_cpu none -> cpu0',
    ],
    [
      'linux-4.8 lazy',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'TS 0 -> 1, A.image INIT -> sse=A:1, A.fpregs_active 1 -> 0',
    ],
    [
      'linux-4.1 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'A.image INIT -> sse=A:1, A.has_fpu 1 -> 0, B.has_fpu 0 -> 1, B.fpu_counter 0 -> 1, fpu_owner_task A -> B, preload 0 -> 1',
    ],
    [
      'linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'A.image INIT -> sse=A:1, A.fpregs_active 1 -> 0, B.fpregs_active 0 -> 1, B.counter 0 -> 1, fpu_fpregs_owner_ctx A -> B, preload 0 -> 1',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=INIT initialized=1', 'A.image INIT -> sse=A:1'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
      'A.image INIT -> sse=A:1',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1 TIF_LOAD_FPU=0',
      'A.image INIT -> sse=A:1, A.fpregs_active 1 -> 0',
    ],
    [
      'refresh-fpu',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_REFRESH_FPU=0',
      'A.believed 1 -> 2a, A.image INIT -> sse=A:1, A.memory_valid 0 -> 1, A.TIF_REFRESH_FPU 0 -> 1',
    ],
  ],
  'switch-out, a slice without FPU use': [
    ['linux-2.6.32', 'TS=1 fpregs=sse=A:1 image=sse=A:1 TS_USEDFPU=0 PF_USED_MATH=1', 'A.fpu_counter 1 -> 0'],
    [
      'linux-3.6, linux-4.1 lazy',
      'TS=1 fpregs=sse=A:1 owner=A image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'A.last_cpu cpu0 -> none, A.fpu_counter 1 -> 0',
    ],
    [
      'linux-4.2 lazy, linux-4.8 lazy',
      'TS=1 fpregs=sse=A:1 owner=A image=sse=A:1 fpregs_active=0 fpstate_active=1',
      'A.last_cpu cpu0 -> none, A.counter 1 -> 0',
    ],
    [
      'linux-4.1 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 has_fpu=1 PF_USED_MATH=1',
      'A.has_fpu 1 -> 0, B.has_fpu 0 -> 1, B.fpu_counter 1 -> 2, fpu_owner_task A -> B, preload 0 -> 1',
    ],
    [
      'linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 fpregs_active=1 fpstate_active=1',
      'A.fpregs_active 1 -> 0, B.fpregs_active 0 -> 1, B.counter 1 -> 2, fpu_fpregs_owner_ctx A -> B, preload 0 -> 1',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 initialized=1', ''],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 TIF_NEED_FPU_LOAD=0',
      '',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 fpregs_active=1 fpstate_active=1 TIF_LOAD_FPU=0',
      'A.fpregs_active 1 -> 0',
    ],
    [
      'refresh-fpu',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 TIF_REFRESH_FPU=0',
      'A.believed 1 -> 2a, A.memory_valid 0 -> 1, A.TIF_REFRESH_FPU 0 -> 1',
    ],
  ],
  'switch-out of a task that is preempted in the kernel before its registers are loaded again': [
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      '',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=1',
      'A.last_cpu cpu0 -> none',
    ],
    ['refresh-fpu', 'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_REFRESH_FPU=1', ''],
  ],
  'switch-out to a task that is preloaded': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=B:6 image=sse=B:5 TS_USEDFPU=1 PF_USED_MATH=1',
      'B.image sse=B:5 -> sse=B:6, B.TS_USEDFPU 1 -> 0, preload_fpu 0 -> 1',
    ],
    [
      'linux-3.6, linux-4.1 lazy',
      'TS=0 fpregs=sse=B:6 owner=B image=sse=B:5 has_fpu=1 PF_USED_MATH=1',
      'B.image sse=B:5 -> sse=B:6, A.has_fpu 0 -> 1, B.has_fpu 1 -> 0, A.fpu_counter 6 -> 7, fpu_owner_task B -> A, preload 0 -> 1',
    ],
    [
      'linux-4.2 lazy, linux-4.8 lazy',
      'TS=0 fpregs=sse=B:6 owner=B image=sse=B:5 fpregs_active=1 fpstate_active=1',
      'B.image sse=B:5 -> sse=B:6, A.fpregs_active 0 -> 1, B.fpregs_active 1 -> 0, A.counter 6 -> 7, fpu_fpregs_owner_ctx B -> A, preload 0 -> 1',
    ],
  ],
  'switch-out of a task without registers to one that is preloaded and owner': [
    ['linux-2.6.32', 'TS=1 fpregs=sse=A:6 image=sse=A:6 TS_USEDFPU=0 PF_USED_MATH=1', 'TS 1 -> 0, preload_fpu 0 -> 1'],
    [
      'linux-3.6, linux-4.1 lazy',
      'TS=1 fpregs=sse=A:6 owner=A image=sse=A:6 has_fpu=0 PF_USED_MATH=1',
      'TS 1 -> 0, A.has_fpu 0 -> 1, A.fpu_counter 6 -> 7',
    ],
    [
      'linux-4.2 lazy, linux-4.8 lazy',
      'TS=1 fpregs=sse=A:6 owner=A image=sse=A:6 fpregs_active=0 fpstate_active=1',
      'TS 1 -> 0, A.fpregs_active 0 -> 1, A.counter 6 -> 7',
    ],
  ],
  'switch-in, not preloaded': [
    ['linux-2.6.32', 'TS=1 fpregs=sse=A:1 image=none TS_USEDFPU=0 PF_USED_MATH=0', ''],
    ['linux-3.6, linux-4.1 lazy', 'TS=1 fpregs=sse=A:1 owner=A image=none has_fpu=0 PF_USED_MATH=0', ''],
    ['linux-4.2 lazy', 'TS=1 fpregs=sse=A:1 owner=A image=INIT fpregs_active=0 fpstate_active=0', ''],
    ['linux-4.8 lazy', 'TS=1 fpregs=sse=A:1 owner=A image=INIT fpregs_active=0 fpstate_active=1', ''],
  ],
  'switch-in, preloaded': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=B:6 image=sse=A:6 TS_USEDFPU=0 PF_USED_MATH=1',
      'fpregs sse=B:6 -> sse=A:6, A.TS_USEDFPU 0 -> 1, A.fpu_counter 6 -> 7, preload_fpu 1 -> 0',
    ],
    [
      'linux-3.6, linux-4.1 lazy',
      'TS=0 fpregs=sse=B:6 owner=A image=sse=A:6 has_fpu=1 PF_USED_MATH=1',
      'fpregs sse=B:6 -> sse=A:6, preload 1 -> 0',
    ],
    [
      'linux-4.2 lazy, linux-4.8 lazy',
      'TS=0 fpregs=sse=B:6 owner=A image=sse=A:6 fpregs_active=1 fpstate_active=1',
      'fpregs sse=B:6 -> sse=A:6, preload 1 -> 0',
    ],
  ],
  'switch-in, another task was the owner': [
    [
      'linux-4.1 eager',
      'TS=0 fpregs=sse=B:1 owner=A image=sse=A:1 has_fpu=1 PF_USED_MATH=1',
      'fpregs sse=B:1 -> sse=A:1, preload 1 -> 0',
    ],
    [
      'linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=sse=B:1 owner=A image=sse=A:1 fpregs_active=1 fpstate_active=1',
      'fpregs sse=B:1 -> sse=A:1, preload 1 -> 0',
    ],
    [
      'linux-4.14',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 initialized=1',
      'fpregs sse=B:1 -> sse=A:1, fpu_fpregs_owner_ctx B -> A',
    ],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_NEED_FPU_LOAD=0',
      'A.TIF_NEED_FPU_LOAD 0 -> 1',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=0',
      'A.TIF_LOAD_FPU 0 -> 1',
    ],
    ['refresh-fpu', 'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_REFRESH_FPU=1', ''],
  ],
  'switch-in, the registers are still its own': [
    ['linux-4.1 eager', 'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 has_fpu=1 PF_USED_MATH=1', ''],
    [
      'linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 fpregs_active=1 fpstate_active=1',
      '',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 initialized=1', ''],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 TIF_NEED_FPU_LOAD=0',
      'A.TIF_NEED_FPU_LOAD 0 -> 1',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=0',
      'A.TIF_LOAD_FPU 0 -> 1',
    ],
    ['refresh-fpu', 'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 TIF_REFRESH_FPU=1', ''],
  ],
  'kthread runs: switch-in': [
    ['linux-2.6.32', 'TS=1 fpregs=sse=A:1 image=sse=A:1 TS_USEDFPU=0 PF_USED_MATH=1', ''],
    ['linux-3.6, linux-4.1 lazy', 'TS=1 fpregs=sse=A:1 owner=A image=sse=A:1 has_fpu=0 PF_USED_MATH=1', ''],
    [
      'linux-4.2 lazy, linux-4.8 lazy',
      'TS=1 fpregs=sse=A:1 owner=A image=sse=A:1 fpregs_active=0 fpstate_active=1',
      '',
    ],
    ['linux-4.1 eager', 'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 has_fpu=0 PF_USED_MATH=1', ''],
    [
      'linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 fpregs_active=0 fpstate_active=1',
      '',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 initialized=1', ''],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 TIF_NEED_FPU_LOAD=0',
      '',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 fpregs_active=0 fpstate_active=1 TIF_LOAD_FPU=0',
      'K.TIF_LOAD_FPU 0 -> 1',
    ],
    ['refresh-fpu', 'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 TIF_REFRESH_FPU=1', 'K.TIF_REFRESH_FPU 0 -> 1'],
  ],
  'kthread runs: switch-out': [
    ['linux-2.6.32', 'TS=1 fpregs=sse=A:1 image=none TS_USEDFPU=0 PF_USED_MATH=0', ''],
    ['linux-3.6, linux-4.1 lazy', 'TS=1 fpregs=sse=A:1 owner=A image=none has_fpu=0 PF_USED_MATH=0', ''],
    ['linux-4.2 lazy, linux-4.8 lazy', 'TS=1 fpregs=sse=A:1 owner=A image=INIT fpregs_active=0 fpstate_active=0', ''],
    [
      'linux-4.1 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=none has_fpu=0 PF_USED_MATH=0',
      'A.has_fpu 0 -> 1, A.fpu_counter 0 -> 1',
    ],
    [
      'linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=0 fpstate_active=0',
      'A.fpregs_active 0 -> 1, A.counter 0 -> 1',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=INIT initialized=0', ''],
    ['linux-5.2, linux-5.14, linux-6.1, linux-6.12', 'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=1', ''],
    ['rfc-2016', 'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=0 fpstate_active=0 TIF_LOAD_FPU=1', ''],
    ['refresh-fpu', 'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_REFRESH_FPU=1', ''],
  ],
  'FNSAVE hosts: switch-out': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=x87=A:1 image=INIT TS_USEDFPU=1 PF_USED_MATH=1',
      'TS 0 -> 1, fpregs x87=A:1 -> INIT, A.image INIT -> x87=A:1, A.TS_USEDFPU 1 -> 0',
    ],
    [
      'linux-3.6, linux-4.1 lazy',
      'TS=0 fpregs=x87=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'TS 0 -> 1, fpregs x87=A:1 -> INIT, A.image INIT -> x87=A:1, A.has_fpu 1 -> 0',
    ],
    [
      'linux-4.2 lazy, linux-4.8 lazy',
      'TS=0 fpregs=x87=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'TS 0 -> 1, fpregs x87=A:1 -> INIT, A.image INIT -> x87=A:1, A.fpregs_active 1 -> 0',
    ],
    [
      'linux-4.2 eager, linux-4.8 eager',
      'TS=0 fpregs=x87=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'fpregs x87=A:1 -> INIT, A.image INIT -> x87=A:1, A.fpregs_active 1 -> 0, B.fpregs_active 0 -> 1, B.counter 1 -> 2, fpu_fpregs_owner_ctx A -> B, preload 0 -> 1',
    ],
    [
      'linux-4.14',
      'TS=0 fpregs=x87=A:1 owner=A image=INIT initialized=1',
      'fpregs x87=A:1 -> INIT, A.image INIT -> x87=A:1',
    ],
    [
      'linux-5.2',
      'TS=0 fpregs=x87=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
      'fpregs x87=A:1 -> INIT, A.image INIT -> x87=A:1, A.last_cpu cpu0 -> none',
    ],
    [
      'linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=x87=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
      'A.image INIT -> x87=A:1',
    ],
    [
      'rfc-2016',
      'TS=0 fpregs=x87=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1 TIF_LOAD_FPU=0',
      'fpregs x87=A:1 -> INIT, A.image INIT -> x87=A:1, A.fpregs_active 1 -> 0',
    ],
    [
      'refresh-fpu',
      'TS=0 fpregs=x87=A:1 owner=A image=INIT TIF_REFRESH_FPU=0',
      'A.believed 1 -> 2a, A.image INIT -> x87=A:1, A.memory_valid 0 -> 1, A.TIF_REFRESH_FPU 0 -> 1',
    ],
  ],
};
