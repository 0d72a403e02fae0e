/** Cells of the table: the machine wakes from suspend; a CPU comes up again, natively and under Xen PV. hotplug/cells.test.ts says how they are reached. */
import type { Row } from '../cells';

/** All that changes from before to after. */
export const SUSPEND_ROWS: readonly Row[] = [
  [
    'linux-2.6.32',
    'TS=0 fpregs=sse=A:1 image=INIT TS_USEDFPU=1 PF_USED_MATH=1',
    'TS 0 -> 1, fpregs sse=A:1 -> INIT, A.image INIT -> sse=A:1, A.TS_USEDFPU 1 -> 0',
  ],
  [
    'linux-3.6',
    'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
    'TS 0 -> 1, fpregs sse=A:1 -> INIT, A.image INIT -> sse=A:1, A.has_fpu 1 -> 0, fpu_owner_task A -> nobody',
  ],
  [
    'linux-4.1 lazy, linux-4.1 eager',
    'TS=0 fpregs=sse=A:1 owner=A image=INIT has_fpu=1 PF_USED_MATH=1',
    'A.image INIT -> sse=A:1',
  ],
  [
    'linux-4.2 lazy, linux-4.8 lazy, linux-4.2 eager, linux-4.8 eager',
    'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1',
    'A.image INIT -> sse=A:1',
  ],
  ['linux-4.14', 'TS=0 fpregs=sse=A:1 owner=A image=INIT initialized=1', 'A.image INIT -> sse=A:1'],
  [
    'linux-5.2, linux-5.14, linux-6.1, linux-6.12',
    'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_NEED_FPU_LOAD=0',
    'fpregs sse=A:1 -> INIT, A.image INIT -> sse=A:1, A.TIF_NEED_FPU_LOAD 0 -> 1, fpu_fpregs_owner_ctx A -> nobody',
  ],
  [
    'rfc-2016',
    'TS=0 fpregs=sse=A:1 owner=A image=INIT fpregs_active=1 fpstate_active=1 TIF_LOAD_FPU=0',
    'fpregs sse=A:1 -> INIT, A.image INIT -> sse=A:1, A.fpregs_active 1 -> 0, A.TIF_LOAD_FPU 0 -> 1, fpu_fpregs_owner_ctx A -> nobody',
  ],
  [
    'refresh-fpu',
    'TS=0 fpregs=sse=A:1 owner=A image=INIT TIF_REFRESH_FPU=0',
    'fpregs sse=A:1 -> INIT, A.believed 1 -> 2b, A.image INIT -> sse=A:1, fpregs_owner A -> nobody, A.last_cpu cpu0 -> none, A.memory_valid 0 -> 1, A.TIF_REFRESH_FPU 0 -> 1',
  ],
];

/** What the guest of Xen PV finds in the processor while another one has it: its own registers are in the image of its vCPU. */
const ANOTHERS = 'x87=other-guest:1 sse=other-guest:1 avx=other-guest:1';

/** What the CPU holds when it goes down, and when it is up again. */
export const NATIVE_CPU_UP_ROWS: readonly Row[] = [
  ['linux-2.6.32', 'TS=1 fpregs=x87=A:1', 'TS=1 fpregs=x87=A:1'],
  ['linux-3.6', 'TS=1 fpregs=x87=A:1 owner=A', 'TS=1 fpregs=x87=A:1 owner=A'],
  ['linux-4.1 lazy', 'TS=1 fpregs=x87=A:1 owner=A', 'TS=1 fpregs=x87=A:1 owner=nobody'],
  ['linux-4.2 lazy, linux-4.8 lazy', 'TS=1 fpregs=x87=A:1 owner=A', 'TS=1 fpregs=INIT owner=nobody'],
  ['linux-4.1 eager', 'TS=0 fpregs=x87=A:1 owner=A', 'TS=0 fpregs=x87=A:1 owner=nobody'],
  [
    'linux-4.2 eager, linux-4.8 eager, linux-4.14, linux-5.2, linux-5.14, linux-6.1, linux-6.12, rfc-2016, refresh-fpu',
    'TS=0 fpregs=x87=A:1 owner=A',
    'TS=0 fpregs=INIT owner=nobody',
  ],
];

/** The same of a vCPU. */
export const XEN_CPU_UP_ROWS: readonly Row[] = [
  ['linux-2.6.32', `TS=1 fpregs=${ANOTHERS}`, `TS=1 fpregs=${ANOTHERS}`],
  ['linux-3.6, linux-4.1 lazy, linux-4.1 eager', `TS=1 fpregs=${ANOTHERS} owner=A`, `TS=1 fpregs=${ANOTHERS} owner=A`],
  ['linux-4.2 lazy, linux-4.8 lazy', `TS=1 fpregs=${ANOTHERS} owner=A`, 'TS=1 fpregs=INIT owner=A'],
  [
    'linux-4.2 eager, linux-4.8 eager, linux-4.14, linux-5.2, linux-5.14, linux-6.1, linux-6.12, rfc-2016',
    `TS=1 fpregs=${ANOTHERS} owner=A`,
    'TS=0 fpregs=INIT owner=A',
  ],
  ['refresh-fpu', `TS=1 fpregs=${ANOTHERS} owner=A`, 'TS=0 fpregs=INIT owner=nobody'],
];
