/** Every example runs, and prints what its page says. */
import { join } from 'node:path';

/** Runs an example in a module registry of its own and returns what it prints. */
function outputOf(name: string): readonly string[] {
  const lines: string[] = [];
  const spy = jest.spyOn(console, 'log').mockImplementation((...words) => {
    lines.push(words.map((word) => (typeof word === 'string' ? word : JSON.stringify(word))).join(' '));
  });
  try {
    jest.isolateModules(() => {
      // eslint-disable-next-line @typescript-eslint/no-require-imports -- a script, run by being loaded
      require(join(__dirname, '..', name));
    });
  } finally {
    spy.mockRestore();
  }
  return lines;
}

it('observe: twelve changes of CR0.TS and six traps on bare metal', () => {
  const lines = outputOf('observe');
  expect(lines.filter((line) => line.includes('CR0.TS ='))).toHaveLength(12);
  expect(lines.at(-1)).toMatch(/^finished after \d+ steps and 6 #NM; state [0-9a-f]{16}$/);
});

it('replay-a-log: the fold ends in the state of the machine', () => {
  const [folded, machine, changes] = outputOf('replay-a-log');
  const digest = /[0-9a-f]{16}/.exec(folded)?.[0];
  expect(folded).toContain(': violation');
  expect(machine).toContain(String(digest));
  expect(changes).toMatch(/changed [1-9]\d* times$/);
});

it('leak-and-patch: two insertions close the leak', () => {
  expect(outputOf('leak-and-patch')).toEqual([
    'without the fix: leak, validity, lost-update',
    "patch: insert-before 'local_irq_enable' in math_state_restore",
    "patch: insert-after 'local_irq_disable' in math_state_restore",
    'with the fix: clean',
  ]);
});
