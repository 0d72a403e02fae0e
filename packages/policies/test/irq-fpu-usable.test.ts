/** Who may use the FPU in interrupts: kernels whose other tests do not say. */
import { program, sse, syscall } from '@fpulab/core';
import { KERNELS, type KernelName } from './cells';
import { irqFpuUsableNow, nap, noFpu, onBareMetal } from './support';

const A = program(sse.write(), syscall('getpid'), nap, syscall('getpid'), syscall('kernel_fpu'));
const interference = { hardirq: true, softirq: true };
const usable = (kernel: KernelName, moment: string, { nth = 1, kind = 'hardirq' as 'hardirq' | 'softirq' } = {}) => {
  const run = onBareMetal(KERNELS[kernel](), { tasks: { A, B: noFpu }, interference });
  run.until(moment, { nth });
  return irqFpuUsableNow(run, kind);
};

describe.each<[KernelName, boolean]>([
  ['linux-2.6.32', false],
  ['linux-4.1 lazy', false],
  ['linux-4.1 eager', true],
  ['linux-4.2 eager', true],
  ['linux-4.14', true],
  ['linux-5.2', true],
  ['linux-6.1', true],
  ['linux-6.12', true],
])('irq_fpu_usable, %s', (kernel, inKernelOfUser) => {
  it('yes: it interrupted user mode', () => {
    expect(usable(kernel, 'A: sse.write')).toBe(true);
    expect(usable(kernel, 'A: sse.write', { kind: 'softirq' })).toBe(true);
  });

  it(`${inKernelOfUser ? 'yes' : 'no'}: it interrupted the kernel of a task whose registers are in the CPU`, () => {
    expect(usable(kernel, 'A: getpid')).toBe(inKernelOfUser);
  });

  it('yes: it interrupted the kernel of a task without registers', () => {
    expect(usable(kernel, 'A: getpid', { nth: 2 })).toBe(true);
  });

  it('no: it interrupted a kernel FPU section', () => {
    expect(usable(kernel, 'A: compute')).toBe(false);
  });
});

describe.each<KernelName>(['linux-5.2', 'linux-6.1', 'linux-6.12'])('fpregs_lock, %s', (kernel) => {
  it('a hardirq that hits it may not use the FPU: bottom halves are off (59f5ede3bc0f)', () => {
    const tasks = { A: program(sse.write(), syscall('raise'), sse.read()), B: noFpu };
    const run = onBareMetal(KERNELS[kernel](), { tasks, handlers: { A: program() }, interference });
    expect(run.until('A: xrstor_from_user_sigframe').masks).toBe('syscall bh-off');
    expect(irqFpuUsableNow(run)).toBe(false);
  });
});

it('math_state_restore() of eager 4.1: a hardirq may not take the registers for the task’s before they are (7575637ab293)', () => {
  const tasks = { A: program(sse.write(), syscall('raise'), sse.read()), B: noFpu };
  const options = { tasks, handlers: { A: program() }, abis: { A: 'ia32' }, interference } as const;
  const run = onBareMetal(KERNELS['linux-4.1 eager'](), options);
  run.until('A: math_state_restore/__thread_fpu_begin');
  expect(irqFpuUsableNow(run)).toBe(false);
  run.until('A: sse.read');
  expect(run.architecturalViolations).toEqual([]);
});
