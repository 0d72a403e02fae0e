/**
 * KVM_RUN, cell by cell of the table of kernel generations by hooks: the thread V, which runs the guest G. What the changes do not name
 * stayed as it was.
 */
import { guest, kvm as kvmOf, program, sse, syscall, type PolicyHook } from '@fpulab/core';
import { given, type Cell, type PolicySpec } from '@fpulab/core/testing';
import { bareMetal } from '@fpulab/hypervisor';
import { presetOf } from '../../src';

const KERNELS = ['linux-5.10', 'linux-5.15', 'linux-6.1', 'linux-6.12'] as const;

const V = program(sse.write(), kvmOf.run('G'), sse.read(), kvmOf.run('G'), sse.read());
const G = program(sse.write(), guest.io(), sse.read(), guest.store(), sse.read());

function spec(preset: string): PolicySpec {
  const tasks = { V, G, B: program(sse.write(), syscall('sched_yield'), sse.read()) };
  return given({
    platform: bareMetal(),
    policies: presetOf(preset).policies(),
    tasks,
    kinds: { G: 'guest' },
    pick: ['V', 'B', 'V'],
    interference: { preempt: 'full', softirq: true },
  });
}

/** The answer to a hook while V runs its guest, without the masks, which come back in the end. */
function cell(run: PolicySpec, hook: PolicyHook): readonly [string, Readonly<Record<string, string>>] {
  const { before, changes }: Cell = run.when(hook, { task: 'V' });
  const { masks, ...others } = changes;
  void masks;
  const flags = `fpregs=${before.fpregs} owner=${before.fpu_fpregs_owner_ctx} TIF=${before['V.TIF_NEED_FPU_LOAD']}`;
  return [flags, others];
}

const saves = (image: string, value: string): Readonly<Record<string, string>> => ({ [image]: `INIT -> ${value}` });
/** fpu->fpstate, by number in FPSTATE_KINDS. */
const pointer = (preset: string, from: number, to: number): Readonly<Record<string, string>> =>
  preset === 'linux-5.10' || preset === 'linux-5.15' ? {} : { 'V.fpstate': `${from} -> ${to}` };
const isCopied = (preset: string): boolean => preset === 'linux-5.10' || preset === 'linux-5.15';

describe.each(KERNELS)('KVM_RUN, %s', (preset) => {
  const users = isCopied(preset) ? 'V.user_fpu' : 'V.image';

  it('enter: user registers are saved, the guest’s are loaded, the registers stay the thread’s', () => {
    const [before, changes] = cell(spec(preset), 'kvm-run-begin');
    expect(before).toBe('fpregs=sse=V:1 owner=V TIF=0');
    expect(changes).toEqual({ ...saves(users, 'sse=V:1'), ...pointer(preset, 0, 3), fpregs: 'sse=V:1 -> INIT' });
  });

  it('enter, after the thread was switched out: memory has the user registers, and the guest’s are loaded', () => {
    const run = spec(preset);
    run.until('V: kvm_run(G)');
    run.inject('preempt');
    const [before, changes] = cell(run, 'kvm-run-begin');
    expect(before).toBe('fpregs=sse=B:1 owner=B TIF=1');
    expect(changes).toEqual({
      ...(isCopied(preset) ? saves(users, 'sse=V:1') : {}),
      ...pointer(preset, 0, 3),
      fpregs: 'sse=B:1 -> INIT',
      fpu_fpregs_owner_ctx: 'B -> V',
      'V.TIF_NEED_FPU_LOAD': '1 -> 0',
    });
  });

  it('leave: the guest’s registers are saved, the user’s are loaded', () => {
    const [before, changes] = cell(spec(preset), 'kvm-run-end');
    expect(before).toBe('fpregs=sse=G:1 owner=V TIF=0');
    expect(changes).toEqual({
      ...saves('V.guest_fpu', 'sse=G:1'),
      ...pointer(preset, 3, 0),
      fpregs: 'sse=G:1 -> sse=V:1',
    });
  });

  it('switch-out in KVM_RUN: the guest’s registers go to fpu->fpstate, which is the guest’s or stands for it', () => {
    const run = spec(preset);
    run.until('V: vcpu_enter_guest/preempt_enable');
    run.inject('preempt');
    const [before, changes] = cell(run, 'switch-out');
    expect(before).toBe('fpregs=sse=G:1 owner=V TIF=0');
    const image = isCopied(preset) ? { 'V.image': 'INIT -> sse=G:1' } : saves('V.guest_fpu', 'sse=G:1');
    expect(changes).toEqual(image);
  });

  it('VM entry: nothing while the registers are valid', () => {
    expect(cell(spec(preset), 'kvm-enter-guest')).toEqual(['fpregs=INIT owner=V TIF=0', {}]);
  });

  it('VM entry after a kernel FPU section of an interrupt: TIF is set, the guest’s registers are loaded again', () => {
    const run = spec(preset);
    run.until('V: sse.read');
    run.until('V: kvm_arch_vcpu_ioctl_run');
    run.until('V: vCPU is loaded/vcpu_enter_guest');
    run.inject('softirq');
    const [before, changes] = cell(run, 'kvm-enter-guest');
    expect(before).toMatch(/^fpregs=sse=kernel:\d+ owner=nobody TIF=1$/);
    expect(changes).toEqual({
      fpregs: expect.stringMatching(/^sse=kernel:\d+ -> sse=G:1$/) as string,
      fpu_fpregs_owner_ctx: 'nobody -> V',
      'V.TIF_NEED_FPU_LOAD': '1 -> 0',
    });
  });

  it('emulation: the registers are the guest’s, loaded if TIF is set, until put_fpu', () => {
    const run = spec(preset);
    run.until('V: handle_exit/x86_emulate_instruction');
    run.inject('softirq');
    const [before, changes] = cell(run, 'kvm-get-fpu');
    expect(before).toMatch(/TIF=1$/);
    expect(changes).toMatchObject({
      fpregs: expect.stringMatching(/-> sse=G:1$/) as string,
      'V.TIF_NEED_FPU_LOAD': '1 -> 0',
    });
    run.until('G: guest.store');
    expect(run.observe().masks).toBe('syscall bh-off');
    expect(run.finish().masks).not.toContain('bh-off');
    expect(run.violations).toEqual([]);
  });
});

const EAGER = ['linux-4.1-eager', 'linux-4.2-eager', 'linux-4.8', 'linux-4.14'] as const;

describe.each(EAGER)('KVM_RUN with preempt notifiers, %s', (preset) => {
  const observed = (run: PolicySpec, hook: PolicyHook): readonly [string, Readonly<Record<string, string>>] => {
    const { before, changes } = run.when(hook, { task: 'V' });
    const { masks, ...others } = changes;
    void masks;
    return [`TS=${before.TS} fpregs=${before.fpregs} in_kernel_fpu=${before.in_kernel_fpu}`, others];
  };

  it('before VM entry, preemption off: user registers are saved, the guest’s loaded, no interrupt may use the FPU', () => {
    const [before, changes] = observed(spec(preset), 'kvm-prepare-guest');
    expect(before).toBe('TS=0 fpregs=sse=V:1 in_kernel_fpu=0');
    expect(changes).toEqual({
      'V.guest_fpu_loaded': '0 -> 1',
      in_kernel_fpu: '0 -> 1',
      'V.image': 'INIT -> sse=V:1',
      fpregs: 'sse=V:1 -> INIT',
    });
  });

  it('switched out in KVM_RUN: the notifier puts the guest’s registers, and has loaded the user’s before they are saved', () => {
    const run = spec(preset);
    run.until('V: vcpu_enter_guest/preempt_enable');
    run.inject('preempt');
    const [before, changes] = observed(run, 'kvm-vcpu-put');
    expect(before).toBe('TS=0 fpregs=sse=G:1 in_kernel_fpu=1');
    expect(changes).toEqual({
      'V.guest_fpu_loaded': '1 -> 0',
      'V.guest_fpu': 'INIT -> sse=G:1',
      fpregs: 'sse=G:1 -> sse=V:1',
      in_kernel_fpu: '1 -> 0',
    });
  });

  it('leave: vcpu_put() does the same', () => {
    const run = spec(preset);
    run.until('V: handle_exit/exit to user space');
    const [before, changes] = observed(run, 'kvm-vcpu-put');
    expect(before).toBe('TS=0 fpregs=sse=G:1 in_kernel_fpu=1');
    expect(changes).toMatchObject({ 'V.guest_fpu': 'INIT -> sse=G:1', fpregs: 'sse=G:1 -> sse=V:1' });
  });

  it('emulation after the thread was switched out: get_fpu() loads the guest’s registers, and keeps preemption off', () => {
    const run = spec(preset);
    run.until('V: handle_exit/x86_emulate_instruction');
    run.inject('preempt');
    const [before, changes] = observed(run, 'kvm-get-fpu');
    expect(before).toMatch(/fpregs=sse=V:\d in_kernel_fpu=0$/);
    expect(changes).toMatchObject({ fpregs: expect.stringMatching(/-> sse=G:1$/) as string, in_kernel_fpu: '0 -> 1' });
    run.until('G: guest.store');
    expect(run.observe().masks).toBe('syscall preempt-off');
    run.finish();
    expect(run.violations.filter((violation) => !violation.startsWith('speculative'))).toEqual([]);
  });
});
