/**
 * KVM on hosts that switch lazily, Linux 3.6 to 4.8: the guest's FPU is active while it uses it. When its registers are put, KVM_REQ_DEACTIVATE_FPU is
 * made; the next vcpu_enter_guest() makes it inactive, and #NM of the guest active again. arch/x86/kvm/x86.c, vmx.c of 3.6, 4.1.27 and 4.8.15;
 * __kernel_fpu_begin(), __kernel_fpu_end() of their FPU code.
 */
import {
  NOBODY,
  group,
  slot,
  step,
  unless,
  when,
  type BasePolicy,
  type Condition,
  type Kernel,
  type PatchEdit,
  type RoutineNode,
  type Slot,
} from '@fpulab/core';
import type { LazyEra } from '../lazy-cr0-ts';
import { FPU_ACTIVE, guestTs } from './guest-ts';
import { kernelFpu, type FpuSlots } from './kernel-fpu';
import type { KvmPart } from './pkru';
import { slotOf } from './slot-of';

/** Kernels with KVM_REQ_DEACTIVATE_FPU. */
export type RequestEra = Exclude<LazyEra, 'linux-2.6.32'>;

const XSAVE = { instruction: 'xsave' } as const;

/** How each kernel knows that a task uses its registers, whose they are, and that it has an image. */
interface Form extends FpuSlots {
  readonly used: string;
}

const ALLOCATED: Form = { active: 'has_fpu', owner: 'fpu_owner_task', used: 'PF_USED_MATH' };
const EMBEDDED: Form = { active: 'fpregs_active', owner: 'fpu_fpregs_owner_ctx', used: 'fpstate_active' };
const FORMS: Readonly<Record<RequestEra, Form>> = {
  'linux-3.6': ALLOCATED,
  'linux-4.1': ALLOCATED,
  'linux-4.2': EMBEDDED,
  'linux-4.8': EMBEDDED,
};

/** Slots of KVM. */
interface Own {
  readonly fpuActive: Slot;
  readonly loaded: Slot;
  readonly request: Slot;
  readonly hostState: Slot;
  /** Of 4.3 and later: how often the guest's registers were put in succession. */
  readonly counter: Slot | undefined;
}

/** What a kernel does to have the guest's registers in place, and what to have the thread's again. */
interface Swap {
  /** Before the guest's image is loaded, and whether #NM may come then. */
  readonly begin: RoutineNode;
  readonly loadTraps: boolean;
  /** After the guest's registers were saved. */
  readonly end: readonly RoutineNode[];
  /** CR0.TS after VM exit, and what vmx_vcpu_put() makes of it: __vmx_load_host_state(). */
  readonly hostTs: boolean;
  readonly putTs: RoutineNode;
}

const isSet =
  (flag: Slot): Condition =>
  (k) =>
    k.read(flag, k.task) !== 0;
const write = (name: string, flag: Slot, value: 0 | 1): RoutineNode => step(name, (k) => k.write(flag, k.task, value));

/** Loading and putting the guest's registers, and where that is done. */
export function lazyPart(base: BasePolicy, era: RequestEra): KvmPart {
  const own: Own = {
    fpuActive: slot.task(FPU_ACTIVE, 'flag', 1),
    loaded: slot.task('guest_fpu_loaded', 'flag'),
    request: slot.task('KVM_REQ_DEACTIVATE_FPU', 'flag'),
    hostState: slot.task('host_state.loaded', 'flag'),
    counter: era === 'linux-4.8' ? slot.taskCounter('vcpu->fpu_counter', { threshold: 4, modulus: 256 }) : undefined,
  };
  const { fpuActive, loaded, request, hostState, counter } = own;
  const swap = era === 'linux-3.6' ? unlazy(base) : underKernelFpu(base, FORMS[era], loaded);
  const load = loadGuestFpu(own, swap);
  return {
    slots: [fpuActive, loaded, request, hostState, ...(counter ? [counter] : [])],
    edits: [
      { edit: 'append', routine: 'hook:kvm-run-begin', nodes: [imageOfThread(base, FORMS[era])] },
      ...requests(own),
      {
        edit: 'append',
        routine: 'hook:kvm-prepare-guest',
        nodes: [write('vmx_save_host_state: loaded = 1', hostState, 1), when(isSet(fpuActive), [load])],
      },
      ...guestTs(fpuActive, () => swap.hostTs),
      {
        edit: 'append',
        routine: 'hook:kvm-vcpu-put',
        nodes: [
          group('__vmx_load_host_state', [
            when(isSet(hostState), [write('host_state.loaded = 0', hostState, 0), swap.putTs]),
          ]),
          putGuestFpu(own, swap),
        ],
      },
      ...emulatorEdits(load),
    ],
  };
}

/** kvm_arch_vcpu_ioctl_run(): a thread without an image gets one. */
function imageOfThread(base: BasePolicy, { used }: Form): RoutineNode {
  const usedFlag = slotOf(base, used);
  const own = (k: Kernel): number => k.fpstateOf(k.task);
  if (used !== 'PF_USED_MATH') {
    return group('fpu__activate_curr', [
      unless(isSet(usedFlag), [
        step('fpstate_init', (k) => k.initFpstate(own(k))),
        write('fpstate_active = 1', usedFlag, 1),
      ]),
    ]);
  }
  const failed: Condition = (k) => k.local(0) !== 0;
  return group('init_fpu', [
    unless(isSet(usedFlag), [
      unless(
        (k) => k.isAllocated(own(k)),
        [
          step('kmem_cache_alloc', (k) => k.setLocal(0, k.allocationMaySleep() ? 0 : 1)),
          unless(failed, [step('fpu->state = new memory', (k) => k.allocate(own(k)))]),
        ],
      ),
      when(
        failed,
        [step('return -ENOMEM', (k) => k.refuse())],
        [step('fpu_finit', (k) => k.initFpstate(own(k))), write('set PF_USED_MATH', usedFlag, 1)],
      ),
    ]),
  ]);
}

/** vcpu_enter_guest(): requests are looked at when it begins, and again with interrupts off. */
function requests({ fpuActive, request }: Own): readonly PatchEdit[] {
  return [
    {
      edit: 'append',
      routine: 'hook:kvm-requests',
      nodes: [
        group('KVM_REQ_DEACTIVATE_FPU', [
          // A preemption behind this makes one that is seen with interrupts off.
          step('is it made?', (k) => k.setLocal(0, isSet(request)(k) ? 1 : 0)),
          when(
            (k) => k.local(0) !== 0,
            [write('clear the request', request, 0), write('vmx_fpu_deactivate: fpu_active = 0', fpuActive, 0)],
          ),
        ]),
      ],
    },
    {
      edit: 'append',
      routine: 'hook:kvm-requests-pending',
      nodes: [step('is there a request?', (k) => k.answer(isSet(request)(k)))],
    },
  ];
}

function loadGuestFpu({ loaded }: Own, { begin, loadTraps }: Swap): RoutineNode {
  return group('kvm_load_guest_fpu', [
    unless(isSet(loaded), [
      write('guest_fpu_loaded = 1', loaded, 1),
      begin,
      step('load guest_fpu', (k) => void k.restore(k.fpstateOf(k.task, 'guest')), { ...XSAVE, nmExpected: loadTraps }),
    ]),
  ]);
}

function putGuestFpu({ loaded, request, counter }: Own, { end }: Swap): RoutineNode {
  const deactivate = write('make KVM_REQ_DEACTIVATE_FPU', request, 1);
  const mayDeactivate =
    counter === undefined
      ? [deactivate]
      : [
          step('++vcpu->fpu_counter', (k) => k.count(counter, k.task)),
          unless((k) => k.isAbove(counter, k.task), [deactivate]),
        ];
  return group('kvm_put_guest_fpu', [
    when(
      isSet(loaded),
      [
        write('guest_fpu_loaded = 0', loaded, 0),
        step('save guest_fpu', (k) => void k.save(k.fpstateOf(k.task, 'guest')), XSAVE),
        ...end,
        ...mayDeactivate,
      ],
      counter === undefined ? [] : [step('vcpu->fpu_counter = 0', (k) => k.write(counter, k.task, 0))],
    ),
  ]);
}

/** TS may still be what it is for the thread. */
function emulatorEdits(load: RoutineNode): readonly PatchEdit[] {
  return [
    {
      edit: 'append',
      routine: 'hook:kvm-get-fpu',
      nodes: [
        group('emulator_get_fpu', [
          step('preempt_disable', (k) => k.preemptDisable()),
          load,
          step('emulator_get_fpu: clts', (k) => k.clts()),
        ]),
      ],
    },
    {
      edit: 'append',
      routine: 'hook:kvm-put-fpu',
      nodes: [group('emulator_put_fpu', [step('preempt_enable', (k) => k.preemptEnable())])],
    },
  ];
}

/**
 * 3.6: unlazy_fpu() leaves TS set, so that loading the guest's image raises #NM. Its handler loads the thread's registers, which belong to the thread
 * from then on, and the guest's come on top of them.
 */
function unlazy(base: BasePolicy): Swap {
  const active = slotOf(base, 'has_fpu');
  const owner = slotOf(base, 'fpu_owner_task');
  const counter = slotOf(base, 'fpu_counter');
  return {
    begin: group('unlazy_fpu', [
      step('unlazy_fpu: preempt_disable', (k) => k.preemptDisable()),
      when(
        isSet(active),
        [
          step('__save_init_fpu', (k) => void k.save(k.fpstateOf(k.task)), XSAVE),
          step('has_fpu = 0, owner = NULL', (k) => {
            k.write(active, k.task, 0);
            k.write(owner, k.cpu, NOBODY);
          }),
          step('unlazy_fpu: stts', (k) => k.stts()),
        ],
        [step('unlazy_fpu: fpu_counter = 0', (k) => k.write(counter, k.task, 0))],
      ),
      step('unlazy_fpu: preempt_enable', (k) => k.preemptEnable()),
    ]),
    loadTraps: true,
    end: [],
    hostTs: true,
    putTs: when(isSet(active), [step('__vmx_load_host_state: clts', (k) => k.clts())]),
  };
}

/** 4.1 on: neither the thread nor an interrupt gets at the registers before __kernel_fpu_end(). */
function underKernelFpu(base: BasePolicy, form: Form, loaded: Slot): Swap {
  const { begin, end, isActive } = kernelFpu(base, form, { lazy: true });
  return {
    begin,
    loadTraps: false,
    end: [end],
    hostTs: false,
    putTs: unless((k) => isActive(k) || isSet(loaded)(k), [step('__vmx_load_host_state: stts', (k) => k.stts())]),
  };
}
