/** Cells of KVM: how each is reached, and in which kernels it is one. The thread V runs the guest G, and B computes. */
import { guest, kvm as kvmOf, program, sse, syscall, type ModifierPolicy, type PolicyHook } from '@fpulab/core';
import { given, type Cell, type Observation, type PolicySpec } from '@fpulab/core/testing';
import { bareMetal } from '@fpulab/hypervisor';
import { PRESETS, kvm, lazyCr0Ts, type Preset } from '../../src';
import { kvmXcr0 } from '../../src/kvm-xcr0';

/** What `given` needs of a kernel. */
type Policies = ReturnType<Preset['policies']>;

/** Presets with KVM, but for 5.2, which is 5.10 with bugs; and 4.8 with eagerfpu=off, which is no preset. */
export const KVM_KERNELS: Readonly<Record<string, () => Policies>> = {
  ...Object.fromEntries(
    PRESETS.filter(({ id, parts }) => id !== 'linux-5.2' && parts.some(({ policy }) => policy === 'kvm')).map(
      ({ id, policies }) => [id, policies],
    ),
  ),
  'linux-4.8 lazy': () => {
    const base = lazyCr0Ts({ era: 'linux-4.8' });
    return [base, kvm(base, { era: 'linux-4.8' }), kvmXcr0({ form: 'around-guest-mode' })];
  },
};

/** That of KVM, and that of its guests' XCR0. */
const modifiersOf = (kernel: string): readonly ModifierPolicy[] =>
  KVM_KERNELS[kernel]()
    .slice(1)
    .map((policy) => policy as ModifierPolicy)
    .filter(({ id }) => id.startsWith('kvm'));

/** Kernels whose KVM answers a hook. */
export const answering = (hook: PolicyHook): readonly string[] =>
  Object.keys(KVM_KERNELS).filter((kernel) =>
    modifiersOf(kernel).some(({ edits }) => edits.some(({ routine }) => routine === `hook:${hook}`)),
  );

const ALL = Object.keys(KVM_KERNELS);
const LAZY = ALL.filter((kernel) => KVM_KERNELS[kernel]()[0].id === 'lazy-cr0-ts');
/** They have KVM_REQ_DEACTIVATE_FPU. */
const REQUESTS = LAZY.filter((kernel) => kernel !== 'linux-2.6.32');
/** No SSE instruction is emulated before. */
const EMULATES = ALL.filter((kernel) => kernel !== 'linux-2.6.32');

const V = program(sse.write(), kvmOf.run('G'), sse.read(), kvmOf.run('G'), sse.read(), kvmOf.run('G'));
/** The second KVM_RUN begins with an instruction that is not the FPU's, and goes on with one that is. */
const G = program(sse.write(), guest.cr3(), guest.io(), guest.cpuid(), sse.update(), guest.io(), sse.read());
/** It boots, and enables what its host has. */
const BOOTS = program(guest.xsetbv(), sse.write(), guest.io(), sse.read());
const STORES = program(sse.write(), guest.store(), sse.read());

function spec(kernel: string, code = G): PolicySpec {
  return given({
    platform: bareMetal(),
    policies: KVM_KERNELS[kernel](),
    tasks: { V, G: code, B: program(sse.write(), syscall('sched_yield'), sse.read()) },
    kinds: { G: 'guest' },
    pick: ['V', 'B', 'V', 'B', 'V'],
    interference: { preempt: 'full', softirq: true },
  });
}

const preemptedAt = (run: PolicySpec, moment: string): PolicySpec => {
  run.until(moment);
  run.inject('preempt');
  return run;
};
const second = (kernel: string): PolicySpec => {
  const run = spec(kernel);
  run.until('V: sse.read');
  return run;
};

/** A cell: the answer to a hook. */
export interface KvmCell {
  readonly hook: PolicyHook;
  readonly kernels: readonly string[];
  readonly run: (kernel: string) => Cell;
}

const cell = (
  hook: PolicyHook,
  kernels: readonly string[],
  reach: (kernel: string) => PolicySpec,
  nth = 1,
): KvmCell => ({ hook, kernels, run: (kernel) => reach(kernel).when(hook, { task: 'V', nth }) });

/** All of them, by name. */
export const KVM_SITUATIONS: Readonly<Record<string, KvmCell>> = {
  'KVM_RUN begins': cell('kvm-run-begin', answering('kvm-run-begin'), spec),
  'KVM_RUN begins, after the thread was switched out': cell('kvm-run-begin', answering('kvm-run-begin'), (kernel) =>
    preemptedAt(spec(kernel), 'V: kvm_run(G)'),
  ),
  'preemption off before VM entry': cell('kvm-prepare-guest', answering('kvm-prepare-guest'), spec),
  "preemption off before VM entry, registers are another task's": cell(
    'kvm-prepare-guest',
    answering('kvm-prepare-guest'),
    (kernel) => preemptedAt(spec(kernel), 'V: kvm_run(G)'),
  ),
  'preemption off before VM entry, the FPU is not active': cell('kvm-prepare-guest', LAZY, second),
  'preemption off before VM entry, after #NM of the guest': cell('kvm-prepare-guest', LAZY, (kernel) => {
    const run = second(kernel);
    run.until('V: kvm-guest-nm/vmx_fpu_activate: fpu_active = 1');
    return run;
  }),
  'vCPU requests, after its registers were put': cell('kvm-requests', REQUESTS, second),
  'vCPU requests, made by a preemption just before VM entry, which is given up': cell(
    'kvm-requests',
    REQUESTS,
    (kernel) => {
      const run = spec(kernel);
      run.until('V: KVM_REQ_DEACTIVATE_FPU/is it made?', { nth: 2 });
      run.inject('preempt');
      return run;
    },
  ),
  'VM entry': cell('kvm-enter-guest', ALL, spec),
  'VM entry, the FPU is not active': cell('kvm-enter-guest', LAZY, second),
  'VM exit': cell('kvm-exit-guest', ALL, spec),
  'VM exit, the FPU is not active': cell('kvm-exit-guest', LAZY, second),
  '#NM of the guest': cell('kvm-guest-nm', LAZY, second),
  'MOV to CR3 of the guest': cell('kvm-guest-cr3', answering('kvm-guest-cr3'), spec),
  'XSETBV of the guest': cell('kvm-guest-xsetbv', answering('kvm-guest-xsetbv'), (kernel) => spec(kernel, BOOTS)),
  'preemption off before VM entry, the guest has enabled x87 alone': cell(
    'kvm-prepare-guest',
    ['linux-3.6'],
    (kernel) => spec(kernel, BOOTS),
  ),
  'VM entry, the guest has enabled x87 alone': cell('kvm-enter-guest', answering('kvm-guest-xsetbv'), (kernel) =>
    spec(kernel, BOOTS),
  ),
  'VM exit, the guest has enabled x87 alone': cell('kvm-exit-guest', answering('kvm-guest-xsetbv'), (kernel) =>
    spec(kernel, BOOTS),
  ),
  'vCPU is put, the guest has enabled all': cell('kvm-vcpu-put', ['linux-3.6'], (kernel) => spec(kernel, BOOTS)),
  'vCPU is put': cell('kvm-vcpu-put', answering('kvm-vcpu-put'), spec),
  'vCPU is put, its FPU was not active': cell('kvm-vcpu-put', LAZY, (kernel) =>
    preemptedAt(second(kernel), 'V: vcpu_enter_guest/preempt_enable'),
  ),
  'emulation, after the thread was switched out': cell('kvm-get-fpu', EMULATES, (kernel) =>
    preemptedAt(spec(kernel, STORES), 'V: handle_exit/x86_emulate_instruction'),
  ),
  'emulation is over': cell('kvm-put-fpu', EMULATES, (kernel) => spec(kernel, STORES)),
  'KVM_RUN ends': cell('kvm-run-end', answering('kvm-run-end'), spec),
};

const SHOWN = ['XCR0', 'TS', 'fpregs', 'V.image', 'V.user_fpu', 'V.guest_fpu'];
const FLAGS = ['TS_USEDFPU', 'has_fpu', 'fpregs_active', 'TIF_NEED_FPU_LOAD', 'fpu_active', 'guest_fpu_loaded'];

/** What a cell starts from: `TS=0 fpregs=sse=V:1 image=INIT guest_fpu=INIT has_fpu=1 fpu_active=1 guest_fpu_loaded=0`. */
export function kvmText(seen: Observation): string {
  return [...SHOWN, ...FLAGS.map((flag) => `V.${flag}`)]
    .filter((name) => name in seen)
    .map((name) => `${name.replace('V.', '')}=${seen[name]}`)
    .join(' ');
}
