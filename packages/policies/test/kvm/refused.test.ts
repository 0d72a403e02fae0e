/** Guests that a machine cannot have, and patches that ask for some. */
import { compose, scenarioOf } from '@fpulab/core';
import { PLATFORMS, platformOf } from '@fpulab/hypervisor';
import { KVM_PATCHES, presetOf } from '../../src';

const composed = (preset: string, scenario: string, platform = 'bare-metal') =>
  compose({
    platform: platformOf(platform),
    policies: presetOf(preset).policies(),
    patches: KVM_PATCHES.filter(({ id }) => id === 'kvm-under-kernel-fpu' && preset === 'linux-3.6'),
    scenario: scenarioOf(scenario),
  });

it.each(Object.keys(PLATFORMS).filter((id) => id !== 'bare-metal'))('%s has no guests of KVM', (platform) => {
  expect(() => composed('linux-6.1', 'kvm-run', platform)).toThrow(/'kvm-run' has a guest of KVM/);
});

it('2.6.32 emulates no instruction of SSE', () => {
  expect(() => composed('linux-2.6.32', 'kvm-emulation')).toThrow(/task G .*'kvm-get-fpu'/);
});

it('a patch of KVM is left out where nobody runs a guest', () => {
  const labels = (scenario: string) => composed('linux-3.6', scenario).stepLabels.join();
  expect(labels('kvm-run')).toContain('__kernel_fpu_end: stts');
  expect(labels('preemption')).not.toContain('__kernel_fpu_end: stts');
});
