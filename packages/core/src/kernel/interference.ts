/** What may come between two steps, beyond the tasks' own system calls. */
export interface Interference {
  /** Preemption: of user code, or of kernel code too where the masks allow. */
  readonly preempt?: 'none' | 'user' | 'full';
  /** Hardirqs whose handlers use the FPU, where irq_fpu_usable() says yes. */
  readonly hardirq?: boolean;
  /** The same for softirqs. */
  readonly softirq?: boolean;
  /** The hypervisor takes the physical CPU away. */
  readonly vcpu?: boolean;
  /** The idle task may be picked although others could run. `preempts`: even where no other task could, as a kernel thread would run then. */
  readonly idle?: boolean | 'preempts';
  /** Tasks may move between CPUs. */
  readonly migration?: boolean;
  /** How many interrupts may nest on one stack; as many as the masks allow (a hardirq in a softirq: 2) when left out. */
  readonly nesting?: number;
  /** Accesses of the kernel to user memory may fault, restores from there part-way; pages then come, after a while or never. */
  readonly userFaults?: boolean;
  /** Signals may arrive at any time for tasks that have a handler. */
  readonly signals?: boolean;
  /** First-use allocations may sleep, or fail. */
  readonly allocation?: { readonly sleep?: boolean; readonly fail?: boolean };
}
