/** Cells of KVM: the answers to its hooks, for the thread V that runs the guest G. */
import type { Row } from '../cells';

export const KVM_ROWS: Readonly<Record<string, readonly Row[]>> = {
  'KVM_RUN begins': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=V:1 image=INIT user_fpu=INIT guest_fpu=INIT TS_USEDFPU=1 fpu_active=1 guest_fpu_loaded=0',
      '',
    ],
    [
      'linux-3.6, linux-4.1',
      'TS=0 fpregs=sse=V:1 image=INIT guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=0',
      '',
    ],
    [
      'linux-4.2, linux-4.8 lazy',
      'TS=0 fpregs=sse=V:1 image=INIT guest_fpu=INIT fpregs_active=1 fpu_active=1 guest_fpu_loaded=0',
      '',
    ],
    [
      'linux-5.10, linux-5.15',
      'TS=0 fpregs=sse=V:1 image=INIT user_fpu=INIT guest_fpu=INIT TIF_NEED_FPU_LOAD=0',
      'fpregs sse=V:1 -> INIT, V.user_fpu INIT -> sse=V:1',
    ],
    [
      'linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=V:1 image=INIT guest_fpu=INIT TIF_NEED_FPU_LOAD=0',
      'fpregs sse=V:1 -> INIT, V.image INIT -> sse=V:1, V.fpstate 0 -> 3',
    ],
  ],
  'KVM_RUN begins, after the thread was switched out': [
    [
      'linux-2.6.32',
      'TS=1 fpregs=sse=B:1 image=sse=V:1 user_fpu=INIT guest_fpu=INIT TS_USEDFPU=0 fpu_active=1 guest_fpu_loaded=0',
      '',
    ],
    [
      'linux-3.6, linux-4.1',
      'TS=1 fpregs=sse=B:1 image=sse=V:1 guest_fpu=INIT has_fpu=0 fpu_active=1 guest_fpu_loaded=0',
      '',
    ],
    [
      'linux-4.2, linux-4.8 lazy',
      'TS=1 fpregs=sse=B:1 image=sse=V:1 guest_fpu=INIT fpregs_active=0 fpu_active=1 guest_fpu_loaded=0',
      '',
    ],
    [
      'linux-5.10, linux-5.15',
      'TS=0 fpregs=sse=B:1 image=sse=V:1 user_fpu=INIT guest_fpu=INIT TIF_NEED_FPU_LOAD=1',
      'fpregs sse=B:1 -> INIT, V.user_fpu INIT -> sse=V:1, V.TIF_NEED_FPU_LOAD 1 -> 0, fpu_fpregs_owner_ctx B -> V',
    ],
    [
      'linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 image=sse=V:1 guest_fpu=INIT TIF_NEED_FPU_LOAD=1',
      'fpregs sse=B:1 -> INIT, V.TIF_NEED_FPU_LOAD 1 -> 0, fpu_fpregs_owner_ctx B -> V, V.fpstate 0 -> 3',
    ],
  ],
  'preemption off before VM entry': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=V:1 image=INIT user_fpu=INIT guest_fpu=INIT TS_USEDFPU=1 fpu_active=1 guest_fpu_loaded=0',
      'fpregs sse=V:1 -> INIT, V.user_fpu INIT -> sse=V:1, V.guest_fpu_loaded 0 -> 1',
    ],
    [
      'linux-3.6',
      'TS=0 fpregs=sse=V:1 image=INIT guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=0',
      'fpregs sse=V:1 -> INIT, V.image INIT -> sse=V:1, V.fpu_counter 1 -> 2, V.guest_fpu_loaded 0 -> 1, V.host_state.loaded 0 -> 1',
    ],
    [
      'linux-4.1',
      'TS=0 fpregs=sse=V:1 image=INIT guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=0',
      'fpregs sse=V:1 -> INIT, V.image INIT -> sse=V:1, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1, V.host_state.loaded 0 -> 1',
    ],
    [
      'linux-4.1-eager',
      'TS=0 fpregs=sse=V:1 image=INIT guest_fpu=INIT has_fpu=1 guest_fpu_loaded=0',
      'fpregs sse=V:1 -> INIT, V.image INIT -> sse=V:1, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1',
    ],
    [
      'linux-4.2, linux-4.8 lazy',
      'TS=0 fpregs=sse=V:1 image=INIT guest_fpu=INIT fpregs_active=1 fpu_active=1 guest_fpu_loaded=0',
      'fpregs sse=V:1 -> INIT, V.image INIT -> sse=V:1, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1, V.host_state.loaded 0 -> 1',
    ],
    [
      'linux-4.2-eager, linux-4.8',
      'TS=0 fpregs=sse=V:1 image=INIT guest_fpu=INIT fpregs_active=1 guest_fpu_loaded=0',
      'fpregs sse=V:1 -> INIT, V.image INIT -> sse=V:1, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1',
    ],
    [
      'linux-4.14',
      'TS=0 fpregs=sse=V:1 image=INIT guest_fpu=INIT guest_fpu_loaded=0',
      'fpregs sse=V:1 -> INIT, V.image INIT -> sse=V:1, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1',
    ],
  ],
  "preemption off before VM entry, registers are another task's": [
    [
      'linux-2.6.32',
      'TS=1 fpregs=sse=B:1 image=sse=V:1 user_fpu=INIT guest_fpu=INIT TS_USEDFPU=0 fpu_active=1 guest_fpu_loaded=0',
      'TS 1 -> 0, fpregs sse=B:1 -> INIT, V.user_fpu INIT -> sse=V:1, V.TS_USEDFPU 0 -> 1, V.fpu_counter 1 -> 2, V.guest_fpu_loaded 0 -> 1',
    ],
    [
      'linux-3.6',
      'TS=1 fpregs=sse=B:1 image=sse=V:1 guest_fpu=INIT has_fpu=0 fpu_active=1 guest_fpu_loaded=0',
      'TS 1 -> 0, fpregs sse=B:1 -> INIT, V.has_fpu 0 -> 1, fpu_owner_task B -> V, V.guest_fpu_loaded 0 -> 1, V.host_state.loaded 0 -> 1',
    ],
    [
      'linux-4.1',
      'TS=1 fpregs=sse=B:1 image=sse=V:1 guest_fpu=INIT has_fpu=0 fpu_active=1 guest_fpu_loaded=0',
      'TS 1 -> 0, fpregs sse=B:1 -> INIT, fpu_owner_task B -> nobody, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1, V.host_state.loaded 0 -> 1',
    ],
    [
      'linux-4.1-eager',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=INIT has_fpu=1 guest_fpu_loaded=0',
      'fpregs sse=V:1 -> INIT, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1',
    ],
    [
      'linux-4.2, linux-4.8 lazy',
      'TS=1 fpregs=sse=B:1 image=sse=V:1 guest_fpu=INIT fpregs_active=0 fpu_active=1 guest_fpu_loaded=0',
      'TS 1 -> 0, fpregs sse=B:1 -> INIT, fpu_fpregs_owner_ctx B -> nobody, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1, V.host_state.loaded 0 -> 1',
    ],
    [
      'linux-4.2-eager, linux-4.8',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=INIT fpregs_active=1 guest_fpu_loaded=0',
      'fpregs sse=V:1 -> INIT, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1',
    ],
    [
      'linux-4.14',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=INIT guest_fpu_loaded=0',
      'fpregs sse=V:1 -> INIT, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1',
    ],
  ],
  'preemption off before VM entry, the FPU is not active': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=V:1 image=INIT user_fpu=sse=V:1 guest_fpu=sse=G:1 TS_USEDFPU=1 fpu_active=0 guest_fpu_loaded=0',
      '',
    ],
    [
      'linux-3.6',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=1 fpu_active=0 guest_fpu_loaded=0',
      'V.host_state.loaded 0 -> 1',
    ],
    [
      'linux-4.1',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=1 fpu_active=0 guest_fpu_loaded=0',
      'V.host_state.loaded 0 -> 1',
    ],
    [
      'linux-4.2, linux-4.8 lazy',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 fpregs_active=1 fpu_active=0 guest_fpu_loaded=0',
      'V.host_state.loaded 0 -> 1',
    ],
  ],
  'preemption off before VM entry, after #NM of the guest': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=V:1 image=INIT user_fpu=sse=V:1 guest_fpu=sse=G:1 TS_USEDFPU=1 fpu_active=1 guest_fpu_loaded=0',
      'fpregs sse=V:1 -> sse=G:1, V.guest_fpu_loaded 0 -> 1',
    ],
    [
      'linux-3.6',
      'TS=1 fpregs=sse=G:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=1 fpu_active=1 guest_fpu_loaded=0',
      'TS 1 -> 0, V.fpu_counter 2 -> 4, V.guest_fpu_loaded 0 -> 1',
    ],
    [
      'linux-4.1',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=1 fpu_active=1 guest_fpu_loaded=0',
      'fpregs sse=V:1 -> sse=G:1, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1',
    ],
    [
      'linux-4.2, linux-4.8 lazy',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 fpregs_active=1 fpu_active=1 guest_fpu_loaded=0',
      'fpregs sse=V:1 -> sse=G:1, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1',
    ],
  ],
  'vCPU requests, after its registers were put': [
    [
      'linux-3.6',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=1 fpu_active=1 guest_fpu_loaded=0',
      'V.fpu_active 1 -> 0, V.KVM_REQ_DEACTIVATE_FPU 1 -> 0',
    ],
    [
      'linux-4.1',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=1 fpu_active=1 guest_fpu_loaded=0',
      'V.fpu_active 1 -> 0, V.KVM_REQ_DEACTIVATE_FPU 1 -> 0',
    ],
    [
      'linux-4.2, linux-4.8 lazy',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 fpregs_active=1 fpu_active=1 guest_fpu_loaded=0',
      'V.fpu_active 1 -> 0, V.KVM_REQ_DEACTIVATE_FPU 1 -> 0',
    ],
  ],
  'vCPU requests, made by a preemption just before VM entry, which is given up': [
    [
      'linux-3.6',
      'TS=0 fpregs=sse=G:1 image=sse=G:1 guest_fpu=sse=G:1 has_fpu=1 fpu_active=1 guest_fpu_loaded=1',
      'V.fpu_active 1 -> 0, V.KVM_REQ_DEACTIVATE_FPU 1 -> 0',
    ],
    [
      'linux-4.1',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=0 fpu_active=1 guest_fpu_loaded=1',
      'V.fpu_active 1 -> 0, V.KVM_REQ_DEACTIVATE_FPU 1 -> 0',
    ],
    [
      'linux-4.2, linux-4.8 lazy',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=sse=G:1 fpregs_active=0 fpu_active=1 guest_fpu_loaded=1',
      'V.fpu_active 1 -> 0, V.KVM_REQ_DEACTIVATE_FPU 1 -> 0',
    ],
  ],
  'VM entry': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=INIT image=INIT user_fpu=sse=V:1 guest_fpu=INIT TS_USEDFPU=1 fpu_active=1 guest_fpu_loaded=1',
      '',
    ],
    [
      'linux-3.6, linux-4.1',
      'TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=1',
      '',
    ],
    ['linux-4.1-eager', 'TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT has_fpu=1 guest_fpu_loaded=1', ''],
    [
      'linux-4.2, linux-4.8 lazy',
      'TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT fpregs_active=1 fpu_active=1 guest_fpu_loaded=1',
      '',
    ],
    [
      'linux-4.2-eager, linux-4.8',
      'TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT fpregs_active=1 guest_fpu_loaded=1',
      '',
    ],
    ['linux-4.14', 'TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT guest_fpu_loaded=1', ''],
    ['linux-5.10, linux-5.15', 'TS=0 fpregs=INIT image=INIT user_fpu=sse=V:1 guest_fpu=INIT TIF_NEED_FPU_LOAD=0', ''],
    ['linux-6.1, linux-6.12', 'TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT TIF_NEED_FPU_LOAD=0', ''],
  ],
  'VM entry, the FPU is not active': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=V:1 image=INIT user_fpu=sse=V:1 guest_fpu=sse=G:1 TS_USEDFPU=1 fpu_active=0 guest_fpu_loaded=0',
      'TS 0 -> 1',
    ],
    [
      'linux-3.6',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=1 fpu_active=0 guest_fpu_loaded=0',
      'TS 0 -> 1',
    ],
    [
      'linux-4.1',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=1 fpu_active=0 guest_fpu_loaded=0',
      'TS 0 -> 1',
    ],
    [
      'linux-4.2, linux-4.8 lazy',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 fpregs_active=1 fpu_active=0 guest_fpu_loaded=0',
      'TS 0 -> 1',
    ],
  ],
  'VM exit': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=G:1 image=INIT user_fpu=sse=V:1 guest_fpu=INIT TS_USEDFPU=1 fpu_active=1 guest_fpu_loaded=1',
      '',
    ],
    [
      'linux-3.6',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=1',
      'TS 0 -> 1',
    ],
    ['linux-4.1', 'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=1', ''],
    ['linux-4.1-eager', 'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT has_fpu=1 guest_fpu_loaded=1', ''],
    [
      'linux-4.2, linux-4.8 lazy',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT fpregs_active=1 fpu_active=1 guest_fpu_loaded=1',
      '',
    ],
    [
      'linux-4.2-eager, linux-4.8',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT fpregs_active=1 guest_fpu_loaded=1',
      '',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT guest_fpu_loaded=1', ''],
    [
      'linux-5.10, linux-5.15',
      'TS=0 fpregs=sse=G:1 image=INIT user_fpu=sse=V:1 guest_fpu=INIT TIF_NEED_FPU_LOAD=0',
      '',
    ],
    ['linux-6.1, linux-6.12', 'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT TIF_NEED_FPU_LOAD=0', ''],
  ],
  'VM exit, the FPU is not active': [
    [
      'linux-2.6.32',
      'TS=1 fpregs=sse=V:1 image=INIT user_fpu=sse=V:1 guest_fpu=sse=G:1 TS_USEDFPU=1 fpu_active=0 guest_fpu_loaded=0',
      'TS 1 -> 0',
    ],
    ['linux-3.6', 'TS=1 fpregs=sse=G:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=1 fpu_active=0 guest_fpu_loaded=0', ''],
    [
      'linux-4.1',
      'TS=1 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=1 fpu_active=0 guest_fpu_loaded=0',
      'TS 1 -> 0',
    ],
    [
      'linux-4.2, linux-4.8 lazy',
      'TS=1 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 fpregs_active=1 fpu_active=0 guest_fpu_loaded=0',
      'TS 1 -> 0',
    ],
  ],
  '#NM of the guest': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=V:1 image=INIT user_fpu=sse=V:1 guest_fpu=sse=G:1 TS_USEDFPU=1 fpu_active=0 guest_fpu_loaded=0',
      'V.fpu_active 0 -> 1',
    ],
    [
      'linux-3.6',
      'TS=1 fpregs=sse=G:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=1 fpu_active=0 guest_fpu_loaded=0',
      'V.fpu_active 0 -> 1',
    ],
    [
      'linux-4.1',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=1 fpu_active=0 guest_fpu_loaded=0',
      'V.fpu_active 0 -> 1',
    ],
    [
      'linux-4.2, linux-4.8 lazy',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 fpregs_active=1 fpu_active=0 guest_fpu_loaded=0',
      'V.fpu_active 0 -> 1',
    ],
  ],
  'MOV to CR3 of the guest': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=G:1 image=INIT user_fpu=sse=V:1 guest_fpu=INIT TS_USEDFPU=1 fpu_active=1 guest_fpu_loaded=1',
      'V.fpu_active 1 -> 0',
    ],
  ],
  'XSETBV of the guest': [
    [
      'linux-3.6',
      'XCR0=x87 TS=1 fpregs=INIT image=sse=V:1 guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=1',
      'V.vcpu->arch.xcr0 1 -> 7, V.guest_xcr0_loaded 1 -> 0',
    ],
    [
      'linux-4.1',
      'XCR0=x87+sse+avx TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=1',
      'V.vcpu->arch.xcr0 1 -> 7',
    ],
    [
      'linux-4.1-eager',
      'XCR0=x87+sse+avx TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT has_fpu=1 guest_fpu_loaded=1',
      'V.vcpu->arch.xcr0 1 -> 7',
    ],
    [
      'linux-4.2, linux-4.8 lazy',
      'XCR0=x87+sse+avx TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT fpregs_active=1 fpu_active=1 guest_fpu_loaded=1',
      'V.vcpu->arch.xcr0 1 -> 7',
    ],
    [
      'linux-4.2-eager, linux-4.8',
      'XCR0=x87+sse+avx TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT fpregs_active=1 guest_fpu_loaded=1',
      'V.vcpu->arch.xcr0 1 -> 7',
    ],
    [
      'linux-4.14',
      'XCR0=x87+sse+avx TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT guest_fpu_loaded=1',
      'V.vcpu->arch.xcr0 1 -> 7',
    ],
    [
      'linux-5.10, linux-5.15',
      'XCR0=x87+sse+avx TS=0 fpregs=INIT image=INIT user_fpu=sse=V:1 guest_fpu=INIT TIF_NEED_FPU_LOAD=0',
      'V.vcpu->arch.xcr0 1 -> 7',
    ],
    [
      'linux-6.1, linux-6.12',
      'XCR0=x87+sse+avx TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT TIF_NEED_FPU_LOAD=0',
      'V.vcpu->arch.xcr0 1 -> 7',
    ],
  ],
  'preemption off before VM entry, the guest has enabled x87 alone': [
    [
      'linux-3.6',
      'XCR0=x87+sse+avx TS=0 fpregs=sse=V:1 image=INIT guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=0',
      'XCR0 x87+sse+avx -> x87, fpregs sse=V:1 -> INIT, V.image INIT -> sse=V:1, V.fpu_counter 1 -> 2, V.guest_fpu_loaded 0 -> 1, V.host_state.loaded 0 -> 1, V.guest_xcr0_loaded 0 -> 1',
    ],
  ],
  'VM entry, the guest has enabled x87 alone': [
    [
      'linux-3.6',
      'XCR0=x87 TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=1',
      '',
    ],
    [
      'linux-4.1',
      'XCR0=x87+sse+avx TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=1',
      'XCR0 x87+sse+avx -> x87',
    ],
    [
      'linux-4.1-eager',
      'XCR0=x87+sse+avx TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT has_fpu=1 guest_fpu_loaded=1',
      'XCR0 x87+sse+avx -> x87',
    ],
    [
      'linux-4.2, linux-4.8 lazy',
      'XCR0=x87+sse+avx TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT fpregs_active=1 fpu_active=1 guest_fpu_loaded=1',
      'XCR0 x87+sse+avx -> x87',
    ],
    [
      'linux-4.2-eager, linux-4.8',
      'XCR0=x87+sse+avx TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT fpregs_active=1 guest_fpu_loaded=1',
      'XCR0 x87+sse+avx -> x87',
    ],
    [
      'linux-4.14',
      'XCR0=x87+sse+avx TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT guest_fpu_loaded=1',
      'XCR0 x87+sse+avx -> x87',
    ],
    [
      'linux-5.10, linux-5.15',
      'XCR0=x87+sse+avx TS=0 fpregs=INIT image=INIT user_fpu=sse=V:1 guest_fpu=INIT TIF_NEED_FPU_LOAD=0',
      'XCR0 x87+sse+avx -> x87',
    ],
    [
      'linux-6.1, linux-6.12',
      'XCR0=x87+sse+avx TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT TIF_NEED_FPU_LOAD=0',
      'XCR0 x87+sse+avx -> x87',
    ],
  ],
  'VM exit, the guest has enabled x87 alone': [
    [
      'linux-3.6',
      'XCR0=x87 TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=1',
      'TS 0 -> 1',
    ],
    [
      'linux-4.1',
      'XCR0=x87 TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=1',
      'XCR0 x87 -> x87+sse+avx',
    ],
    [
      'linux-4.1-eager',
      'XCR0=x87 TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT has_fpu=1 guest_fpu_loaded=1',
      'XCR0 x87 -> x87+sse+avx',
    ],
    [
      'linux-4.2, linux-4.8 lazy',
      'XCR0=x87 TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT fpregs_active=1 fpu_active=1 guest_fpu_loaded=1',
      'XCR0 x87 -> x87+sse+avx',
    ],
    [
      'linux-4.2-eager, linux-4.8',
      'XCR0=x87 TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT fpregs_active=1 guest_fpu_loaded=1',
      'XCR0 x87 -> x87+sse+avx',
    ],
    [
      'linux-4.14',
      'XCR0=x87 TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT guest_fpu_loaded=1',
      'XCR0 x87 -> x87+sse+avx',
    ],
    [
      'linux-5.10, linux-5.15',
      'XCR0=x87 TS=0 fpregs=INIT image=INIT user_fpu=sse=V:1 guest_fpu=INIT TIF_NEED_FPU_LOAD=0',
      'XCR0 x87 -> x87+sse+avx',
    ],
    [
      'linux-6.1, linux-6.12',
      'XCR0=x87 TS=0 fpregs=INIT image=sse=V:1 guest_fpu=INIT TIF_NEED_FPU_LOAD=0',
      'XCR0 x87 -> x87+sse+avx',
    ],
  ],
  'vCPU is put, the guest has enabled all': [
    [
      'linux-3.6',
      'XCR0=x87+sse+avx TS=1 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=1',
      'TS 1 -> 0, V.guest_fpu INIT -> sse=G:1, V.guest_fpu_loaded 1 -> 0, V.KVM_REQ_DEACTIVATE_FPU 0 -> 1, V.host_state.loaded 1 -> 0, V.guest_xcr0_loaded 1 -> 0',
    ],
  ],
  'vCPU is put': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=G:1 image=INIT user_fpu=sse=V:1 guest_fpu=INIT TS_USEDFPU=1 fpu_active=0 guest_fpu_loaded=1',
      'fpregs sse=G:1 -> sse=V:1, V.guest_fpu INIT -> sse=G:1, V.guest_fpu_loaded 1 -> 0',
    ],
    [
      'linux-3.6',
      'TS=1 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=1',
      'TS 1 -> 0, V.guest_fpu INIT -> sse=G:1, V.guest_fpu_loaded 1 -> 0, V.KVM_REQ_DEACTIVATE_FPU 0 -> 1, V.host_state.loaded 1 -> 0',
    ],
    [
      'linux-4.1',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=1',
      'fpregs sse=G:1 -> sse=V:1, V.guest_fpu INIT -> sse=G:1, in_kernel_fpu 1 -> 0, V.guest_fpu_loaded 1 -> 0, V.KVM_REQ_DEACTIVATE_FPU 0 -> 1, V.host_state.loaded 1 -> 0',
    ],
    [
      'linux-4.1-eager',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT has_fpu=1 guest_fpu_loaded=1',
      'fpregs sse=G:1 -> sse=V:1, V.guest_fpu INIT -> sse=G:1, in_kernel_fpu 1 -> 0, V.guest_fpu_loaded 1 -> 0',
    ],
    [
      'linux-4.2',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT fpregs_active=1 fpu_active=1 guest_fpu_loaded=1',
      'fpregs sse=G:1 -> sse=V:1, V.guest_fpu INIT -> sse=G:1, in_kernel_fpu 1 -> 0, V.guest_fpu_loaded 1 -> 0, V.KVM_REQ_DEACTIVATE_FPU 0 -> 1, V.host_state.loaded 1 -> 0',
    ],
    [
      'linux-4.2-eager, linux-4.8',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT fpregs_active=1 guest_fpu_loaded=1',
      'fpregs sse=G:1 -> sse=V:1, V.guest_fpu INIT -> sse=G:1, in_kernel_fpu 1 -> 0, V.guest_fpu_loaded 1 -> 0',
    ],
    [
      'linux-4.14',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT guest_fpu_loaded=1',
      'fpregs sse=G:1 -> sse=V:1, V.guest_fpu INIT -> sse=G:1, in_kernel_fpu 1 -> 0, V.guest_fpu_loaded 1 -> 0',
    ],
    [
      'linux-4.8 lazy',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT fpregs_active=1 fpu_active=1 guest_fpu_loaded=1',
      'fpregs sse=G:1 -> sse=V:1, V.guest_fpu INIT -> sse=G:1, in_kernel_fpu 1 -> 0, V.guest_fpu_loaded 1 -> 0, V.KVM_REQ_DEACTIVATE_FPU 0 -> 1, V.host_state.loaded 1 -> 0, V.vcpu->fpu_counter 0 -> 1',
    ],
  ],
  'vCPU is put, its FPU was not active': [
    [
      'linux-2.6.32',
      'TS=0 fpregs=sse=V:1 image=INIT user_fpu=sse=V:1 guest_fpu=sse=G:1 TS_USEDFPU=1 fpu_active=0 guest_fpu_loaded=0',
      '',
    ],
    [
      'linux-3.6',
      'TS=1 fpregs=sse=G:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=1 fpu_active=0 guest_fpu_loaded=0',
      'TS 1 -> 0, V.host_state.loaded 1 -> 0',
    ],
    [
      'linux-4.1',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=1 fpu_active=0 guest_fpu_loaded=0',
      'V.host_state.loaded 1 -> 0',
    ],
    [
      'linux-4.2',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 fpregs_active=1 fpu_active=0 guest_fpu_loaded=0',
      'V.host_state.loaded 1 -> 0',
    ],
    [
      'linux-4.8 lazy',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 fpregs_active=1 fpu_active=0 guest_fpu_loaded=0',
      'V.host_state.loaded 1 -> 0, V.vcpu->fpu_counter 1 -> 0',
    ],
  ],
  'emulation, after the thread was switched out': [
    [
      'linux-3.6',
      'TS=1 fpregs=sse=B:1 image=sse=G:1 guest_fpu=sse=G:1 has_fpu=0 fpu_active=1 guest_fpu_loaded=0',
      'TS 1 -> 0, fpregs sse=B:1 -> sse=G:1, V.has_fpu 0 -> 1, V.fpu_counter 2 -> 1, fpu_owner_task B -> V, V.guest_fpu_loaded 0 -> 1',
    ],
    [
      'linux-4.1',
      'TS=1 fpregs=sse=B:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=0 fpu_active=1 guest_fpu_loaded=0',
      'TS 1 -> 0, fpregs sse=B:1 -> sse=G:1, fpu_owner_task B -> nobody, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1',
    ],
    [
      'linux-4.1-eager',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 has_fpu=1 guest_fpu_loaded=0',
      'fpregs sse=V:1 -> sse=G:1, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1',
    ],
    [
      'linux-4.2, linux-4.8 lazy',
      'TS=1 fpregs=sse=B:1 image=sse=V:1 guest_fpu=sse=G:1 fpregs_active=0 fpu_active=1 guest_fpu_loaded=0',
      'TS 1 -> 0, fpregs sse=B:1 -> sse=G:1, fpu_fpregs_owner_ctx B -> nobody, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1',
    ],
    [
      'linux-4.2-eager, linux-4.8',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 fpregs_active=1 guest_fpu_loaded=0',
      'fpregs sse=V:1 -> sse=G:1, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1',
    ],
    [
      'linux-4.14',
      'TS=0 fpregs=sse=V:1 image=sse=V:1 guest_fpu=sse=G:1 guest_fpu_loaded=0',
      'fpregs sse=V:1 -> sse=G:1, in_kernel_fpu 0 -> 1, V.guest_fpu_loaded 0 -> 1',
    ],
    [
      'linux-5.10, linux-5.15',
      'TS=0 fpregs=sse=B:1 image=sse=G:1 user_fpu=sse=V:1 guest_fpu=INIT TIF_NEED_FPU_LOAD=1',
      'fpregs sse=B:1 -> sse=G:1, V.TIF_NEED_FPU_LOAD 1 -> 0, fpu_fpregs_owner_ctx B -> V',
    ],
    [
      'linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=B:1 image=sse=V:1 guest_fpu=sse=G:1 TIF_NEED_FPU_LOAD=1',
      'fpregs sse=B:1 -> sse=G:1, V.TIF_NEED_FPU_LOAD 1 -> 0, fpu_fpregs_owner_ctx B -> V',
    ],
  ],
  'emulation is over': [
    [
      'linux-3.6, linux-4.1',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=1',
      '',
    ],
    ['linux-4.1-eager', 'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT has_fpu=1 guest_fpu_loaded=1', ''],
    [
      'linux-4.2, linux-4.8 lazy',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT fpregs_active=1 fpu_active=1 guest_fpu_loaded=1',
      '',
    ],
    [
      'linux-4.2-eager, linux-4.8',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT fpregs_active=1 guest_fpu_loaded=1',
      '',
    ],
    ['linux-4.14', 'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT guest_fpu_loaded=1', ''],
    [
      'linux-5.10, linux-5.15',
      'TS=0 fpregs=sse=G:1 image=INIT user_fpu=sse=V:1 guest_fpu=INIT TIF_NEED_FPU_LOAD=0',
      '',
    ],
    ['linux-6.1, linux-6.12', 'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT TIF_NEED_FPU_LOAD=0', ''],
  ],
  'KVM_RUN ends': [
    [
      'linux-5.10, linux-5.15',
      'TS=0 fpregs=sse=G:1 image=INIT user_fpu=sse=V:1 guest_fpu=INIT TIF_NEED_FPU_LOAD=0',
      'fpregs sse=G:1 -> sse=V:1, V.guest_fpu INIT -> sse=G:1',
    ],
    [
      'linux-6.1, linux-6.12',
      'TS=0 fpregs=sse=G:1 image=sse=V:1 guest_fpu=INIT TIF_NEED_FPU_LOAD=0',
      'fpregs sse=G:1 -> sse=V:1, V.guest_fpu INIT -> sse=G:1, V.fpstate 3 -> 0',
    ],
  ],
};
