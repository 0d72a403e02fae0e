import {
  group,
  nodeNames,
  routine,
  step,
  unless,
  when,
  whileHolds,
  type Kernel,
  type PatchEdit,
  type Routine,
  type RoutineNode,
} from '@fpulab/core';
import { applyPatch } from '../../src/kernel/routine';
import { fpuErrorOf } from '../support/errors';

const nothing = (): void => {};
const yes = (): boolean => true;
const s = (name: string): RoutineNode => step(name, nothing);

/** `a when(b | c) while(d) g{e}`: the shape of a routine. */
function shape(nodes: readonly RoutineNode[]): string {
  return nodes
    .map((node): string => {
      switch (node.kind) {
        case 'step':
          return node.name;
        case 'when':
          return `when(${shape(node.body)} | ${shape(node.otherwise)})`;
        case 'while':
          return `while(${shape(node.body)})`;
        case 'group':
          return `${node.name}{${shape(node.body)}}`;
      }
    })
    .join(' ');
}

const handler = routine('handler', [
  s('a'),
  when(yes, [s('b')], [s('c')]),
  whileHolds(yes, [s('d')]),
  group('g', [s('e'), s('f')]),
]);
const other = routine('other', [s('a')]);

function patched(...edits: readonly PatchEdit[]): readonly string[] {
  return applyPatch([handler, other], { id: 'my-patch', edits }).map(({ name, body }) => `${name}: ${shape(body)}`);
}

describe('the routine DSL', () => {
  it('a step has name, action and, if it is one, its instruction', () => {
    const run = jest.fn();
    expect(step('save', run, { instruction: 'xsave', nmExpected: true })).toEqual({
      kind: 'step',
      name: 'save',
      run,
      instruction: 'xsave',
      nmExpected: true,
    });
    expect(run).not.toHaveBeenCalled();
  });

  it('when has two bodies; unless is a when with its condition turned round', () => {
    const kernel = { cpu: 1 } as Kernel;
    const onCpu1 = (k: Kernel): boolean => k.cpu === 1;
    expect(when(onCpu1, [s('a')]).otherwise).toEqual([]);
    expect(when(onCpu1, []).condition(kernel)).toBe(true);
    expect(unless(onCpu1, []).condition(kernel)).toBe(false);
    expect(unless(onCpu1, [s('a')]).otherwise).toEqual([]);
  });

  it('a routine says what its locals hold only if it was told', () => {
    expect(routine('r', [], { locals: ['task', 'value'] })).toEqual({ name: 'r', body: [], locals: ['task', 'value'] });
    expect(routine('r', [])).toEqual({ name: 'r', body: [] });
  });

  it('nodeNames lists steps and groups in order, both sides of a when', () => {
    expect(nodeNames(handler.body)).toEqual(['a', 'b', 'c', 'd', 'g', 'e', 'f']);
  });
});

describe('a patch', () => {
  const x = [s('x'), s('y')];

  it.each<[string, PatchEdit, string]>([
    [
      'inserts before a step',
      { edit: 'insert-before', routine: 'handler', step: 'a', nodes: x },
      'x y a when(b | c) while(d) g{e f}',
    ],
    [
      'inserts after a step in the body of a when',
      { edit: 'insert-after', routine: 'handler', step: 'b', nodes: x },
      'a when(b x y | c) while(d) g{e f}',
    ],
    [
      'inserts before a step in the otherwise of a when',
      { edit: 'insert-before', routine: 'handler', step: 'c', nodes: x },
      'a when(b | x y c) while(d) g{e f}',
    ],
    [
      'inserts after a step in a while',
      { edit: 'insert-after', routine: 'handler', step: 'd', nodes: x },
      'a when(b | c) while(d x y) g{e f}',
    ],
    [
      'inserts before a step in a group',
      { edit: 'insert-before', routine: 'handler', step: 'f', nodes: x },
      'a when(b | c) while(d) g{e x y f}',
    ],
    [
      'inserts after a whole group',
      { edit: 'insert-after', routine: 'handler', step: 'g', nodes: x },
      'a when(b | c) while(d) g{e f} x y',
    ],
    [
      'replaces a step',
      { edit: 'replace', routine: 'handler', step: 'e', nodes: x },
      'a when(b | c) while(d) g{x y f}',
    ],
    ['replaces a group', { edit: 'replace', routine: 'handler', step: 'g', nodes: x }, 'a when(b | c) while(d) x y'],
    [
      'puts steps before all others',
      { edit: 'prepend', routine: 'handler', nodes: x },
      'x y a when(b | c) while(d) g{e f}',
    ],
    [
      'puts steps behind all others',
      { edit: 'append', routine: 'handler', nodes: x },
      'a when(b | c) while(d) g{e f} x y',
    ],
    ['removes a step', { edit: 'remove', routine: 'handler', step: 'c' }, 'a when(b | ) while(d) g{e f}'],
    ['removes a group with all in it', { edit: 'remove', routine: 'handler', step: 'g' }, 'a when(b | c) while(d)'],
    [
      'moves a step before another one, out of a group',
      { edit: 'move-before', routine: 'handler', step: 'f', anchor: 'a' },
      'f a when(b | c) while(d) g{e}',
    ],
    [
      'moves a step behind another one, into a when',
      { edit: 'move-after', routine: 'handler', step: 'a', anchor: 'c' },
      'when(b | c a) while(d) g{e f}',
    ],
    [
      'moves a group with all in it',
      { edit: 'move-before', routine: 'handler', step: 'g', anchor: 'd' },
      'a when(b | c) while(g{e f} d)',
    ],
  ])('%s', (_, edit, expected) => {
    expect(patched(edit)).toEqual([`handler: ${expected}`, 'other: a']);
  });

  it('applies its edits in order: a later one finds what an earlier one inserted', () => {
    expect(
      patched(
        { edit: 'insert-after', routine: 'other', step: 'a', nodes: [s('new')] },
        { edit: 'move-before', routine: 'other', step: 'a', anchor: 'new' },
        { edit: 'replace', routine: 'other', step: 'new', nodes: [group('h', [s('deep')])] },
        { edit: 'insert-before', routine: 'other', step: 'deep', nodes: [s('deeper')] },
      ),
    ).toEqual(['handler: a when(b | c) while(d) g{e f}', 'other: a h{deeper deep}']);
  });

  it('leaves the routines that it was given as they were', () => {
    const before = shape(handler.body);
    patched({ edit: 'remove', routine: 'handler', step: 'b' });
    expect(shape(handler.body)).toBe(before);
  });

  it('leaves what locals hold as it was', () => {
    const typed = routine('typed', [s('a')], { locals: ['number', 'task'] });
    const [{ locals }] = applyPatch([typed], { id: 'p', edits: [{ edit: 'remove', routine: 'typed', step: 'a' }] });
    expect(locals).toEqual(['number', 'task']);
  });

  it('keeps conditions and actions: only places change', () => {
    const run = jest.fn();
    const condition = jest.fn(yes);
    const given: Routine = routine('r', [when(condition, [step('a', run)]), s('b')]);
    const [{ body }] = applyPatch([given], { id: 'p', edits: [{ edit: 'remove', routine: 'r', step: 'b' }] });
    expect(body).toEqual([when(condition, [step('a', run)])]);
  });
});

describe('a patch that does not fit is refused with FPU203', () => {
  it('a routine that nobody declares, with those that are declared', () => {
    const error = fpuErrorOf(() => patched({ edit: 'remove', routine: 'hadnler', step: 'a' }));
    expect(error.code).toBe('FPU203');
    expect(error.message).toBe(
      "patch 'my-patch' changes the routine 'hadnler', which nobody here declares; declared: 'handler', 'other'",
    );
    expect(error.detail).toEqual({ patch: 'my-patch', routine: 'hadnler', known: ['handler', 'other'] });
  });

  it('an absent step, with those that are there', () => {
    const error = fpuErrorOf(() => patched({ edit: 'insert-before', routine: 'handler', step: 'z', nodes: [] }));
    expect(error.code).toBe('FPU203');
    expect(error.message).toBe(
      "patch 'my-patch' needs exactly one 'z' in handler, found 0; there: a, b, c, d, g, e, f",
    );
    expect(error.detail).toMatchObject({ step: 'z', known: ['a', 'b', 'c', 'd', 'g', 'e', 'f'] });
  });

  it('an ambiguous step, with its count', () => {
    const twice = routine('twice', [s('a'), when(yes, [s('b')], [s('a')])]);
    const error = fpuErrorOf(() =>
      applyPatch([twice], { id: 'p', edits: [{ edit: 'remove', routine: 'twice', step: 'a' }] }),
    );
    expect(error.code).toBe('FPU203');
    expect(error.message).toBe("patch 'p' needs exactly one 'a' in twice, found 2; there: a, b, a");
  });

  it('an absent anchor of a move', () => {
    const error = fpuErrorOf(() => patched({ edit: 'move-after', routine: 'handler', step: 'a', anchor: 'z' }));
    expect(error.message).toContain("needs exactly one 'z' in handler, found 0; there: b, c, d, g, e, f");
  });

  it.each(['move-before', 'move-after'] as const)('%s of a group to a step within itself', (edit) => {
    const error = fpuErrorOf(() => patched({ edit, routine: 'handler', step: 'g', anchor: 'e' }));
    expect(error.message).toContain("needs exactly one 'e' in handler, found 0");
  });

  it('an edit after which a later one finds nothing', () => {
    const error = fpuErrorOf(() =>
      patched({ edit: 'remove', routine: 'other', step: 'a' }, { edit: 'remove', routine: 'other', step: 'a' }),
    );
    expect(error.message).toBe("patch 'my-patch' needs exactly one 'a' in other, found 0; there: ");
  });
});
