/** PKRU as tracers and core dumps see it: in the image up to 5.13, in thread.pkru from 5.14 on. */
import { judged } from '../explored';
import { program, ptrace, pkru, syscall, type Operation } from '@fpulab/core';
import { given } from '@fpulab/core/testing';
import { bareMetal } from '@fpulab/hypervisor';
import { eagerPkru, loadFpuDeferral, type DeferralEra } from '../../src';

const run = (era: DeferralEra, tasks: Readonly<Record<string, readonly Operation[]>>) =>
  given({
    cpu: 'zen3',
    platform: bareMetal(),
    policies: [loadFpuDeferral({ era }), eagerPkru({ form: era === 'linux-5.2' ? 'image' : 'thread' })],
    tasks,
    pick: ['A', 'D', 'A'],
  });

const A = program(pkru.write(), syscall('ptrace_stop'), pkru.read());
const D = program(ptrace('A', 'read'), ptrace('A', 'write'), ptrace('A', 'cont'));

describe.each<[DeferralEra, changes: Record<string, string>]>([
  ['linux-5.2', { 'A.image': 'pkru=A:1 -> x87=A:2 sse=A:2 avx=A:2 pkru=A:2' }],
  ['linux-6.1', { 'A.image': 'pkru=A:1 -> x87=A:2 sse=A:2 avx=A:2 pkru=A:2', 'A.thread.pkru': 'A:1 -> A:2' }],
])('ptrace, %s', (era, changes) => {
  it('D is shown what A has, and what D writes A has afterwards', () => {
    const spec = run(era, { A, D });
    spec.until('D: ptrace(A, write xstate)');
    expect(spec.when('ptrace-write', { task: 'D' }).changes).toMatchObject(changes);
    spec.until('A: pkru.read');
    expect(spec.architecturalViolations).toEqual([]);
  });
});

describe('a core dump', () => {
  it.each<[DeferralEra, readonly string[]]>([
    ['linux-5.2', []],
    // thread.pkru is what A had when it was last switched out.
    ['linux-5.14', ['lost-update: A, pkru=default']],
    ['linux-6.12', ['lost-update: A, pkru=default']],
  ])('of %s shows another PKRU than A has: %j', (era, violations) => {
    const spec = run(era, { A: program(pkru.write(), syscall('abort')), D: program() });
    spec.until('A: exit_thread');
    expect(spec.architecturalViolations).toEqual(violations);
  });
});

it.each(['linux-5.15', 'linux-6.1'])(
  '%s: a tracer gives keys also while interrupts use the FPU in between',
  async (preset) => {
    expect(await judged({ preset, scenario: 'ptrace-pkru.irqs.nest-1' })).toMatchObject({
      verdict: 'verified',
      states: 12_719,
    });
  },
);
