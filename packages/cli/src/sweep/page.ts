/** The sweep as a page of Markdown: what was verified of which kernel, and what is known to be wrong. */
import { KNOWN_BUGS, MENDED, PRESETS } from '@fpulab/policies';
import { grouped, seconds } from '../explore/numbers';
import { sumsOf } from './document';
import { boundOf, type SweepMachine } from './cells';
import type { SweepVerdict } from './judge';
import type { JudgedCell, SweepResult } from './sweep';

/** The whole page. */
export function sweepPage(result: SweepResult): string {
  const { cells, maxStates, explorations, exploringMs } = result;
  const machines = [...new Map(cells.map(({ cell: { machine } }) => [titleOf(machine), machine])).values()];
  return `${[
    '# What was verified',
    `Every preset in every scenario that it supports, on one and two CPUs, with two and three tasks. Made by

\`\`\`sh
npx fpulab sweep --max-states ${maxStates} --page docs/verified.md
\`\`\`

${sumsOf(result)}. ${grouped(explorations)} explorations took ${seconds(exploringMs)} of one processor, or more where it was shared.`,
    LEGEND,
    ...machines.map(
      (machine) =>
        `## ${titleOf(machine)}\n\nUp to ${grouped(boundOf(machine, maxStates))} states.\n\n${tableOf(cells, machine)}`,
    ),
    `## Bugs that are known\n\n${bugsTable(cells)}`,
    NOTES,
  ].join('\n\n')}\n`;
}

const LEGEND = `| | |
| --- | --- |
| **irqs** | verified, with hardirqs and softirqs that use the FPU, one at a time, wherever they are on |
| ok | verified, without interrupts; with them it has, or would have, more states than were asked for |
| F01 | violated, as the bugs say that are named; the same kernel without them is verified |
| F01 ? | the same, and the kernel without them is inconclusive |
| ? | inconclusive: more states than were asked for, without interrupts, and no violation among those |
| (ok) | nothing is violated in all states that there are, but what the scenario is about does not happen: one CPU cannot go down |
| - | cannot run: the kernel, or its processor, lacks something that the scenario needs |
| | (nothing) the scenario has more tasks |

What a scenario lacks in tasks are bystanders, which use the FPU for ever. \`xen-pv-leak\`, \`preemption\`, \`interrupts\`, \`migration\` and
\`vcpu-preemption\` are explored for all programs of their operations. On two CPUs tasks move between them.`;

const NOTES = `The kernels without their bugs: ${Object.entries(MENDED)
  .map(
    ([preset, { preset: same, patches }]) =>
      `\`${preset}\` is \`${same}\` with ${patches.map((id) => `\`${id}\``).join(', ')}`,
  )
  .join('; ')}.

A derived bug follows from the kernel's source, by this model; no report of it is known, and it was not tried on hardware.
Speculative exposure (F29) is what every lazy kernel has, and is not asked here.`;

const titleOf = ({ platform, cpus, tasks }: SweepMachine): string =>
  `${cpus} CPU${cpus === 1 ? '' : 's'}, ${tasks} tasks${platform === 'bare-metal' ? '' : `, ${platform}`}`;

function tableOf(cells: readonly JudgedCell[], machine: SweepMachine): string {
  const own = cells.filter(({ cell }) => titleOf(cell.machine) === titleOf(machine));
  const presets = [...new Set(own.map(({ cell }) => cell.preset))];
  const scenarios = [...new Set(own.map(({ cell }) => cell.scenario))];
  const at = (scenario: string, preset: string): JudgedCell | undefined =>
    own.find(({ cell }) => cell.scenario === scenario && cell.preset === preset);
  return [
    lineOf(['scenario', ...presets.map((preset) => preset.replace(/^linux-/, ''))]),
    lineOf(['---', ...presets.map(() => '---')]),
    ...scenarios.map((scenario) =>
      lineOf([scenario, ...presets.map((preset) => wordOf(at(scenario, preset)?.verdict))]),
    ),
  ].join('\n');
}

function wordOf(verdict: SweepVerdict | undefined): string {
  switch (verdict?.kind) {
    case undefined:
      return '';
    case 'verified':
      return verdict.interrupts ? '**irqs**' : 'ok';
    case 'known':
      return `${verdict.bugs.map(short).join(' ')}${verdict.mended === 'verified' ? '' : ' ?'}`;
    case 'inconclusive':
      return '?';
    case 'never-happens':
      return '(ok)';
    case 'cannot-run':
      return '-';
    case 'unexpected':
      return `**! ${verdict.oracles.join(' ')}**`;
  }
}

/** Ids that are hashes are long. */
const short = (id: string): string => (/^[0-9a-f]{12}$/.test(id) ? id.slice(0, 7) : id);

function bugsTable(cells: readonly JudgedCell[]): string {
  const rows = KNOWN_BUGS.map(({ id, title, source, derived }) => {
    const presets = PRESETS.filter(({ bugs }) => bugs.some((bug) => bug.id === id)).map((preset) => preset.id);
    const found = cells.filter(({ verdict }) => verdict.kind === 'known' && verdict.bugs.includes(id)).length;
    return lineOf([id, title, `${derived ? 'derived: ' : ''}${source}`, presets.join(', '), String(found)]);
  });
  return [
    lineOf(['bug', 'what happens', 'source', 'in', 'cells']),
    lineOf(['---', '---', '---', '---', '---']),
    ...rows,
  ].join('\n');
}

const lineOf = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
