import { group, routine, step, when, whileHolds, type Routine, type RoutineNode } from '@fpulab/core';
import { compileCode, type Code } from '../../src/kernel/code';
import { fpuErrorOf } from '../support/errors';

const s = (name: string): RoutineNode => step(name, () => {});
const yes = (): boolean => true;

const compiled = (...routines: readonly Routine[]): Code =>
  compileCode(routines.map((each) => ({ owner: 'test', routine: each })));

/** `3 branch 7`: one line per address. */
function listing({ instructions }: Code): readonly string[] {
  return instructions.map((instruction, at) => {
    expect(instruction.pc).toBe(at);
    if (instruction.op === 'step') return `${at} ${instruction.label}`;
    return instruction.op === 'return' ? `${at} return` : `${at} ${instruction.op} ${instruction.target}`;
  });
}

describe('compiled kernel code', () => {
  it('lays routines one behind the other, each with a return; address 0 is never used', () => {
    const code = compiled(routine('one', [s('a'), s('b')]), routine('two', []), routine('three', [s('a')]));
    expect(listing(code)).toEqual(['0 return', '1 one/a', '2 one/b', '3 return', '4 return', '5 three/a', '6 return']);
    expect(['one', 'two', 'three'].map((name) => code.entry(name))).toEqual([1, 4, 5]);
  });

  it('a when without otherwise branches behind its body', () => {
    expect(listing(compiled(routine('r', [when(yes, [s('a'), s('b')]), s('c')])))).toEqual([
      '0 return',
      '1 branch 4',
      '2 r/a',
      '3 r/b',
      '4 r/c',
      '5 return',
    ]);
  });

  it('a when with otherwise branches there, and jumps over it behind its body', () => {
    expect(listing(compiled(routine('r', [when(yes, [s('a')], [s('b')]), s('c')])))).toEqual([
      '0 return',
      '1 branch 4',
      '2 r/a',
      '3 jump 5',
      '4 r/b',
      '5 r/c',
      '6 return',
    ]);
  });

  it('a when with an empty body still chooses between nothing and otherwise', () => {
    expect(listing(compiled(routine('r', [when(yes, [], [s('b')])])))).toEqual([
      '0 return',
      '1 branch 3',
      '2 jump 4',
      '3 r/b',
      '4 return',
    ]);
  });

  it('a while branches behind itself and jumps back to its condition', () => {
    expect(listing(compiled(routine('r', [s('a'), whileHolds(yes, [s('b')])])))).toEqual([
      '0 return',
      '1 r/a',
      '2 branch 5',
      '3 r/b',
      '4 jump 2',
      '5 return',
    ]);
  });

  it('nested conditions have their own targets', () => {
    const body = [when(yes, [whileHolds(yes, [when(yes, [s('a')], [s('b')])])], [s('c')])];
    expect(listing(compiled(routine('r', body)))).toEqual([
      '0 return',
      '1 branch 9',
      '2 branch 8',
      '3 branch 6',
      '4 r/a',
      '5 jump 7',
      '6 r/b',
      '7 jump 2',
      '8 jump 10',
      '9 r/c',
      '10 return',
    ]);
  });

  it('groups leave no instruction, only a path', () => {
    const code = compiled(routine('r', [group('outer', [s('a'), group('inner', [s('b')])])]));
    expect(listing(code)).toEqual(['0 return', '1 r/outer/a', '2 r/outer/inner/b', '3 return']);
    expect(code.instructions[2]).toMatchObject({ routine: 'r', path: ['outer', 'inner'], name: 'b', owner: 'test' });
  });

  it('a step keeps its action, its instruction and whether #NM is expected', () => {
    const run = (): void => {};
    const body = [step('save', run, { instruction: 'xsave', nmExpected: true }), step('plain', run)];
    const code = compiled(routine('r', body));
    expect(code.instructions[1]).toMatchObject({ run, instruction: 'xsave', nmExpected: true });
    expect(code.instructions[2]).toMatchObject({ run, instruction: undefined, nmExpected: false });
  });
});

describe('labels', () => {
  const code = compiled(
    routine('one', [when(yes, [s('a')], [group('g', [s('b')])])]),
    routine('two', [whileHolds(yes, [s('a')])]),
    routine('three', []),
  );

  it("are a step's routine, path and name; other addresses have their routine's name, branches at its start too", () => {
    expect(code.labels).toEqual([
      '-@0',
      'one@1',
      'one/a',
      'one@3',
      'one/g/b',
      'one@5',
      'two@6',
      'two/a',
      'two@8',
      'two@9',
      'three@10',
    ]);
  });

  it('are unique', () => {
    expect(new Set(code.labels).size).toBe(code.labels.length);
  });
});

describe('looking code up', () => {
  const code = compiled(routine('r', [s('a'), group('g', [s('b')])]));

  it('finds steps by routine and name, in groups too', () => {
    expect(code.addressOf('r', 'b')).toBe(2);
    expect(() => code.addressOf('r', 'z')).toThrow("fpulab bug: no step 'z' in r");
  });

  it('knows for every address whose it is, and what locals hold there', () => {
    const typed = compiled(
      routine('one', [when(yes, [s('a')])], { locals: ['task', 'value'] }),
      routine('two', []),
      routine('three', [s('a')], { locals: ['number', 'task'] }),
    );
    expect(typed.instructions.map((_, pc) => `${typed.routineAt(pc)}: ${typed.localKinds[pc].join(' ')}`)).toEqual([
      '-: number number',
      'one: task value',
      'one: task value',
      'one: task value',
      'two: number number',
      'three: number task',
      'three: number task',
    ]);
    expect(typed.localKinds).toHaveLength(typed.instructions.length);
  });

  it('FPU207 for a routine that nobody declares', () => {
    expect(code.has('r')).toBe(true);
    expect(code.has('q')).toBe(false);
    const error = fpuErrorOf(() => code.entry('q'));
    expect(error.code).toBe('FPU207');
    expect(error.message).toBe("nobody declares the routine 'q'");
  });
});

describe('duplicates are refused with FPU205', () => {
  it('two routines of one name, with both owners', () => {
    const error = fpuErrorOf(() =>
      compileCode([
        { owner: 'kernel', routine: routine('schedule', []) },
        { owner: 'my-policy', routine: routine('schedule', []) },
      ]),
    );
    expect(error.code).toBe('FPU205');
    expect(error.message).toBe("the routine 'schedule' is declared twice, by kernel and by my-policy");
  });

  it('two steps of one name in a routine, wherever they are', () => {
    const error = fpuErrorOf(() => compiled(routine('r', [s('a'), when(yes, [], [group('g', [s('a')])])])));
    expect(error.code).toBe('FPU205');
    expect(error.message).toBe("two steps of r are called 'a'; patches and logs need one name each");
  });

  it('a step and a group of one name', () => {
    expect(fpuErrorOf(() => compiled(routine('r', [group('a', [s('a')])]))).code).toBe('FPU205');
  });

  it('steps of one name in two routines are fine', () => {
    expect(compiled(routine('one', [s('a')]), routine('two', [s('a')])).labels).toContain('two/a');
  });
});
