/** Tracers and tiles: as merged an image may not mark what the target has no room for; as posted in v10 it makes room. */
import {
  amx,
  program,
  ptrace,
  sse,
  syscall,
  type OracleId,
  type Operation,
  type Patch,
  type TraceRequest,
} from '@fpulab/core';
import { given } from '@fpulab/core/testing';
import { bareMetal } from '@fpulab/hypervisor';
import { PTRACE_REALLOC, dynamicXstate, loadFpuDeferral } from '../../src';
import { judged } from '../explored';

const useTiles: readonly Operation[] = [syscall('req_xcomp_perm'), amx.configure(), amx.write()];
const stop = syscall('ptrace_stop');

/** A, which has done `before`, is stopped; D asks for its registers. */
function traced(
  request: TraceRequest,
  before: readonly Operation[],
  { patches = [], alloc = [] }: { readonly patches?: readonly Patch[]; readonly alloc?: readonly string[] } = {},
) {
  const base = loadFpuDeferral({ era: 'linux-6.1' });
  return given({
    cpu: 'sapphire-rapids',
    xfeatures: 0b11 | (0b11 << 17), // x87, SSE, TILECFG, TILEDATA
    policies: [base, dynamicXstate(base)],
    patches,
    platform: bareMetal(),
    tasks: { A: program(...before, stop, sse.read()), D: program(ptrace('A', request), ptrace('A', 'cont')) },
    pick: ['A', 'D'],
    alloc,
  });
}

describe('ptrace read of a target with tiles', () => {
  it('shows what is in the larger fpstate', () => {
    const run = traced('read', useTiles);
    const shown: number[] = [];
    run.machine.events$.subscribe(({ type, data }) => {
      if (type === 'fpstate.shown' && data.value !== 0) shown.push(data.component);
    });
    run.when('ptrace-read', { task: 'D' });
    expect(shown).toEqual([17, 18]);
    expect(run.architecturalViolations).toEqual([]);
  });
});

describe('ptrace write', () => {
  it('of tiles, to a target that has some: they go to the larger fpstate', () => {
    const run = traced('write-dynamic', useTiles);
    const cell = run.when('ptrace-write', { task: 'D' });
    expect(cell.changes).toEqual({
      'A.larger-image': expect.stringMatching(/-> x87=A:3 sse=A:3 tilecfg=A:3 tiledata=A:3$/),
      'A.last_cpu': 'cpu0 -> none',
    });
    expect(run.until('A: sse.read').fpregs).toContain('tiledata=A:3');
    expect(run.architecturalViolations).toEqual([]);
  });

  it('of tiles, to a target without, as merged: -EINVAL, it keeps its fpstate and what is in it', () => {
    const run = traced('write-dynamic', [sse.write()]);
    const cell = run.when('ptrace-write', { task: 'D' });
    expect(cell.changes).toEqual({ 'A.last_cpu': 'cpu0 -> none' });
    expect(cell.moments).toContain('D: xstateregs_set/return -EINVAL');
    expect(run.until('A: sse.read')).toMatchObject({ fpregs: 'sse=A:1', 'A.fpstate': 0, XFD: 'tiledata' });
  });

  it('the same as posted: a larger fpstate takes the place of the old one, without a copy', () => {
    const run = traced('write-dynamic', [sse.write()], { patches: [PTRACE_REALLOC] });
    const cell = run.when('ptrace-write', { task: 'D' });
    expect(cell.changes).toMatchObject({
      'A.fpstate': '0 -> 1',
      'A.larger-image': 'none -> x87=A:2 sse=A:2 tilecfg=A:2 tiledata=A:2',
    });
    expect(cell.after).toMatchObject({ 'A.image': 'sse=A:1', 'A.perm': 0 });
    expect(run.until('A: sse.read')).toMatchObject({ XFD: 'none', fpregs: expect.stringContaining('tiledata=A:2') });
    // Until the tracer's image is copied, what A had is in no image of its own: whatever fails there costs it all.
    expect(run.architecturalViolations).toEqual(['validity: A, sse=INIT']);
  });

  it('no memory for that: -ENOMEM, nothing is swapped, nothing is lost', () => {
    const run = traced('write-dynamic', [sse.write()], { patches: [PTRACE_REALLOC], alloc: ['fail'] });
    const cell = run.when('ptrace-write', { task: 'D' });
    expect(cell.changes).toEqual({ 'A.last_cpu': 'cpu0 -> none' });
    expect(run.until('A: sse.read')).toMatchObject({ fpregs: 'sse=A:1', 'A.fpstate': 0 });
    expect(run.architecturalViolations).toEqual([]);
  });

  it('of what the target has, to one without tiles: as ever', () => {
    const cell = traced('write', [sse.write()]).when('ptrace-write', { task: 'D' });
    expect(cell.after).toMatchObject({ 'A.image': 'x87=A:2 sse=A:2 tilecfg=A:2', 'A.larger-image': 'none' });
  });
});

describe('ptrace-tiles', () => {
  it('6.1: verified', async () => {
    const { verdict, complete, states, sometimes } = await judged({ preset: 'linux-6.1', scenario: 'ptrace-tiles' });
    expect([verdict, complete, states]).toEqual(['verified', true, 57]);
    expect(sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });

  const asPosted = (oracles: readonly OracleId[]) =>
    judged({ preset: 'linux-6.1', scenario: 'ptrace-tiles', patches: [PTRACE_REALLOC], oracles });

  it('as posted: nobody reads anything else than it should, but between swap and copy the state of the target is nowhere', async () => {
    expect(await asPosted(['leak', 'lost-update', 'stale-msr'])).toMatchObject({ verdict: 'verified', complete: true });
    const { counterexamples } = await asPosted(['validity']);
    expect(counterexamples.map(({ oracle }) => oracle)).toEqual(['validity']);
  });
});
