/** Guests of KVM: guest mode is entered and left on the stack of the thread that runs the guest. */
import { defineEvent, defineHook } from '../event-type';
import { CONTEXT } from '../frames';
import { LIFECYCLE, LOCALS } from '../state';
import { popFrame, pushFrame } from './changes';

/** A guest was set up: its program starts at its beginning. The scheduler never sees it. */
export const GuestCreated = defineEvent('guest.created', { task: 'task' }, (s, task) => {
  s.words[s.at.lifecycle + task] = LIFECYCLE.alive;
  s.words[s.at.depth + task] = 0;
  pushFrame(s, task, 0, CONTEXT.user);
});

/** VMLAUNCH, VMRESUME: the processor is in guest mode until something makes it leave. */
export const GuestEntered = defineEvent(
  'guest.entered',
  { cpu: 'cpu', task: 'task', guest: 'task', at: 'pc', status: 'mask' },
  (s, _cpu, task, _guest, at, status) => pushFrame(s, task, at, status),
  { local: true },
);

/** The processor left guest mode; `exit` indexes EXITS, and is in local 0 of whoever had entered it. */
export const GuestExited = defineEvent(
  'guest.exited',
  { cpu: 'cpu', task: 'task', guest: 'task', exit: 'number' },
  (s, _cpu, task, _guest, exit) => {
    popFrame(s, task);
    const frame = task * s.at.stackDepth + s.words[s.at.depth + task] - 1;
    s.words[s.at.frameLocal + frame * LOCALS] = exit;
  },
  { local: true },
);

/** vcpu_load(), and the thread was switched in (kvm_sched_in()): kvm_arch_vcpu_load(). Preemption is off. */
export const KvmVcpuLoad = defineHook('hook.kvm-vcpu-load', { cpu: 'cpu', task: 'task' });
/** vcpu_put(), and the thread is about to be switched out (kvm_sched_out()): kvm_arch_vcpu_put(). Preemption is off. */
export const KvmVcpuPut = defineHook('hook.kvm-vcpu-put', { cpu: 'cpu', task: 'task' });
/** KVM_RUN begins, preemptible. Linux 4.15 and later: kvm_load_guest_fpu(). */
export const KvmRunBegin = defineHook('hook.kvm-run-begin', { cpu: 'cpu', task: 'task' });
/** KVM_RUN ends, preemptible. Linux 4.15 and later: kvm_put_guest_fpu(). */
export const KvmRunEnd = defineHook('hook.kvm-run-end', { cpu: 'cpu', task: 'task' });
/** vcpu_enter_guest() begins: what has been asked of the vCPU since is done, preemptible. */
export const KvmRequests = defineHook('hook.kvm-requests', { cpu: 'cpu', task: 'task' });
/** vcpu_enter_guest() with preemption off and interrupts on. */
export const KvmPrepareGuest = defineHook('hook.kvm-prepare-guest', { cpu: 'cpu', task: 'task' });
/** Interrupts are off: has anything been asked of the vCPU in between? If so, guest mode is not entered. */
export const KvmRequestsPending = defineHook('hook.kvm-requests-pending', { cpu: 'cpu', task: 'task' });
/** Interrupts are off, and guest mode is entered next. */
export const KvmEnterGuest = defineHook('hook.kvm-enter-guest', { cpu: 'cpu', task: 'task' });
/** Guest mode was left; interrupts are still off. */
export const KvmExitGuest = defineHook('hook.kvm-exit-guest', { cpu: 'cpu', task: 'task' });
/** The emulator is about to use the guest's registers: get_fpu(). */
export const KvmGetFpu = defineHook('hook.kvm-get-fpu', { cpu: 'cpu', task: 'task' });
/** It has used them: put_fpu(). */
export const KvmPutFpu = defineHook('hook.kvm-put-fpu', { cpu: 'cpu', task: 'task' });
/** The guest's #NM made it leave guest mode: handle_exception(). */
export const KvmGuestNm = defineHook('hook.kvm-guest-nm', { cpu: 'cpu', task: 'task' });
/** The guest's MOV to CR3 made it leave guest mode: handle_cr(). */
export const KvmGuestCr3 = defineHook('hook.kvm-guest-cr3', { cpu: 'cpu', task: 'task' });
/** The guest's XSETBV made it leave guest mode: handle_xsetbv(). */
export const KvmGuestXsetbv = defineHook('hook.kvm-guest-xsetbv', { cpu: 'cpu', task: 'task' });
