import * as fc from 'fast-check';
import { either, forever, fwait, loop, mmx, sse, syscall, type Operation } from '@fpulab/core';
import { compileProgram } from '../../src/kernel/program';

const STEPS_MAX = 120;

const simple = fc.constantFrom<Operation>(
  sse.write(),
  sse.read(),
  mmx.write(),
  mmx.update(),
  fwait(),
  syscall('getpid'),
  syscall('nanosleep'),
);

const { operation } = fc.letrec<{ operation: Operation; body: Operation[] }>((tie) => ({
  operation: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    simple,
    fc.tuple(fc.nat({ max: 3 }), tie('body')).map(([times, body]) => loop(times, ...body)),
    // A first operation of its own: forever() refuses bodies on which nothing may happen.
    fc.tuple(simple, tie('body')).map(([first, body]) => forever(first, ...body)),
    fc.array(tie('operation'), { minLength: 1, maxLength: 3 }).map((alternatives) => either(...alternatives)),
  ),
  body: fc.array(tie('operation'), { maxLength: 3 }),
}));

const programs = fc.array(operation, { maxLength: 4 });
const decisions = fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 20 });

/** Answers the n-th either() that is met; starts again at the end. */
function decider(list: readonly number[]): (count: number) => number {
  let met = 0;
  return (count) => list[met++ % list.length] % count;
}

/** What a program does, straight from its syntax tree. */
function* interpret(operations: readonly Operation[], decide: (count: number) => number): Generator<string> {
  for (const operation of operations) {
    switch (operation.kind) {
      case 'fpu':
      case 'syscall':
        yield operation.text;
        break;
      case 'loop':
        for (let turn = 0; turn < operation.times; turn++) yield* interpret(operation.body, decide);
        break;
      case 'either':
        yield* interpret(operation.alternatives[decide(operation.alternatives.length)], decide);
        break;
    }
  }
}

function naiveTrace(operations: readonly Operation[], list: readonly number[]): readonly string[] {
  const trace: string[] = [];
  for (const text of interpret(operations, decider(list))) {
    if (trace.push(text) === STEPS_MAX) return trace;
  }
  return [...trace, 'exit'];
}

function compiledTrace(operations: readonly Operation[], list: readonly number[]): readonly string[] {
  const code = compileProgram(operations);
  const decide = decider(list);
  const trace: string[] = [];
  for (let at = 0; trace.length < STEPS_MAX;) {
    const operation = code[at];
    if (operation.kind === 'either') {
      at = operation.targets[decide(operation.targets.length)];
      continue;
    }
    trace.push(operation.text);
    if (operation.kind === 'syscall' && operation.name === 'exit') break;
    at = operation.next;
  }
  return trace;
}

describe('a compiled program', () => {
  it('does what a naive interpreter of the syntax tree does, whatever is chosen', () => {
    fc.assert(
      fc.property(programs, decisions, (operations, list) => {
        expect(compiledTrace(operations, list)).toEqual(naiveTrace(operations, list));
      }),
      { numRuns: 1000 },
    );
  });

  it('goes on at addresses of its own only', () => {
    fc.assert(
      fc.property(programs, (operations) => {
        const code = compileProgram(operations);
        for (const operation of code) {
          for (const next of operation.kind === 'either' ? operation.targets : [operation.next]) {
            expect(next).toBeGreaterThanOrEqual(0);
            expect(next).toBeLessThan(code.length);
          }
        }
      }),
    );
  });

  it('the programs tried have endless loops within alternatives and alternatives within endless loops', () => {
    const has = (kind: 'loop' | 'either', list: readonly Operation[]): boolean =>
      list.some((inner) => {
        if (inner.kind === 'either') return kind === 'either' || inner.alternatives.some((body) => has(kind, body));
        return inner.kind === 'loop' && ((kind === 'loop' && inner.times === Infinity) || has(kind, inner.body));
      });
    const tried = fc.sample(operation, { numRuns: 500, seed: 1 });
    expect(tried.some((o) => o.kind === 'either' && o.alternatives.some((body) => has('loop', body)))).toBe(true);
    expect(tried.some((o) => o.kind === 'loop' && o.times === Infinity && has('either', o.body))).toBe(true);
  });
});
