import { compose, isFpuError, nodeNames, program, scenarioOf, sse, type Patch } from '@fpulab/core';
import { given } from '@fpulab/core/testing';
import { bareMetal, xenHvm, xenPv } from '@fpulab/hypervisor';
import { CLASSIC_GUEST, GUEST_FIX, eager, lazyCr0Ts, type LazyEra } from '../src';
import { nap, noFpu, removing } from './support';

const stepsWith = (patches: readonly Patch[], routine: string): readonly string[] => {
  const machine = compose({
    platform: xenPv(),
    policies: [lazyCr0Ts({ era: 'linux-3.6' })],
    patches,
    scenario: scenarioOf('xen-pv-leak'),
  });
  const found = machine.composition.routines.find((owned) => owned.routine.name === routine);
  return nodeNames(found?.routine.body ?? []);
};

const refusal = (era: LazyEra | 'eager', patch: Patch) => {
  try {
    const policy = era === 'eager' ? eager() : lazyCr0Ts({ era });
    given({ platform: bareMetal(), policies: [policy], patches: [patch], tasks: { A: noFpu } });
  } catch (error) {
    if (isFpuError(error)) return error;
    throw error;
  }
  throw new Error(`${patch.id} fits ${era}`);
};

describe('GUEST_FIX', () => {
  it('is exactly two insertions', () => {
    expect(GUEST_FIX.edits.map(({ edit }) => edit)).toEqual(['insert-before', 'insert-after']);
    expect(GUEST_FIX.edits.flatMap((edit) => ('nodes' in edit ? nodeNames(edit.nodes) : []))).toHaveLength(2);
  });

  it('sets TS before interrupts are on and clears it after they are off again, and changes nothing else', () => {
    const plain = stepsWith([], 'math_state_restore');
    const fixed = stepsWith([GUEST_FIX], 'math_state_restore');
    expect(fixed.filter((name) => !plain.includes(name))).toEqual(['stts (guest-fix)', 'clts (guest-fix)']);
    expect(fixed.filter((name) => plain.includes(name))).toEqual(plain);
    expect(fixed.indexOf('stts (guest-fix)')).toBe(fixed.indexOf('local_irq_enable') - 1);
    expect(fixed.indexOf('clts (guest-fix)')).toBe(fixed.indexOf('local_irq_disable') + 1);
  });

  it('costs nothing on later uses: its steps run only when PF_USED_MATH is clear', () => {
    const run = given({
      platform: xenPv(),
      policies: [lazyCr0Ts({ era: 'linux-3.6' })],
      patches: [GUEST_FIX],
      tasks: { A: program(sse.write(), nap, sse.read()), B: program(sse.write(), nap) },
    });
    expect(run.when('trap-nm', { task: 'A' }).moments.join()).toContain('guest-fix');
    run.until('B: sse.write');
    expect(run.when('trap-nm', { task: 'A' }).moments.join()).not.toContain('guest-fix');
  });

  it('sets TS for the time of the window on Xen PV: real TS and guest TS are 1 while the allocation sleeps', () => {
    const run = given({
      platform: xenPv(),
      policies: [lazyCr0Ts({ era: 'linux-3.6' })],
      patches: [GUEST_FIX],
      tasks: { A: program(sse.write()), B: noFpu },
      alloc: ['sleep'],
    });
    expect(run.until('A: kmem_cache_alloc')).toMatchObject({ TS: 1, guest_ts: 1, masks: 'exception' });
    expect(run.until('A: clts (guest-fix)')).toMatchObject({ TS: 0, guest_ts: 0, masks: 'exception irqs-off' });
  });
});

describe('CLASSIC_GUEST', () => {
  it('removes one step, the clts of the handler', () => {
    expect(CLASSIC_GUEST.edits).toEqual([{ edit: 'remove', routine: 'math_state_restore', step: 'clts' }]);
    const plain = stepsWith([], 'math_state_restore');
    expect(stepsWith([CLASSIC_GUEST], 'math_state_restore')).toEqual(plain.filter((name) => name !== 'clts'));
  });

  it('works on Xen PV, which clears TS for its guest', () => {
    const run = given({
      platform: xenPv(),
      policies: [lazyCr0Ts({ era: 'linux-3.6' })],
      patches: [CLASSIC_GUEST],
      tasks: { A: program(sse.write(), nap, sse.read()), B: program(sse.write(), nap, sse.read()) },
    });
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });

  it.each([
    ['bare metal', bareMetal],
    ['Xen HVM', xenHvm],
  ])('faults for ever in its own handler on %s, where TS is sticky', (_, platform) => {
    const run = given({
      platform: platform(),
      policies: [lazyCr0Ts({ era: 'linux-3.6' })],
      patches: [CLASSIC_GUEST],
      tasks: { A: program(sse.write()) },
    });
    run.finish();
    expect(run.violations).toEqual(['unexpected-fault: A']);
    expect(run.moments).not.toContain('A: sse.write');
  });
});

describe('patches of lazy Linux 3.6 on other policies', () => {
  it.each([GUEST_FIX, CLASSIC_GUEST].map((patch) => [patch.id, patch] as const))(
    '%s: FPU203 names the patch, the policy and the routine',
    (_, patch) => {
      for (const era of ['linux-4.2', 'linux-4.8', 'eager'] as const) {
        const error = refusal(era, patch);
        expect(error.code).toBe('FPU203');
        expect(error.message).toContain(
          `the patch '${patch.id}' does not fit ${era === 'eager' ? 'eager' : 'lazy-cr0-ts'} on bare-metal`,
        );
        expect(error.message).toContain(
          "'math_state_restore', which nobody here declares; declared: 'switch_fpu_prepare'",
        );
      }
    },
  );

  it('a wrong anchor: FPU203 names the patch, the routine, and the steps that are there', () => {
    const error = refusal('linux-3.6', removing('typo', 'math_state_restore', 'cltz'));
    expect(error.code).toBe('FPU203');
    expect(error.message).toContain("the patch 'typo' does not fit lazy-cr0-ts on bare-metal");
    expect(error.message).toContain("needs exactly one 'cltz' in math_state_restore, found 0; there: ");
    expect(error.detail).toMatchObject({ patch: 'typo', routine: 'math_state_restore', step: 'cltz' });
    expect(error.detail.known).toContain('clts');
  });
});
