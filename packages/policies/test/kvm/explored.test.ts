/** Guests of KVM under every interleaving, and what their verdicts rest on. */
import { compose, events, scenarioOf, type OracleId, type Patch } from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';
import { inLong } from '../../../core/test/support/often';
import { KVM_PATCHES, presetOf } from '../../src';
import { expectInOrder, found, judged } from '../explored';
import { removing } from '../support';

describe('verified', () => {
  it.each<[string, string, number]>([
    ['linux-2.6.32', 'kvm-cr3', 14111],
    ['linux-6.1', 'kvm-cr3', 6902],
    ['linux-4.1-eager', 'kvm-xcr0', 8712],
    ['linux-4.14', 'kvm-xcr0', 4511],
    ['linux-6.1', 'kvm-xcr0', 16325],
    ['linux-4.14', 'kvm-run', 26535],
    ['linux-4.14', 'kvm-pkru', 17625],
    ['linux-4.14', 'kvm-pkru-changed', 4464],
    ['linux-5.10', 'kvm-pkru-changed', 23633],
    ['linux-4.8', 'kvm-pkru-without-pke', 23],
    ['linux-6.1', 'kvm-pkru-without-pke', 25],
    ...inLong<[string, string, number]>(
      ['linux-4.1', 'kvm-cr3', 44798],
      ['linux-4.2', 'kvm-cr3', 40163],
      ['linux-5.10', 'kvm-xcr0', 21479],
      ['linux-4.14', 'kvm-migration', 109451],
      ['linux-6.1', 'kvm-run', 77443],
      ['linux-4.14', 'kvm-emulation', 34329],
      ['linux-4.1-eager', 'kvm-run', 42787],
      ['linux-4.8', 'kvm-run', 37873],
      ['linux-2.6.32', 'kvm-run', 61748],
      ['linux-4.1', 'kvm-xcr0', 202786],
      ['linux-4.2', 'kvm-xcr0', 161012],
      ['linux-4.1', 'kvm-run', 657807],
      ['linux-4.2', 'kvm-run', 512724],
      ['linux-5.10', 'kvm-run', 92292],
      ['linux-4.1', 'kvm-emulation', 666496],
      ['linux-4.2', 'kvm-emulation', 517851],
      ['linux-4.1-eager', 'kvm-emulation', 54708],
      ['linux-4.8', 'kvm-emulation', 48549],
      ['linux-2.6.32', 'kvm-migration', 197491],
      ['linux-5.10', 'kvm-migration', 377431],
      ['linux-6.1', 'kvm-migration', 302745],
      ['linux-5.10', 'kvm-emulation', 100355],
      ['linux-5.15', 'kvm-pkru', 73239],
    ),
  ])('%s, %s: %d states', async (preset, scenario, states) => {
    const result = await judged({ preset, scenario });
    expect([result.verdict, result.states]).toEqual(['verified', states]);
    expect(result.sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });
});

it('linux-3.6 is verified where KVM loads the guest’s registers with TS clear', async () => {
  const patches = KVM_PATCHES.filter(({ id }) => id === 'kvm-under-kernel-fpu');
  const { verdict, states } = await judged({ preset: 'linux-3.6', scenario: 'kvm-cr3', patches });
  expect([verdict, states]).toEqual(['verified', 22020]);
});

/** On lazy hosts kvm-migration has millions of states; without the bystander it has thousands. */
describe('V and its guest alone on two CPUs', () => {
  const { tasks, sometimes, ...others } = scenarioOf('kvm-migration');
  const scenario = {
    ...others,
    tasks: tasks.filter(({ name }) => name !== 'B'),
    sometimes: sometimes.filter((one) => !one.tasks.includes('B')),
  };
  const mends = (preset: string) =>
    KVM_PATCHES.filter(({ id }) => preset === 'linux-3.6' && id === 'kvm-under-kernel-fpu');

  it.each([
    ['linux-2.6.32', 1694],
    ['linux-3.6', 5538],
    ['linux-4.1', 12604],
    ['linux-4.2', 12588],
  ])('%s is verified: %d states', async (preset, states) => {
    const result = await judged({ preset, scenario, patches: mends(preset) });
    expect([result.verdict, result.states]).toEqual(['verified', states]);
    expect(result.sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });

  it('linux-3.6 as it is, is not', async () =>
    expect((await found({ preset: 'linux-3.6', scenario, oracles: ['leak'] })).oracle).toBe('leak'));

  it('linux-4.1 is not where no notifier saves the guest’s registers', async () => {
    const patches = [removing('drop', 'kvm-vcpu-put', 'save guest_fpu')];
    expect((await judged({ preset: 'linux-4.1', scenario, patches })).verdict).toBe('violation');
  });
});

describe('found', () => {
  it('3.6 loads the guest’s registers under TS, and saves them as the thread’s: b1a74bf82123', async () => {
    const { oracle, story } = await found({ preset: 'linux-3.6', scenario: 'kvm-run', oracles: ['leak'] });
    expect(oracle).toBe('leak');
    expectInOrder(
      story,
      'V: guest_fpu_loaded = 1',
      'V: has_fpu = 1, owner = current',
      'V: load guest_fpu',
      'V: VM entry',
      'V: save guest_fpu',
      'V: sysret',
    );
  });

  it('4.8 loads the guest’s image with a PKRU that the host had when it was saved: 38cfd5e3df9c', async () => {
    const { oracle, story } = await found({ preset: 'linux-4.8', scenario: 'kvm-pkru-changed', oracles: ['leak'] });
    expect(oracle).toBe('leak');
    expectInOrder(
      story,
      'V: pkru.write',
      'V: save guest_fpu',
      'V: pkru.initialise',
      'V: load guest_fpu',
      'V: VM entry',
    );
  });

  it('5.2 keeps the user’s registers where the next context switch puts the guest’s: ec269475cba7', async () => {
    const patches = KVM_PATCHES.filter(({ id }) => id === 'kvm-user-in-thread-fpu');
    const { story } = await found({ preset: 'linux-5.10', scenario: 'kvm-run', patches, oracles: ['lost-update'] });
    expectInOrder(
      story,
      'V: sse.write',
      'V: save_fpregs_to_fpstate(thread.fpu)',
      'V: load guest_fpu',
      'V: save_fpregs_to_fpstate',
      'V: load thread.fpu',
      'V: sse.read',
    );
  });

  it('5.2 takes what an interrupt’s kernel FPU section left for the guest’s: 2620fe268e80', async () => {
    const patches = KVM_PATCHES.filter(({ id }) => id === 'kvm-put-ignores-flag');
    const { story } = await found({ preset: 'linux-5.10', scenario: 'kvm-run', patches, oracles: ['leak'] });
    expectInOrder(
      story,
      'G: guest.io',
      'V: kernel_fpu_begin/set TIF_NEED_FPU_LOAD',
      'V: copy_fpregs_to_fpstate(guest_fpu)',
      'V: load guest_fpu',
    );
  });

  it('so linux-5.2 has both', async () => {
    expect((await judged({ preset: 'linux-5.2', scenario: 'kvm-run' })).verdict).toBe('violation');
  });
});

describe('XCR0 of a guest', () => {
  const removed = [removing('drop', 'kvm-exit-guest', 'xsetbv(host_xcr0)')];
  const early: Patch = {
    id: 'xcr0-early',
    title: 'the guest’s XCR0 is there when its registers are loaded',
    source: 'hypothetical',
    edits: [
      {
        edit: 'move-before',
        routine: 'hook:kvm-enter-guest',
        step: 'xsetbv(vcpu->arch.xcr0)',
        anchor: 'vcpu_enter_guest FPU',
      },
    ],
  };

  it.each<[string, string, readonly Patch[], OracleId]>([
    ['stays after VM exit', 'linux-4.14', removed, 'lost-update'],
    ['stays after VM exit', 'linux-6.1', removed, 'lost-update'],
    ['comes before its registers', 'linux-5.10', [early], 'leak'],
  ])('%s: %s', async (_, preset, patches, oracle) => {
    const { verdict, counterexamples } = await judged({ preset, scenario: 'kvm-xcr0', patches });
    expect([verdict, counterexamples[0]?.oracle]).toEqual(['violation', oracle]);
  });
});

/** The steps at which the debug watch for PKRU in kernel FPU sections speaks up. */
function watched(preset: string): readonly string[] {
  const machine = compose({
    platform: bareMetal(),
    policies: presetOf(preset).policies(),
    scenario: scenarioOf('kvm-pkru'),
  });
  const steps = new Set<string>();
  machine
    .on(events.KernelPkruChanged)
    .subscribe(({ data }) => steps.add(machine.stepLabels[data.at].split('/').at(-1) ?? ''));
  machine.run();
  return [...steps].sort();
}

describe('the debug watch of June 2018: who changes PKRU between kernel_fpu_begin() and kernel_fpu_end()?', () => {
  it.each(['linux-4.8', 'linux-4.14'])('%s: KVM does, and nobody else', (preset) => {
    const loads = preset === 'linux-4.8' ? ['load guest_fpu'] : [];
    expect(watched(preset)).toEqual([...loads, 'write_pkru(vcpu->arch.host_pkru)', 'write_pkru(vcpu->arch.pkru)']);
  });

  it.each(['linux-5.10', 'linux-6.1'])('%s: nobody, since f775b13eedee', (preset) =>
    expect(watched(preset)).toEqual([]),
  );
});

/** Some routine of a kernel without one of its steps, in a scenario in which hardirqs use the FPU. */
const WITHOUT: readonly (readonly [string, string, string, string])[] = [
  ['linux-5.10', 'kvm-run-begin', 'save_fpregs_to_fpstate(user_fpu)', 'validity'],
  ['linux-5.10', 'kvm-enter-guest', 'switch_fpu_return', 'leak'],
  ['linux-5.10', 'kvm-get-fpu', 'switch_fpu_return', 'lost-update'],
  ['linux-5.10', 'kvm-put-fpu', 'fpregs_unlock', 'atomic-sleep'],
  ['linux-6.1', 'kvm-run-begin', 'fpu->fpstate = guest_fps', 'leak'],
  ['linux-6.1', 'kvm-run-begin', 'restore_fpregs_from_fpstate', 'leak'],
  ['linux-6.1', 'kvm-run-end', 'fpu->fpstate = __task_fpstate', 'leak'],
  ...inLong<readonly [string, string, string, string]>(
    ['linux-5.10', 'kvm-run-begin', 'memcpy(user_fpu, thread.fpu)', 'validity'],
    ['linux-5.10', 'kvm-run-begin', 'load guest_fpu', 'leak'],
    ['linux-5.10', 'kvm-run-begin', 'clear TIF_NEED_FPU_LOAD', 'leak'],
    ['linux-5.10', 'kvm-run-end', 'save_fpregs_to_fpstate(guest_fpu)', 'validity'],
    ['linux-5.10', 'kvm-run-end', 'load user_fpu', 'leak'],
  ),
];

/** The same on lazy hosts, whose guests do without the emulator. */
const WITHOUT_LAZY: readonly (readonly [string, string, string, string])[] = [
  ['linux-2.6.32', 'kvm-prepare-guest', 'kvm_fx_save(host_fx_image)', 'validity'],
  ['linux-2.6.32', 'kvm-prepare-guest', 'kvm_fx_restore(guest_fx_image)', 'leak'],
  ['linux-2.6.32', 'kvm-vcpu-put', 'kvm_fx_save(guest_fx_image)', 'validity'],
  ['linux-2.6.32', 'kvm-vcpu-put', 'kvm_fx_restore(host_fx_image)', 'validity'],
  ['linux-2.6.32', 'kvm-enter-guest', 'VM entry: CR0.TS of GUEST_CR0', 'leak'],
  ['linux-2.6.32', 'kvm-exit-guest', 'VM exit: CR0.TS of HOST_CR0', 'validity'],
  ['linux-2.6.32', 'kvm-enter-guest', 'vmcs_writel(HOST_CR0, read_cr0())', 'leak'],
  ['linux-4.1', 'kvm-prepare-guest', 'save user registers', 'validity'],
  ['linux-4.1', 'kvm-prepare-guest', '__kernel_fpu_begin: clts', 'unexpected-fault'],
  ['linux-4.1', 'kvm-prepare-guest', 'owner = NULL', 'leak'],
  ['linux-4.1', 'kvm-prepare-guest', 'load guest_fpu', 'leak'],
  ['linux-4.1', 'kvm-enter-guest', 'VM entry: CR0.TS of GUEST_CR0', 'leak'],
  ['linux-4.1', 'kvm-exit-guest', 'VM exit: CR0.TS of HOST_CR0', 'unexpected-fault'],
  ['linux-4.1', 'kvm-vcpu-put', '__vmx_load_host_state: stts', 'leak'],
  ['linux-4.1', 'kvm-vcpu-put', 'save guest_fpu', 'validity'],
  ['linux-4.1', 'kvm-vcpu-put', 'load user registers', 'validity'],
  ['linux-4.1', 'kvm-vcpu-put', '__kernel_fpu_end: stts', 'leak'],
];

describe('what breaks in kvm-cr3 on lazy hosts without a step', () => {
  it.each(WITHOUT_LAZY)('%s: %s without %s: %s', async (preset, routine, name, oracle) => {
    const patches = [removing('drop', routine, name)];
    const { verdict, counterexamples } = await judged({ preset, scenario: 'kvm-cr3', patches });
    expect([verdict, counterexamples[0]?.oracle]).toEqual(['violation', oracle]);
  });
});

describe('what breaks in kvm-emulation without a step', () => {
  it.each(WITHOUT)('%s: %s without %s: %s', async (preset, routine, name, oracle) => {
    const patches = [removing('drop', routine, name)];
    const { verdict, counterexamples } = await judged({ preset, scenario: 'kvm-emulation', patches });
    expect([verdict, counterexamples[0]?.oracle]).toEqual(['violation', oracle]);
  });
});
