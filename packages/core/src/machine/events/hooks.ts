/** Hooks: points at which the kernel asks its policy or platform to act. They change nothing themselves. */
import { defineHook } from '../event-type';

/** `prev` is about to leave the CPU. Linux: switch_fpu_prepare() in __switch_to(). */
export const SwitchOut = defineHook('hook.switch-out', { cpu: 'cpu', task: 'task', next: 'task' });
/** The stack and `current` are the new task's. Linux: switch_fpu_finish() in __switch_to(). */
export const SwitchIn = defineHook('hook.switch-in', { cpu: 'cpu', task: 'task' });
/** The kernel's #NM handler runs. Linux: do_device_not_available(). */
export const TrapNm = defineHook('hook.trap-nm', { cpu: 'cpu', task: 'task' });
/** Kernel code asks whether it may use the FPU here. Linux: irq_fpu_usable(). The answer goes to local 0 of the asking frame. */
export const IrqFpuUsable = defineHook('hook.irq-fpu-usable', { cpu: 'cpu', task: 'task' });
/** A kernel FPU section starts. */
export const KernelFpuBegin = defineHook('hook.kernel-fpu-begin', { cpu: 'cpu', task: 'task' });
/** A kernel FPU section ends. */
export const KernelFpuEnd = defineHook('hook.kernel-fpu-end', { cpu: 'cpu', task: 'task' });
/** `task` forks `child`: its FPU state must be copied. Linux: arch_dup_task_struct(). */
export const Fork = defineHook('hook.fork', { cpu: 'cpu', task: 'task', child: 'task' });
/** execve() drops the old program's FPU state. Linux: flush_thread(). */
export const Exec = defineHook('hook.exec', { cpu: 'cpu', task: 'task' });
/** The task dies. Linux: exit_thread(). */
export const Exit = defineHook('hook.exit', { cpu: 'cpu', task: 'task' });
/** The kernel has switched interrupts off to return to user code and looks what there is to do before that. */
export const ExitToUserPrepare = defineHook('hook.exit-to-user-prepare', { cpu: 'cpu', task: 'task' });
/** The task's state goes to its signal frame; what fails is refused. Linux: copy_fpstate_to_sigframe(), save_xstate_sig(), ... */
export const SignalSave = defineHook('hook.signal-save', { cpu: 'cpu', task: 'task' });
/** The signal frame is complete; the handler starts with a fresh state. Linux: fpu__clear_user_states(), fpu__clear(), ... */
export const SignalClear = defineHook('hook.signal-clear', { cpu: 'cpu', task: 'task' });
/** sigreturn loads the state from the signal frame; what fails is refused. Linux: fpu__restore_sig(), restore_xstate_sig(), ... */
export const SignalRestore = defineHook('hook.signal-restore', { cpu: 'cpu', task: 'task' });
/** The same for a frame of 32-bit programs, which has an FSAVE header in front. Linux: save_xstate_sig(), ia32_fxstate. */
export const SignalSaveIa32 = defineHook('hook.signal-save-ia32', { cpu: 'cpu', task: 'task' });
/** The same for the frame of a 32-bit program: sys32_rt_sigreturn(). */
export const SignalRestoreIa32 = defineHook('hook.signal-restore-ia32', { cpu: 'cpu', task: 'task' });
/** A tracer reads registers of a stopped task: get() of a register set. */
export const PtraceRead = defineHook('hook.ptrace-read', { cpu: 'cpu', task: 'task', target: 'task' });
/** A tracer writes registers of a stopped task: set() of a register set. */
export const PtraceWrite = defineHook('hook.ptrace-write', { cpu: 'cpu', task: 'task', target: 'task' });
/** The task's own registers go to a core file. Linux: fill_thread_core_info(). */
export const CoreDump = defineHook('hook.core-dump', { cpu: 'cpu', task: 'task' });
/** The kernel is about to return to user code, interrupts off. */
export const ExitToUser = defineHook('hook.exit-to-user', { cpu: 'cpu', task: 'task' });
/** At boot, a CPU comes up: the policy brings TS into the state that it expects. Linux: fpu_init(), fpu__init_cpu(). */
export const CpuUp = defineHook('hook.cpu-up', { cpu: 'cpu', task: 'task' });
/** User code met #GP: the policy may know why, and answers 1 in local 0 of the asking frame where it has seen to it. Linux: exc_general_protection(). */
export const TrapGp = defineHook('hook.trap-gp', { cpu: 'cpu', task: 'task' });
/** Another CPU brings this one up with INIT and SIPI: what it held is not to be relied on. Linux: native_cpu_up(), native_kick_ap(). */
export const NativeCpuUp = defineHook('hook.native-cpu-up', { cpu: 'cpu', task: 'task' });
/** A CPU that was down initialises its FPU again. Linux: fpu_init(), fpu__init_cpu(). */
export const CpuInit = defineHook('hook.cpu-init', { cpu: 'cpu', task: 'task' });
/** The machine is about to be suspended, and keeps what it will need. Linux: __save_processor_state(). */
export const CpuSuspending = defineHook('hook.cpu-suspend', { cpu: 'cpu', task: 'task' });
/** The machine wakes from suspend, CR0, CR4, XCR0 and IA32_XSS are written. Linux: fpu__resume_cpu(). */
export const CpuResumed = defineHook('hook.cpu-resume', { cpu: 'cpu', task: 'task' });
/** The idle loop is about to halt the CPU for long, interrupts off; shallow idle states do not ask. Linux: fpu_idle_fpregs() from the cpuidle driver. */
export const IdleEntered = defineHook('hook.idle', { cpu: 'cpu', task: 'task' });
/** The task asks for permission to use a component. Linux: arch_prctl(ARCH_REQ_XCOMP_PERM), xstate_request_perm(). */
export const XcompPermRequested = defineHook('hook.request-xcomp-perm', { cpu: 'cpu', task: 'task' });
/** The task installs an alternate signal stack, too small for what is enabled per task. Linux: sigaltstack(). */
export const SigaltstackInstalled = defineHook('hook.sigaltstack', { cpu: 'cpu', task: 'task' });
/** The task's process was bound to a device and has a PASID. Linux: iommu_sva_bind_device(). */
export const SvaBound = defineHook('hook.sva-bound', { cpu: 'cpu', task: 'task' });
/** Another CPU asked this one to run a function, interrupts off. Linux: flush_smp_call_function_queue(). */
export const CallFunction = defineHook('hook.call-function', { cpu: 'cpu', task: 'task' });
/** The task asked for a protection key, and its PKRU changes with that. Linux: arch_set_user_pkey_access(). */
export const PkeyAccess = defineHook('hook.pkey-access', { cpu: 'cpu', task: 'task' });

/** Code inside a kernel FPU section runs, before the section computes. */
export const KernelFpuSection = defineHook('hook.kernel-fpu-section', { cpu: 'cpu', task: 'task' });
/** A kernel thread has borrowed an address space. */
export const UseMm = defineHook('hook.use-mm', { cpu: 'cpu', task: 'task' });
/** A kernel thread has given an address space back. */
export const UnuseMm = defineHook('hook.unuse-mm', { cpu: 'cpu', task: 'task' });

/** #NM was raised: the platform decides who receives it. */
export const NmRaised = defineHook('hook.nm-raised', { cpu: 'cpu', task: 'task' });
/** A context switch begins; paravirtual kernels start to batch. Linux: arch_start_context_switch(). */
export const ContextSwitchStart = defineHook('hook.context-switch-start', { cpu: 'cpu', task: 'task' });
/** What was batched takes effect. Linux: arch_end_context_switch(). */
export const ContextSwitchEnd = defineHook('hook.context-switch-end', { cpu: 'cpu', task: 'task' });
/** The idle loop halts the (virtual) CPU. Linux: safe_halt(). */
export const Halted = defineHook('hook.halt', { cpu: 'cpu', task: 'task' });
/** The hypervisor takes the physical CPU away from the guest for a while. */
export const VcpuPreempted = defineHook('hook.vcpu-preempted', { cpu: 'cpu', task: 'task' });
/** The kernel has asked the firmware for suspend to RAM: all CPUs lose their power, unless a hypervisor keeps what they hold. */
export const Suspended = defineHook('hook.suspend', { cpu: 'cpu', task: 'task' });
