import { avx, either, fork, forever, fwait, loop, mmx, program, sse, syscall, x87, type Operation } from '@fpulab/core';
import { compileProgram, programNeeds } from '../../src/kernel/program';
import { fpuErrorOf } from '../support/errors';

/** `0 sse.write > 1`, `1 either > 2 | 3`: one line per compiled operation. */
function listing(...operations: readonly Operation[]): readonly string[] {
  return compileProgram(operations).map((operation, at) => {
    const targets = operation.kind === 'either' ? operation.targets : [operation.next];
    return `${at} ${operation.text} > ${targets.join(' | ')}`;
  });
}

describe('operations', () => {
  it.each([
    ['x87.write', x87.write(), 'x87', [], [0]],
    ['mmx.read', mmx.read(), 'mmx', [0], []],
    ['sse.update', sse.update(), 'sse', [1], [1]],
    ['avx.write', avx.write(), 'avx', [], [1, 2]],
    ['fwait', fwait(), 'wait', [], []],
  ] as const)('%s has its instruction class and its components', (text, operation, instruction, reads, writes) => {
    expect(operation).toEqual({ kind: 'fpu', text, instruction, reads, writes });
  });

  it('fork names the slot of the child', () => {
    expect(fork('child')).toEqual({ kind: 'syscall', text: 'fork(child)', name: 'fork', child: 'child' });
  });

  it('the needs of a program are its instruction classes, however deep', () => {
    const needs = programNeeds(program(loop(2, either(sse.read(), forever(fwait())), mmx.write()), syscall('getpid')));
    expect([...needs].sort()).toEqual(['mmx', 'sse', 'wait']);
  });
});

describe('compiling a program', () => {
  it('ends with exit()', () => {
    expect(listing()).toEqual(['0 exit > 0']);
    expect(listing(sse.write(), syscall('getpid'))).toEqual(['0 sse.write > 1', '1 getpid > 2', '2 exit > 2']);
  });

  it('unrolls loops with a count, inner ones too', () => {
    expect(listing(loop(2, sse.write(), loop(2, sse.read())))).toEqual([
      '0 sse.write > 1',
      '1 sse.read > 2',
      '2 sse.read > 3',
      '3 sse.write > 4',
      '4 sse.read > 5',
      '5 sse.read > 6',
      '6 exit > 6',
    ]);
  });

  it('loop(0) and loops with nothing in them vanish', () => {
    expect(listing(loop(0, sse.write()), loop(1_000_000_000), loop(1_000_000_000, loop(0, sse.read())))).toEqual([
      '0 exit > 0',
    ]);
  });

  it('forever jumps back to its start', () => {
    expect(listing(mmx.write(), forever(sse.write(), sse.read()))).toEqual([
      '0 mmx.write > 1',
      '1 sse.write > 2',
      '2 sse.read > 1',
      '3 exit > 3',
    ]);
  });

  it('either goes to the start of each alternative; each alternative goes on behind all of them', () => {
    expect(listing(either(sse.write(), loop(2, mmx.write()), sse.read()), syscall('getpid'))).toEqual([
      '0 either > 1 | 2 | 4',
      '1 sse.write > 5',
      '2 mmx.write > 3',
      '3 mmx.write > 5',
      '4 sse.read > 5',
      '5 getpid > 6',
      '6 exit > 6',
    ]);
  });

  it('an alternative with nothing in it goes on behind all alternatives', () => {
    expect(listing(either(loop(0), sse.write(), loop(0)), mmx.read())).toEqual([
      '0 either > 2 | 1 | 2',
      '1 sse.write > 2',
      '2 mmx.read > 3',
      '3 exit > 3',
    ]);
  });

  it('the ends of alternatives in forever jump back to its start', () => {
    expect(listing(forever(either(sse.write(), mmx.write())))).toEqual([
      '0 either > 1 | 2',
      '1 sse.write > 0',
      '2 mmx.write > 0',
      '3 exit > 3',
    ]);
  });

  it('an either at the end of an alternative of an either goes on behind the outer one', () => {
    expect(listing(either(either(loop(0), sse.write()), mmx.write()), syscall('getpid'))).toEqual([
      '0 either > 1 | 3',
      '1 either > 4 | 2',
      '2 sse.write > 4',
      '3 mmx.write > 4',
      '4 getpid > 5',
      '5 exit > 5',
    ]);
  });

  it('what follows forever is compiled, though nothing leads there', () => {
    expect(listing(either(forever(sse.read()), mmx.read()), mmx.write())).toEqual([
      '0 either > 1 | 2',
      '1 sse.read > 1',
      '2 mmx.read > 3',
      '3 mmx.write > 4',
      '4 exit > 4',
    ]);
  });
});

describe('programs that are refused with FPU208', () => {
  it.each([
    ['an empty forever', [forever()], 'forever() needs at least one operation on every way through it'],
    ['a forever of nothing', [forever(loop(3), loop(0, sse.read()))], 'forever() needs at least one operation'],
    ['a forever that can do nothing', [forever(either(loop(0), sse.read()))], 'on every way through it'],
    ['an either without alternatives', [either()], 'either() needs at least one alternative'],
    ['half a turn', [loop(1.5, sse.read())], 'loop() needs a count, found 1.5'],
    ['less than no turn', [loop(-1, sse.read())], 'loop() needs a count, found -1'],
    ['NaN turns', [loop(NaN, sse.read())], 'loop() needs a count, found NaN'],
    ['4,097 operations', [loop(4097, sse.read())], 'a program of more than 4096 operations; use forever()'],
    ['operations multiplied', [loop(70, loop(70, sse.read()))], 'a program of more than 4096 operations'],
  ] as const)('%s', (_, operations, message) => {
    const error = fpuErrorOf(() => compileProgram(operations));
    expect(error.code).toBe('FPU208');
    expect(error.message).toContain(message);
  });

  it('4,096 operations and exit() are accepted', () => {
    expect(compileProgram([loop(4096, sse.read())])).toHaveLength(4097);
  });
});
