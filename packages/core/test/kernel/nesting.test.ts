import { CONTEXT, CONTEXT_NAMES, loop, seededDriver, syscall, type Interference } from '@fpulab/core';
import { machineOf } from '../support/machines';
import { Stacks } from '../support/stacks';

/** Which interrupts were on one stack, outermost first, at any time in some random runs. */
function nestings(interference: Interference): readonly string[] {
  const found = new Set<string>();
  for (let seed = 1n; seed <= 5n; seed++) {
    const machine = machineOf({
      tasks: { A: [loop(40, syscall('getpid'))] },
      interference: { hardirq: true, softirq: true, ...interference },
      compose: { choices: seededDriver(seed) },
    });
    const stacks = new Stacks();
    machine.events$.subscribe((event) => {
      stacks.follow(event);
      if (event.type !== 'context.entered') return;
      const interrupts = stacks
        .contexts(event.data.task)
        .filter((context) => context === CONTEXT.softirq || context === CONTEXT.hardirq);
      if (interrupts.length > 0) found.add(interrupts.map((context) => CONTEXT_NAMES[context]).join(' > '));
    });
    expect(machine.run().outcome).toBe('finished');
  }
  return [...found].sort();
}

describe('the nesting of interrupts', () => {
  it.each([
    [0, []],
    [1, ['hardirq', 'softirq']],
    [2, ['hardirq', 'softirq', 'softirq > hardirq']],
    [9, ['hardirq', 'softirq', 'softirq > hardirq']],
  ])('goes %i deep where the scenario says so', (nesting, expected) => {
    expect(nestings({ nesting })).toEqual(expected);
  });

  it('goes as deep as the masks allow where it says nothing', () => {
    expect(nestings({})).toEqual(['hardirq', 'softirq', 'softirq > hardirq']);
  });
});
