import * as fc from 'fast-check';
import { NOBODY, PRINCIPAL, writerOf } from '@fpulab/core';
import { built, combinations } from '../support/combinations';

describe('typed locals, over seeded runs of all presets, platforms and scenarios', () => {
  it("hold what their routine says: tasks or nobody in 'task', values of the kernel in 'value'", () => {
    const seen = { task: 0, value: 0 };
    fc.assert(
      fc.property(combinations(), (combination) => {
        const machine = built(combination);
        const { localKinds } = machine.probe();
        const { words, at } = machine.state;
        const wrong: string[] = [];
        machine.events$.subscribe(({ seq, type, data: { task, frame, index, value } }) => {
          if (type !== 'local.written') return;
          const kind = localKinds[words[at.framePc + task * at.stackDepth + frame]][index];
          if (kind === 'task') {
            seen.task++;
            const named = value - 1; // a fresh local is 0 and names nobody
            if (named !== NOBODY && (named < 0 || named >= at.tasks)) wrong.push(`event ${seq}: no task ${named}`);
          } else if (kind === 'value') {
            seen.value++;
            if (writerOf(value) !== PRINCIPAL.kernel) wrong.push(`event ${seq}: no value of the kernel, ${value}`);
          }
        });
        machine.run({ stepsMax: 800 });
        expect(wrong).toEqual([]);
      }),
      { numRuns: 40 },
    );
    expect(seen.task).toBeGreaterThan(0);
    expect(seen.value).toBeGreaterThan(0);
  });
});
