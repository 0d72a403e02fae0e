/**
 * The table of kernel generations by hooks. A row: which kernels, what the cell starts from (one task's image and flags, the CPU's TS,
 * registers and owner), and all that the answer to the hook changes. Cells of 3.6, 4.2 and 4.8 that are not here are in tests of their own.
 */
import { KERNELS, beforeText, changesText, type KernelName } from './cells';
import { SITUATIONS } from './situations';

type Row = readonly [kernels: string, before: string, changes: string];

const ROWS: Readonly<Record<string, readonly Row[]>> = {
  'CPU up': [
    ['linux-4.1 eager', 'TS=1 fpregs=INIT owner=nobody image=none has_fpu=0 PF_USED_MATH=0', 'TS 1 -> 0'],
    ['linux-4.14', 'TS=1 fpregs=INIT owner=nobody image=INIT initialized=0', 'TS 1 -> 0'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=1 fpregs=INIT owner=nobody image=INIT TIF_NEED_FPU_LOAD=1',
      'TS 1 -> 0',
    ],
  ],
  'switch-out, registers in use': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=A:1 image=INIT TS_USEDFPU=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.image INIT -> sse=A:1, A.TS_USEDFPU 1 -> 0',
    ],
    [
      'linux-4.1 lazy',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.image INIT -> sse=A:1, A.has_fpu 1 -> 0, A.last_cpu none -> cpu0',
    ],
    [
      'linux-4.1 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'A.image INIT -> sse=A:1, A.has_fpu 1 -> 0, B.has_fpu 0 -> 1, B.fpu_counter 0 -> 1, fpu_owner_task A -> B, preload 0 -> 1',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=INIT initialized=1', 'A.image INIT -> sse=A:1'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
      'A.image INIT -> sse=A:1',
    ],
  ],
  'switch-out, a slice without FPU use': [
    ['linux-2.6.32', 'TS=1 fpregs=sse=A:1 image=sse=A:1 TS_USEDFPU=0 PF_USED_MATH=1', 'A.fpu_counter 1 -> 0'],
    [
      'linux-4.1 lazy',
      'TS=1 fpregs=sse=A:1 owner=A image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'A.last_cpu cpu0 -> none, A.fpu_counter 1 -> 0',
    ],
    [
      'linux-4.1 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 has_fpu=1 PF_USED_MATH=1',
      'A.has_fpu 1 -> 0, B.has_fpu 0 -> 1, B.fpu_counter 1 -> 2, fpu_owner_task A -> B, preload 0 -> 1',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 initialized=1', ''],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 TIF_NEED_FPU_LOAD=0',
      '',
    ],
  ],
  'switch-out of a task that is preempted in the kernel before its registers are loaded again': [
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      '',
    ],
  ],
  'switch-out to a task that is preloaded': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=B:6 image=sse=B:5 TS_USEDFPU=1 PF_USED_MATH=1',
      'B.image sse=B:5 -> sse=B:6, B.TS_USEDFPU 1 -> 0, preload_fpu 0 -> 1',
    ],
    [
      'linux-4.1 lazy',
      'TS=0 fpregs=sse=B:6 owner=B image=sse=B:5 has_fpu=1 PF_USED_MATH=1',
      'B.image sse=B:5 -> sse=B:6, A.has_fpu 0 -> 1, B.has_fpu 1 -> 0, A.fpu_counter 6 -> 7, fpu_owner_task B -> A, preload 0 -> 1',
    ],
  ],
  'switch-out of a task without registers to one that is preloaded and owner': [
    ['linux-2.6.32', 'TS=1 fpregs=sse=A:6 image=sse=A:6 TS_USEDFPU=0 PF_USED_MATH=1', 'TS 1 -> 0, preload_fpu 0 -> 1'],
    [
      'linux-4.1 lazy',
      'TS=1 fpregs=sse=A:6 owner=A image=sse=A:6 has_fpu=0 PF_USED_MATH=1',
      'TS 1 -> 0, A.has_fpu 0 -> 1, A.fpu_counter 6 -> 7',
    ],
  ],
  'switch-in, not preloaded': [
    ['linux-2.6.32', 'TS=1 fpregs=sse=A:1 image=none TS_USEDFPU=0 PF_USED_MATH=0', ''],
    ['linux-4.1 lazy', 'TS=1 fpregs=sse=A:1 owner=A image=none has_fpu=0 PF_USED_MATH=0', ''],
  ],
  'switch-in, preloaded': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=B:6 image=sse=A:6 TS_USEDFPU=0 PF_USED_MATH=1',
      'fpregs sse=B:6 -> sse=A:6, A.TS_USEDFPU 0 -> 1, A.fpu_counter 6 -> 7, preload_fpu 1 -> 0',
    ],
    [
      'linux-4.1 lazy',
      'TS=0 fpregs=sse=B:6 owner=A image=sse=A:6 has_fpu=1 PF_USED_MATH=1',
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
      'linux-4.14',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 initialized=1',
      'fpregs sse=B:1 -> sse=A:1, fpu_fpregs_owner_ctx B -> A',
    ],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_NEED_FPU_LOAD=0',
      'A.TIF_NEED_FPU_LOAD 0 -> 1',
    ],
  ],
  'switch-in, the registers are still its own': [
    ['linux-4.1 eager', 'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 has_fpu=1 PF_USED_MATH=1', ''],
    ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 initialized=1', ''],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 TIF_NEED_FPU_LOAD=0',
      'A.TIF_NEED_FPU_LOAD 0 -> 1',
    ],
  ],
  '#NM, first use': [
    [
      'linux-2.6.32',
      'TS=1 fpregs=sse=A:1 image=none TS_USEDFPU=0 PF_USED_MATH=0',
      'TS 1 -> 0, fpregs sse=A:1 -> INIT, B.image none -> INIT, B.TS_USEDFPU 0 -> 1, B.PF_USED_MATH 0 -> 1, B.fpu_counter 0 -> 1',
    ],
    [
      'linux-4.1 lazy',
      'TS=1 fpregs=sse=A:1 owner=A image=none has_fpu=0 PF_USED_MATH=0',
      'TS 1 -> 0, fpregs sse=A:1 -> INIT, B.image none -> INIT, B.has_fpu 0 -> 1, B.PF_USED_MATH 0 -> 1, B.fpu_counter 0 -> 1, fpu_owner_task A -> B',
    ],
  ],
  '#NM, later use': [
    [
      'linux-2.6.32',
      'TS=1 fpregs=sse=B:1 image=sse=A:1 TS_USEDFPU=0 PF_USED_MATH=1',
      'TS 1 -> 0, fpregs sse=B:1 -> sse=A:1, A.TS_USEDFPU 0 -> 1, A.fpu_counter 1 -> 2',
    ],
    [
      'linux-4.1 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'TS 1 -> 0, fpregs sse=B:1 -> sse=A:1, A.has_fpu 0 -> 1, A.fpu_counter 1 -> 2, fpu_owner_task B -> A',
    ],
  ],
  '#NM, because somebody has set TS': [
    ['linux-4.14', 'TS=1 fpregs=INIT owner=A image=INIT initialized=1', 'TS 1 -> 0'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=1 fpregs=INIT owner=nobody image=INIT TIF_NEED_FPU_LOAD=1',
      'TS 1 -> 0',
    ],
  ],
  "exit to user, registers are another task's": [
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      'fpregs sse=B:1 -> sse=A:1, A.TIF_NEED_FPU_LOAD 1 -> 0, fpu_fpregs_owner_ctx B -> A',
    ],
  ],
  'exit to user, registers are still its own': [
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      'A.TIF_NEED_FPU_LOAD 1 -> 0',
    ],
  ],
  'kernel_fpu_begin, registers in use': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=A:1 image=INIT TS_USEDFPU=1 PF_USED_MATH=1',
      'A.image INIT -> sse=A:1, A.TS_USEDFPU 1 -> 0',
    ],
    [
      'linux-4.1 lazy, linux-4.1 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
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
  ],
  'kernel_fpu_begin, registers not its own': [
    ['linux-2.6.32', 'TS=1 fpregs=sse=B:1 image=sse=A:1 TS_USEDFPU=0 PF_USED_MATH=1', 'TS 1 -> 0'],
    [
      'linux-4.1 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'TS 1 -> 0, fpu_owner_task B -> nobody, in_kernel_fpu 0 -> 1',
    ],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      'fpu_fpregs_owner_ctx B -> nobody, in_kernel_fpu 0 -> 1',
    ],
  ],
  'kernel_fpu_end, registers in use': [
    ['linux-2.6.32', 'TS=0 fpregs=sse=kernel:1 image=sse=A:1 TS_USEDFPU=0 PF_USED_MATH=1', 'TS 0 -> 1'],
    [
      'linux-4.1 lazy, linux-4.1 eager',
      'TS=0 fpregs=sse=kernel:1 owner=A image=sse=A:1 has_fpu=1 PF_USED_MATH=1',
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
  ],
  'fork, parent with registers: the parent': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=A:1 image=INIT TS_USEDFPU=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.image INIT -> sse=A:1, child.image none -> sse=A:1, A.TS_USEDFPU 1 -> 0, child.PF_USED_MATH 0 -> 1, child.fpu_counter 0 -> 1',
    ],
    [
      'linux-4.1 lazy',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.image INIT -> sse=A:1, child.image none -> sse=A:1, A.has_fpu 1 -> 0, child.PF_USED_MATH 0 -> 1, fpu_owner_task A -> nobody',
    ],
    [
      'linux-4.1 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'child.image none -> sse=A:1, child.PF_USED_MATH 0 -> 1',
    ],
    [
      'linux-4.14',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT initialized=1',
      'child.image INIT -> sse=A:1, child.initialized 0 -> 1',
    ],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
      'child.image INIT -> sse=A:1',
    ],
  ],
  "fork, parent whose registers are another task's": [
    [
      'linux-2.6.32',
      'TS=1 fpregs=sse=B:1 image=sse=A:1 TS_USEDFPU=0 PF_USED_MATH=1',
      'child.image none -> sse=A:1, child.PF_USED_MATH 0 -> 1, A.fpu_counter 1 -> 0',
    ],
    [
      'linux-4.1 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'child.image none -> sse=A:1, child.PF_USED_MATH 0 -> 1',
    ],
    [
      'linux-5.2, linux-5.14',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      'child.image INIT -> sse=A:1',
    ],
    [
      'linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      'fpregs sse=B:1 -> sse=A:1, child.image INIT -> sse=A:1, A.TIF_NEED_FPU_LOAD 1 -> 0, fpu_fpregs_owner_ctx B -> A',
    ],
  ],
  'exec, registers in use': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=A:1 image=INIT TS_USEDFPU=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.image INIT -> none, A.TS_USEDFPU 1 -> 0, A.PF_USED_MATH 1 -> 0, A.fpu_counter 1 -> 0',
    ],
    [
      'linux-4.1 lazy',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.image INIT -> none, A.has_fpu 1 -> 0, A.PF_USED_MATH 1 -> 0, A.fpu_counter 1 -> 0, fpu_owner_task A -> nobody',
    ],
    ['linux-4.1 eager', 'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1', 'fpregs sse=A:1 -> INIT'],
    ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=INIT initialized=1', 'fpregs sse=A:1 -> INIT'],
    ['linux-5.2', 'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=0', 'fpregs sse=A:1 -> INIT'],
    [
      'linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
      'A.TIF_NEED_FPU_LOAD 0 -> 1, A.last_cpu cpu0 -> none',
    ],
  ],
  'exec, registers not its own': [
    [
      'linux-2.6.32',
      'TS=1 fpregs=sse=B:1 image=sse=A:1 TS_USEDFPU=0 PF_USED_MATH=1',
      'A.image sse=A:1 -> none, A.PF_USED_MATH 1 -> 0, A.fpu_counter 1 -> 0',
    ],
    [
      'linux-4.1 lazy',
      'TS=1 fpregs=sse=B:1 owner=B image=sse=A:1 has_fpu=0 PF_USED_MATH=1',
      'A.image sse=A:1 -> none, A.PF_USED_MATH 1 -> 0, A.fpu_counter 1 -> 0',
    ],
    [
      'linux-5.2',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      'fpregs sse=B:1 -> INIT, A.TIF_NEED_FPU_LOAD 1 -> 0, fpu_fpregs_owner_ctx B -> A',
    ],
    [
      'linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      'A.image sse=A:1 -> INIT, A.last_cpu cpu0 -> none',
    ],
  ],
  'exit, registers in use': [
    ['linux-2.6.32', 'TS=0 fpregs=sse=A:1 image=INIT TS_USEDFPU=1 PF_USED_MATH=1', ''],
    [
      'linux-4.1 lazy',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'TS 0 -> 1, A.has_fpu 1 -> 0, A.PF_USED_MATH 1 -> 0, A.fpu_counter 1 -> 0, fpu_owner_task A -> nobody',
    ],
    [
      'linux-4.1 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'A.has_fpu 1 -> 0, A.PF_USED_MATH 1 -> 0, fpu_owner_task A -> nobody',
    ],
    [
      'linux-4.14',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT initialized=1',
      'A.initialized 1 -> 0, fpu_fpregs_owner_ctx A -> nobody',
    ],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
      'fpu_fpregs_owner_ctx A -> nobody',
    ],
  ],
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
    ['linux-4.1 lazy', 'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1', 'A.frame INIT -> sse=A:1'],
    [
      'linux-4.2 lazy, linux-4.8 lazy',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'A.frame INIT -> sse=A:1',
    ],
    ['linux-4.1 eager', 'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1', 'A.frame INIT -> sse=A:1'],
    [
      'linux-4.8 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'A.frame INIT -> sse=A:1',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=INIT initialized=1', 'A.frame INIT -> sse=A:1'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
      'A.frame INIT -> sse=A:1',
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
      'linux-4.8 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 fpregs_active=1 fpstate_active=1',
      'A.frame INIT -> sse=A:1',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=sse=A:1 initialized=1', 'A.frame INIT -> sse=A:1'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:1 TIF_NEED_FPU_LOAD=1',
      'fpregs sse=B:1 -> sse=A:1, A.frame INIT -> sse=A:1, A.TIF_NEED_FPU_LOAD 1 -> 0, fpu_fpregs_owner_ctx B -> A',
    ],
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
      'linux-4.8 lazy',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'fpregs sse=A:1 -> INIT',
    ],
    ['linux-4.1 eager', 'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1', 'fpregs sse=A:1 -> INIT'],
    [
      'linux-4.8 eager',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'fpregs sse=A:1 -> INIT',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=INIT initialized=1', 'fpregs sse=A:1 -> INIT'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
      'fpregs sse=A:1 -> INIT',
    ],
  ],
  'sigreturn, registers in use': [
    ['linux-2.6.32', 'TS=0 fpregs=sse=A:2 image=INIT TS_USEDFPU=1 PF_USED_MATH=1', 'fpregs sse=A:2 -> sse=A:1'],
    [
      'linux-3.6, linux-4.1 lazy',
      'TS=0 fpregs=sse=A:2 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'fpregs sse=A:2 -> sse=A:1',
    ],
    [
      'linux-4.2 lazy, linux-4.8 lazy',
      'TS=0 fpregs=sse=A:2 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'fpregs sse=A:2 -> sse=A:1',
    ],
    ['linux-4.1 eager', 'TS=0 fpregs=sse=A:2 owner=A image=INIT has_fpu=1 PF_USED_MATH=1', 'fpregs sse=A:2 -> sse=A:1'],
    [
      'linux-4.8 eager',
      'TS=0 fpregs=sse=A:2 owner=A image=INIT fpregs_active=1 fpstate_active=1',
      'fpregs sse=A:2 -> sse=A:1',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:2 owner=A image=INIT initialized=1', 'fpregs sse=A:2 -> sse=A:1'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=A:2 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
      'fpregs sse=A:2 -> sse=A:1',
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
      'linux-4.8 eager',
      'TS=0 fpregs=sse=A:2 owner=A image=sse=A:2 fpregs_active=1 fpstate_active=1',
      'fpregs sse=A:2 -> sse=A:1',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=A:2 owner=A image=sse=A:2 initialized=1', 'fpregs sse=A:2 -> sse=A:1'],
    [
      'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 owner=B image=sse=A:2 TIF_NEED_FPU_LOAD=1',
      'fpregs sse=B:1 -> sse=A:1, A.TIF_NEED_FPU_LOAD 1 -> 0, fpu_fpregs_owner_ctx B -> A',
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
      'linux-4.8 eager',
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
  'FNSAVE hosts: switch-out': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=x87=A:1 image=INIT TS_USEDFPU=1 PF_USED_MATH=1',
      'TS 0 -> 1, fpregs x87=A:1 -> INIT, A.image INIT -> x87=A:1, A.TS_USEDFPU 1 -> 0',
    ],
    [
      'linux-4.1 lazy',
      'TS=0 fpregs=x87=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
      'TS 0 -> 1, fpregs x87=A:1 -> INIT, A.image INIT -> x87=A:1, A.has_fpu 1 -> 0',
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
  ],
};

describe.each(Object.keys(SITUATIONS))('%s', (name) => {
  const { kernels, run, task = 'A' } = SITUATIONS[name];
  const rows = ROWS[name].flatMap(([names, ...row]) => names.split(', ').map((kernel) => [kernel, ...row] as const));

  it('has a row for every kernel in which it is a cell', () => {
    expect(rows.map(([kernel]) => kernel).sort()).toEqual([...kernels].sort());
  });

  it.each(rows)('%s: %s: %s', (kernel, before, changes) => {
    const cell = run(KERNELS[kernel as KernelName]);
    expect(beforeText(cell.before, task)).toBe(before);
    expect(changesText(cell)).toBe(changes);
  });
});
