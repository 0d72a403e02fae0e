/** What it costs to give a task another value in one component: instructions and stores, counted in the events of a run. */
import {
  MOVE_INSTRUCTIONS,
  bitsOf,
  compose,
  program,
  scenarioOf,
  sse,
  syscall,
  type MachineEvent,
  type Operation,
  type Policy,
  type Scenario,
} from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';

/**
 * Where the old state is: in live registers, in the image, or in neither: the registers are another task's, and XSTATE_BV
 * says INIT.
 */
export const OLD_STATES = ['registers', 'memory', 'neither'] as const;

/** One of OLD_STATES. */
export type OldState = (typeof OLD_STATES)[number];

/** From the first step of the update until the task runs user code again. */
export interface UpdateCost {
  /** `XSAVES 1`: of one component; `XSAVES 4`: of four; `RDMSR`, `WRMSR`, `XRSTORS 1`, ... in the order of first use, with counts. */
  readonly instructions: Readonly<Record<string, number>>;
  /** Words written to memory: slots and XSTATE_BV of the image, flags and owners. What XSAVES stores is not among them. */
  readonly stores: number;
}

const bind = syscall('sva_bind');

/** The last sva_bind of A is measured; it sleeps, and B runs, where its state is to be in memory. */
const PREPARED: Readonly<
  Record<OldState, { readonly program: readonly Operation[]; readonly alloc: readonly string[] }>
> = {
  registers: { program: program(sse.write(), bind, bind), alloc: ['ok', 'ok'] },
  memory: { program: program(sse.write(), bind, bind), alloc: ['ok', 'sleep'] },
  neither: { program: program(sse.write(), bind), alloc: ['sleep'] },
};

/**
 * Runs one update and counts.
 *
 * @param policies fresh ones
 */
export function updateCost(policies: readonly Policy[], old: OldState): UpdateCost {
  const { program: own, alloc } = PREPARED[old];
  const base = scenarioOf('enqcmd-update');
  const scenario: Scenario = {
    ...base,
    tasks: [
      { name: 'A', program: own },
      { name: 'B', program: program(sse.write()) },
    ],
    interference: { allocation: { sleep: true } },
    schedule: { pick: ['A', 'B', 'A'], alloc },
    sometimes: [],
  };
  return measured(scenario, policies, ({ type }) => type === 'update.begun');
}

/** What the `#GP` handler spends. */
export function trapCost(policies: readonly Policy[]): UpdateCost {
  const base = scenarioOf('enqcmd-update');
  const { program: own } = base.tasks[1];
  const scenario: Scenario = { ...base, tasks: [{ name: 'A', program: own }], interference: {}, sometimes: [] };
  return measured(scenario, policies, ({ type }) => type === 'hook.trap-gp');
}

/** Counts from the last event that begins an update of task 0 until its user code runs. */
function measured(
  scenario: Scenario,
  policies: readonly Policy[],
  begins: (event: MachineEvent) => boolean,
): UpdateCost {
  const machine = compose({ platform: bareMetal(), policies, scenario });
  let counted: MachineEvent[] | undefined;
  let last: readonly MachineEvent[] = [];
  machine.events$.subscribe((event) => {
    if (begins(event)) counted = [];
    else if (event.type === 'user.stepped' && event.data.task === 0 && counted) {
      last = counted;
      counted = undefined;
    } else counted?.push(event);
  });
  machine.run();
  return costOf(last);
}

function costOf(events: readonly MachineEvent[]): UpdateCost {
  const instructions: Record<string, number> = {};
  let stores = 0;
  for (const event of events) {
    const { name, store } = COSTS[event.type]?.(event) ?? {};
    if (name !== undefined) instructions[name] = (instructions[name] ?? 0) + 1;
    if (store) stores++;
  }
  return { instructions, stores };
}

const moves = ({ data }: MachineEvent): { readonly name: string } => ({
  name: `${MOVE_INSTRUCTIONS[data.instruction]} ${bitsOf(data.xfeatures).length}`,
});
const store = (): { readonly store: true } => ({ store: true });

/** What an event stands for: an instruction that moves registers, a word written to memory, or both. */
const COSTS: Readonly<Record<string, (event: MachineEvent) => { readonly name?: string; readonly store?: boolean }>> = {
  'fpregs.saved': moves,
  'fpregs.saved-alone': ({ data }) => ({ name: `${MOVE_INSTRUCTIONS[data.instruction]} 1` }),
  'fpregs.restored': moves,
  'fpregs.loaded': () => ({ name: 'WRMSR' }),
  'fpregs.given': () => ({ name: 'WRMSR' }),
  'fpstate.register-stored': () => ({ name: 'RDMSR', store: true }),
  'fpstate.written': store,
  'fpstate.changed': store,
  'fpstate.xstate-bv-written': store,
  'slot.written': store,
};
