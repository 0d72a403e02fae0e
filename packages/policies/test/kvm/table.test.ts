/** The table of kernels by hooks of KVM, as generations.test.ts is for the others. */
import { POLICY_HOOKS } from '@fpulab/core';
import { changesText } from '../cells';
import { KVM_ROWS } from '../rows/kvm';
import { KVM_KERNELS, KVM_SITUATIONS, answering, kvmText } from './situations';

it('has no rows without a cell', () => {
  expect(Object.keys(KVM_ROWS).sort()).toEqual(Object.keys(KVM_SITUATIONS).sort());
});

describe.each(Object.keys(KVM_SITUATIONS))('%s', (name) => {
  const { kernels, run } = KVM_SITUATIONS[name];
  const rows = KVM_ROWS[name].flatMap(([names, ...row]) =>
    names.split(', ').map((kernel) => [kernel, ...row] as const),
  );

  it('has a row for every kernel in which it is a cell', () => {
    expect(rows.map(([kernel]) => kernel).sort()).toEqual([...kernels].sort());
  });

  it.each(rows)('%s: %s: %s', (kernel, before, changes) => {
    const cell = run(kernel);
    expect(kvmText(cell.before)).toBe(before);
    expect(changesText(cell)).toBe(changes);
  });
});

describe('the table is complete', () => {
  const ELSEWHERE: readonly string[] = [
    'kvm-vcpu-load', // samples PKRU: explored.test.ts
    'kvm-requests-pending', // answers in a local: what comes of it is a cell of kvm-requests
  ];
  const hooks = POLICY_HOOKS.filter((hook) => answering(hook).length > 0 && !ELSEWHERE.includes(hook));

  it.each(hooks)('%s: every kernel that answers has a cell', (hook) => {
    const covered = new Set(Object.values(KVM_SITUATIONS).flatMap((cell) => (cell.hook === hook ? cell.kernels : [])));
    expect(answering(hook).filter((kernel) => !covered.has(kernel))).toEqual([]);
  });

  it('with all generations from 2.6.32 to 6.12', () => {
    expect(Object.keys(KVM_KERNELS)).toHaveLength(13);
  });
});
