import {
  NOTHING,
  applyPatch,
  compose,
  events,
  resolveHooks,
  routine,
  sse,
  step,
  syscall,
  type ModifierPolicy,
  type PatchEdit,
} from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';
import { fpuErrorOf } from '../support/errors';
import { CLEAR_TS, answering, scenarioWith } from '../support/machines';

const nodes = [step('x', () => {})];
const hooks = { fork: 'fpu__copy', exec: NOTHING } as const;

describe('resolveHooks', () => {
  it('puts the routine that answers a hook in the place of the hook', () => {
    const { edits, added } = resolveHooks(
      [
        { edit: 'append', routine: 'hook:fork', nodes },
        { edit: 'insert-after', routine: 'hook:fork', step: 'fpregs_lock', nodes },
        { edit: 'remove', routine: 'somewhere', step: 'else' },
        { edit: 'move-to', routine: 'somewhere', step: 'else', to: 'hook:fork' },
      ],
      hooks,
    );
    expect(edits.map((edit) => [edit.routine, 'to' in edit ? edit.to : ''])).toEqual([
      ['fpu__copy', ''],
      ['fpu__copy', ''],
      ['somewhere', ''],
      ['somewhere', 'fpu__copy'],
    ]);
    expect(added).toEqual([]);
  });

  it.each(['exec', 'cpu-up'] as const)('what is appended to %s, which nobody answers, becomes the answer', (hook) => {
    const resolved = resolveHooks([{ edit: 'append', routine: `hook:${hook}`, nodes }], hooks);
    expect(resolved.hooks[hook]).toBe(hook);
    expect(applyPatch(resolved.added, { id: 'p', edits: resolved.edits })).toEqual([routine(hook, nodes)]);
  });

  it('a step of an answer that is not there is not found', () => {
    const edits: PatchEdit[] = [{ edit: 'remove', routine: 'hook:exec', step: 'x' }];
    expect(resolveHooks(edits, hooks)).toEqual({ edits, hooks, added: [] });
  });
});

describe('move-to', () => {
  const from = routine('from', [step('a', () => {}), step('b', () => {})]);
  const to = routine('to', [step('c', () => {})]);

  it('takes a step out of a routine and puts it at the end of another', () => {
    const edits: PatchEdit[] = [{ edit: 'move-to', routine: 'from', step: 'a', to: 'to' }];
    expect(applyPatch([from, to], { id: 'p', edits })).toEqual([
      { ...from, body: [from.body[1]] },
      { ...to, body: [to.body[0], from.body[0]] },
    ]);
  });

  it('needs both', () => {
    const edits: PatchEdit[] = [{ edit: 'move-to', routine: 'from', step: 'a', to: 'nowhere' }];
    expect(fpuErrorOf(() => applyPatch([from, to], { id: 'p', edits })).message).toMatch(
      /changes the routine 'nowhere', which nobody here declares; declared: 'from', 'to'$/,
    );
  });
});

describe('a modifier', () => {
  const modifier = (edits: readonly PatchEdit[]): ModifierPolicy => ({
    kind: 'modifier',
    id: 'my-modifier',
    title: 't',
    source: 'test',
    slots: [],
    routines: [],
    edits,
  });

  it('runs its steps before and behind the answer to a hook, in its own name', () => {
    const machine = compose({
      platform: bareMetal(),
      policies: [
        answering({ 'cpu-up': CLEAR_TS, exec: [step('flush', () => {})] }),
        modifier([
          { edit: 'append', routine: 'hook:exec', nodes: [step('behind', () => {})] },
          { edit: 'prepend', routine: 'hook:exec', nodes: [step('before', () => {})] },
          { edit: 'append', routine: 'hook:exit-to-user', nodes: [step('alone', () => {})] },
        ]),
      ],
      scenario: scenarioWith({ tasks: { A: [sse.write(), syscall('getpid')] } }),
    });
    const steps: string[] = [];
    machine.on(events.KernelStepped).subscribe(({ by, data }) => steps.push(`${by} ${machine.stepLabels[data.at]}`));
    machine.run();
    expect(steps.filter((name) => name.includes('test.exec/'))).toEqual([
      'quiet test.exec/before',
      'quiet test.exec/flush',
      'quiet test.exec/behind',
    ]);
    expect(steps.filter((name) => name.includes('exit-to-user/'))).toEqual([
      'my-modifier exit-to-user/alone',
      'my-modifier exit-to-user/alone',
    ]);
    expect(machine.composition.hooks['exit-to-user']).toBe('exit-to-user');
  });
});
