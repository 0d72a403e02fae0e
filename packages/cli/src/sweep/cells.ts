/** Which cells the sweep has: every preset in every scenario, on machines of one and two CPUs, with two and three tasks. */
import { SCENARIOS, type Scenario } from '@fpulab/core';
import { PLATFORMS } from '@fpulab/hypervisor';
import { KNOWN_BUGS, PRESETS, showsIn } from '@fpulab/policies';
import type { CellPlan } from '../matrix/plan';

/** The size of what is explored. */
export interface SweepMachine {
  readonly platform: string;
  readonly cpus: number;
  /** Tasks with user code. */
  readonly tasks: number;
}

/** Of the bound on states: what is larger has more states, and is verified less often for the same effort. */
const SHARES: Readonly<Record<string, number>> = { '1x2': 1, '1x3': 1 / 3, '2x2': 1 / 10, '2x3': 1 / 20 };
const LEAST_SHARE = Math.min(...Object.values(SHARES));

/**
 * The bound on states for the cells of a machine.
 *
 * @param maxStates for one CPU and two tasks
 */
export function boundOf({ cpus, tasks }: SweepMachine, maxStates: number): number {
  return Math.ceil(maxStates * (SHARES[`${cpus}x${tasks}`] ?? LEAST_SHARE));
}

/** One cell: a kernel in a situation. */
export interface SweepCell {
  readonly preset: string;
  /** Of the catalogue. */
  readonly scenario: string;
  readonly machine: SweepMachine;
  /** What is explored first: without interrupts, unless the scenario has them. */
  readonly plain: string;
  /** The same with interrupts, where that is more. */
  readonly withIrqs: string | undefined;
}

const MACHINES: readonly SweepMachine[] = [1, 2].flatMap((cpus) =>
  [2, 3].map((tasks) => ({ platform: 'bare-metal', cpus, tasks })),
);

/** For measuring, not for finding. */
const LEFT_OUT: ReadonlySet<string> = new Set(['endless']);
/** Tasks that do any of the operations, for ever: that says more than their own loops, and has fewer states. */
const ANY: ReadonlySet<string> = new Set(['xen-pv-leak', 'preemption', 'interrupts', 'migration', 'vcpu-preemption']);

/** All cells, or those of some presets and scenarios. */
export function sweepCells(presets?: readonly string[], scenarios?: readonly string[]): readonly SweepCell[] {
  const kernels = PRESETS.filter(({ id }) => presets?.includes(id) ?? true);
  const situations = SCENARIOS.filter(({ id }) => !LEFT_OUT.has(id) && (scenarios?.includes(id) ?? true));
  const plain = kernels.flatMap(({ id }) =>
    situations.flatMap((scenario) => MACHINES.flatMap((machine) => cellOf(id, scenario, machine))),
  );
  return [...plain, ...kernels.flatMap(({ id, bugs }) => bugs.flatMap((bug) => elsewhere(id, bug, situations)))];
}

/** Where a bug shows is a platform, or something else, in words. */
export function isPlatform(where: string): boolean {
  return Object.hasOwn(PLATFORMS, where);
}

/** A bug that shows on one platform is looked for there, in the scenario as it is. */
function elsewhere(
  preset: string,
  { id, on }: { readonly id: string; readonly on?: string },
  situations: readonly Scenario[],
): readonly SweepCell[] {
  if (on === undefined || !isPlatform(on)) return [];
  const bug = KNOWN_BUGS.find((one) => one.id === id);
  return situations
    .filter((scenario) => bug !== undefined && showsIn(bug, scenario.id))
    .flatMap((scenario) => {
      const tasks = ANY.has(scenario.id) ? 3 : usersOf(scenario);
      return cellOf(preset, scenario, { platform: on, cpus: scenario.cpus, tasks }, false);
    });
}

function cellOf(
  preset: string,
  scenario: Scenario,
  machine: SweepMachine,
  moves = machine.cpus > 1,
): readonly SweepCell[] {
  const sized = sizedTo(scenario, machine.tasks);
  if (sized === undefined) return [];
  const { migration = false, hardirq = false, softirq = false } = scenario.interference;
  const plain = moves && !migration ? `${sized}.moves` : sized;
  const nested = scenario.id === 'interrupts' ? `${plain}.nest-1` : plain;
  const withIrqs = hardirq && softirq ? undefined : `${plain}.irqs.nest-1`;
  return [{ preset, scenario: scenario.id, machine, plain: nested, withIrqs }];
}

/** The variant with so many tasks; undefined where the scenario needs more. */
function sizedTo(scenario: Scenario, count: number): string | undefined {
  const { id } = scenario;
  if (ANY.has(id)) return `${id}.any-${count}`;
  const users = usersOf(scenario);
  if (count < users) return undefined;
  return count === users ? id : `${id}.with-${count}`;
}

const usersOf = ({ tasks }: Scenario): number => tasks.filter(({ kind = 'user' }) => kind === 'user').length;

/** What is explored of a cell: `scenario` is one of its two, `mended` a kernel without its known bugs. */
export function planOfCell(
  { preset, machine: { platform, cpus } }: SweepCell,
  scenario: string,
  maxStates: number,
  mended: { readonly preset: string; readonly patches: readonly string[] } = { preset, patches: [] },
): CellPlan {
  const patches = mended.patches.length === 0 ? '' : ` --patch ${mended.patches.join(',')}`;
  const command = `fpulab explore ${scenario} --policy ${mended.preset} --platform ${platform}${patches} --cpus ${cpus} --all --max-states ${maxStates}`;
  return {
    preset: mended.preset,
    platform,
    scenario,
    request: { scenario, policies: [mended.preset], platform, patches: mended.patches, cpu: null, cpus, oracles: null },
    maxStates,
    timeout: null,
    command,
  };
}
