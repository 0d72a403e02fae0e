import { compose, componentName, cpuModel, scenarioOf } from '@fpulab/core';
import { bareMetal, xenPv } from '@fpulab/hypervisor';
import { presetOf } from '@fpulab/policies';

const componentsOn = (platform: ReturnType<typeof xenPv>): readonly string[] =>
  compose({
    cpu: cpuModel('skylake-x'),
    platform,
    policies: presetOf('linux-4.8').policies(),
    scenario: scenarioOf('preemption'),
  }).state.at.componentBits.map(componentName);

describe('a PV guest on a Skylake-X', () => {
  it('has neither MPX nor AVX-512 nor protection keys; the same kernel on the metal has', () => {
    expect(componentsOn(xenPv())).toEqual(['x87', 'sse', 'avx']);
    expect(componentsOn(bareMetal())).toEqual([
      ...['x87', 'sse', 'avx', 'bndregs', 'bndcsr'],
      ...['opmask', 'zmm_hi256', 'hi16_zmm', 'pkru'],
    ]);
  });
});
