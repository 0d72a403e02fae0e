/** Scenarios of 32-bit and x32 programs, whose signal frames differ. */
import { either, frame, program, sse, syscall, x87 } from '../kernel/program';
import type { Scenario, Sometimes } from './scenario';
import { USED_BY_ALL, cameBack } from './sometimes';

/** What is peculiar to each of these scenarios. */
export type AbiScenario = Pick<Scenario, 'id' | 'title' | 'tasks' | 'interference' | 'sometimes'> & Partial<Scenario>;

const died = (name: string): Sometimes => ({
  id: `${name}-died-in-sigreturn`,
  text: `${name} was killed because of its frame`,
  tasks: [name],
  test: (event, [task], where) =>
    event.type === 'task.exiting' && event.data.task === task && where.isInside(task, 'sys_rt_sigreturn'),
});

/** One task and interrupts, no more: sigreturn moves the state through memory, where an interrupt that uses the FPU may save over it. */
const ia32Irq: AbiScenario = {
  id: 'ia32-irq',
  title: 'a 32-bit program takes a signal while hardirqs and softirqs use the FPU',
  tasks: [{ name: 'A', abi: 'ia32', program: program(x87.write(), syscall('raise'), x87.read()), handler: program() }],
  interference: { hardirq: true, softirq: true, nesting: 1 },
  sometimes: [...USED_BY_ALL(['A']), cameBack('A')],
};

/** Its x87 state is in two places of the frame. */
const ia32Frames: AbiScenario = {
  id: 'ia32-frames',
  title:
    'a 32-bit program takes a signal, B computes; the frame faults, the handler spoils it or changes its FSAVE header',
  tasks: [
    {
      name: 'A',
      abi: 'ia32',
      program: program(x87.write(), syscall('raise'), x87.read(), sse.read()),
      handler: program(either(x87.write(), frame('fsave'), frame('fx-only'), frame('forged'), frame('unmapped'))),
    },
    { name: 'B', program: program(x87.write(), syscall('sched_yield'), x87.read()) },
  ],
  interference: { preempt: 'user', userFaults: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['A', 'B']), cameBack('A'), died('A')],
};

/** No fault, but preemption anywhere. */
const ia32Preempted: AbiScenario = {
  id: 'ia32-preempted',
  title: 'a 32-bit program takes a signal, B computes; everything is preempted, nothing faults',
  tasks: [
    { name: 'A', abi: 'ia32', program: program(x87.write(), syscall('raise'), x87.read()), handler: program() },
    { name: 'B', program: program(x87.write(), x87.read()) },
  ],
  interference: { preempt: 'full' },
  sometimes: [...USED_BY_ALL(['A', 'B']), cameBack('A')],
};

/** The FPU part of their frames is that of 64-bit programs. */
const x32Frames: AbiScenario = {
  id: 'x32-frames',
  title: 'an x32 and a 64-bit program take signals; frames fault, handlers spoil them',
  tasks: [
    {
      name: 'A',
      abi: 'x32',
      program: program(sse.write(), syscall('raise'), sse.read()),
      handler: program(either(sse.write(), frame('fx-only'), frame('forged'), frame('unmapped'))),
    },
    { name: 'B', program: program(sse.write(), syscall('raise'), sse.read()), handler: program(sse.write()) },
  ],
  interference: { preempt: 'user', userFaults: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['A', 'B']), cameBack('A'), cameBack('B'), died('A')],
};

/** All of them. */
export const ABI_SCENARIOS: readonly AbiScenario[] = [ia32Frames, ia32Preempted, ia32Irq, x32Frames];
