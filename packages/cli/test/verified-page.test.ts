/** docs/verified.md, as `fpulab sweep` wrote it: nothing in it is unexpected, and nothing that there is now is missing. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KNOWN_BUGS, PRESETS } from '@fpulab/policies';
import { sweepCells } from '../src/sweep/cells';

const page = readFileSync(join(__dirname, '../../../docs/verified.md'), 'utf8');

/** The rows of the table below a heading, cell by cell. */
function tableBelow(heading: string): readonly (readonly string[])[] {
  const section = page.split('\n## ').find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  return rows.filter((line) => !line.startsWith('| ---')).map((line) => line.slice(2, -2).split(/ \| |(?<= )\| /));
}

const MACHINES = [1, 2].flatMap((cpus) => [2, 3].map((tasks) => ({ cpus, tasks })));

it('has no cell that is unexpected, and every bug shows somewhere', () => {
  expect(page).not.toContain('**! ');
  const [, ...bugs] = tableBelow('Bugs that are known');
  expect(bugs.map(([id]) => id).sort()).toEqual(KNOWN_BUGS.map(({ id }) => id).sort());
  expect(bugs.filter((row) => Number(row[row.length - 1]) === 0)).toEqual([]);
});

it.each(MACHINES)('has every kernel in every scenario with $cpus CPUs and $tasks tasks', ({ cpus, tasks }) => {
  const cells = sweepCells().filter(
    ({ machine }) => machine.platform === 'bare-metal' && machine.cpus === cpus && machine.tasks === tasks,
  );
  const [head, ...rows] = tableBelow(`${cpus} CPU${cpus === 1 ? '' : 's'}, ${tasks} tasks`);
  expect(head.slice(1)).toEqual(PRESETS.map(({ id }) => id.replace(/^linux-/, '')));
  expect(rows.map(([scenario]) => scenario)).toEqual([...new Set(cells.map(({ scenario }) => scenario))]);
});
