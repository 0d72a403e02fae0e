/**
 * Memory for FPU state that sleeps or is refused, while other tasks have theirs: who asks for it gets an error or a signal, and nothing that
 * anybody has is lost.
 */
import { SSE, TILECFG, TILEDATA, X87, amx, fork, program, scenarioOf, sse, syscall, type Scenario } from '@fpulab/core';
import { given, type Situation } from '@fpulab/core/testing';
import { bareMetal } from '@fpulab/hypervisor';
import { presetOf } from '../src';
import { judged } from './explored';
import { nap } from './support';

const on = (preset: string, situation: Omit<Situation, 'platform' | 'policies'>) =>
  given({ ...situation, platform: bareMetal(), policies: presetOf(preset).policies() });

const LAZY = ['linux-2.6.32', 'linux-3.6', 'linux-4.1'];

describe('#NM, first use', () => {
  it.each(LAZY)('%s: no memory: the task is killed, the other one has what it had', (preset) => {
    const run = on(preset, {
      tasks: { A: program(sse.write(), nap, nap, sse.read()), B: program(nap, sse.write(), sse.read()) },
      pick: ['A', 'B', 'A', 'B'],
      alloc: ['ok', 'fail'],
    });
    run.until('B: do_group_exit(SIGKILL)');
    expect(run.observe()).toMatchObject({ 'A.image': 'sse=A:1', 'B.image': 'none' });
    run.finish();
    expect(run.moments.filter((moment) => moment === 'B: sse.write' || moment === 'B: sse.read')).toEqual([]);
    expect(run.moments).toContain('A: sse.read');
    expect(run.architecturalViolations).toEqual([]);
  });

  it.each(LAZY)('%s: it sleeps with interrupts on and TS set: another task uses the FPU meanwhile', (preset) => {
    const run = on(preset, {
      tasks: { A: program(sse.write(), sse.read()), B: program(sse.write(), nap, sse.read()) },
      pick: ['A', 'B'],
      alloc: ['sleep', 'ok'],
    });
    run.until('B: sse.write');
    run.finish();
    expect(run.moments).toEqual(expect.arrayContaining(['A: sse.read', 'B: sse.read']));
    expect(run.architecturalViolations).toEqual([]);
  });
});

describe('fork()', () => {
  const tasks = { A: program(sse.write(), fork('child'), sse.read()), child: program(sse.read()) };

  it.each([...LAZY, 'linux-4.1-eager'])(
    '%s: no memory: the child is not born, the parent has what it had',
    (preset) => {
      const run = on(preset, { tasks, unborn: ['child'], alloc: ['ok', 'fail'] });
      run.finish();
      expect(run.moments.filter((moment) => moment.endsWith('return -ENOMEM'))).toHaveLength(1);
      expect(run.moments.filter((moment) => moment.startsWith('child:'))).toEqual([]);
      expect(run.moments).toContain('A: sse.read');
      expect(run.architecturalViolations).toEqual([]);
    },
  );

  it.each([...LAZY, 'linux-4.1-eager'])('%s: it sleeps: the child has what its parent had when it called', (preset) => {
    const run = on(preset, {
      tasks: { ...tasks, B: program(sse.write(), nap) },
      unborn: ['child'],
      pick: ['A', 'B'],
      alloc: ['ok', 'sleep'],
    });
    run.finish();
    expect(run.moments).toContain('child: sse.read');
    expect(run.architecturalViolations).toEqual([]);
  });
});

describe('the first tile instruction', () => {
  const ask = syscall('req_xcomp_perm');
  const ON = {
    cpu: 'sapphire-rapids',
    xfeatures: [X87, SSE, TILECFG, TILEDATA].reduce((mask, bit) => mask | (1 << bit), 0),
  };
  const A = program(ask, sse.write(), amx.configure(), amx.write(), amx.read());

  it.each(['linux-6.1', 'linux-6.12'])(
    '%s: no memory: SIGSEGV, and its handler returns to all that the task had',
    (preset) => {
      const run = on(preset, {
        ...ON,
        tasks: { A },
        handlers: { A: program(sse.write()) },
        alloc: ['fail', 'ok'],
      });
      run.until('A: force_sig(SIGSEGV)');
      run.until('A: rt_sigreturn');
      run.finish();
      expect(run.moments).toContain('A: amx.read'); // the instruction is tried again, and there is memory now
      expect(run.architecturalViolations).toEqual([]);
    },
  );

  it.each(['linux-6.1', 'linux-6.12'])(
    '%s: it sleeps, and another task owns the registers when it is over',
    (preset) => {
      const run = on(preset, {
        ...ON,
        tasks: { A, B: program(sse.write(), nap, sse.read()) },
        pick: ['A', 'B'],
        alloc: ['sleep'],
      });
      run.until('B: sse.write');
      run.finish();
      expect(run.moments).toContain('A: amx.read');
      expect(run.architecturalViolations).toEqual([]);
    },
  );
});

describe('every outcome of every allocation', () => {
  const life: Scenario = {
    ...scenarioOf('fork-exec-exit'),
    interference: { preempt: 'user', allocation: { sleep: true, fail: true } },
    sometimes: [
      ...scenarioOf('fork-exec-exit').sometimes,
      {
        id: 'parent-killed',
        text: 'the parent got no memory for its first use, or for execve()',
        tasks: ['parent'],
        test: (event, [task], where) =>
          event.type === 'task.exiting' && event.data.task === task && !where.isInside(task, 'sys_fork'),
      },
    ],
  };

  it.each([...LAZY, 'linux-4.1-eager'])('%s: fork-exec-exit is verified where they fail, too', async (preset) => {
    const { verdict, sometimes } = await judged({
      preset,
      scenario: life,
      oracles: ['leak', 'lost-update', 'atomic-sleep', 'unexpected-fault', 'validity'],
    });
    expect([verdict, sometimes.filter(({ reached }) => !reached)]).toEqual(['verified', []]);
  });
});
