/** What it costs to give a task another value in one component: instructions and stores, counted in the events of a run. */
import {
  MOVE_INSTRUCTIONS,
  PKRU,
  bitsOf,
  compose,
  pkru,
  program,
  sse,
  syscall,
  type ComposeOptions,
  type MachineEvent,
  type Operation,
  type Scenario,
} from '@fpulab/core';
import type { ClientId } from '@fpulab/policies';
import { composeRequest, type CompositionRequest } from '../explore/compose-request';

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

/** What task A does, and how its allocations go; the last one is measured. It sleeps, and B runs, where A's state is to be in memory. */
interface Prepared {
  readonly program: readonly Operation[];
  readonly alloc: readonly string[];
}

const bind = syscall('sva_bind');
const key = syscall('pkey_alloc');

const PREPARED: Readonly<Record<ClientId, Readonly<Record<OldState, Prepared>>>> = {
  pasid: {
    registers: { program: program(sse.write(), bind, bind), alloc: ['ok', 'ok'] },
    memory: { program: program(sse.write(), bind, bind), alloc: ['ok', 'sleep'] },
    neither: { program: program(sse.write(), bind), alloc: ['sleep'] },
  },
  pkru: {
    registers: { program: program(sse.write(), pkru.write(), key, key), alloc: ['ok', 'ok'] },
    memory: { program: program(sse.write(), pkru.write(), key, key), alloc: ['ok', 'sleep'] },
    neither: { program: program(sse.write(), pkru.initialise(), key), alloc: ['sleep'] },
  },
};

/** Where an update begins. */
const BEGINS: Readonly<Record<ClientId, string>> = { pasid: 'update.begun', pkru: 'hook.pkey-access' };

/** Runs one update and counts. */
export function updateCost(request: CompositionRequest, client: ClientId, old: OldState): UpdateCost {
  const composed = composeRequest(request);
  const { program: own, alloc } = PREPARED[client][old];
  const scenario: Scenario = {
    ...composed.scenario,
    tasks: [
      { name: 'A', program: own },
      { name: 'B', program: program(sse.write()) },
    ],
    interference: { allocation: { sleep: true } },
    schedule: { pick: ['A', 'B', 'A'], alloc },
    sometimes: [],
  };
  return measured({ ...composed, scenario }, ({ type }) => type === BEGINS[client]);
}

/** What the `#GP` handler spends. */
export function trapCost(request: CompositionRequest): UpdateCost {
  const composed = composeRequest(request);
  const { program: own } = composed.scenario.tasks[1];
  const scenario: Scenario = {
    ...composed.scenario,
    tasks: [{ name: 'A', program: own }],
    interference: {},
    sometimes: [],
  };
  return measured({ ...composed, scenario }, ({ type }) => type === 'hook.trap-gp');
}

/** Counts from the last event that begins an update of task 0 until its user code runs. */
function measured(options: ComposeOptions, begins: (event: MachineEvent) => boolean): UpdateCost {
  const machine = compose(options);
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
/** How kernel code gets at the register of one component. */
const reads = (component: number): string => (component === PKRU ? 'RDPKRU' : 'RDMSR');
const writes = (component: number): string => (component === PKRU ? 'WRPKRU' : 'WRMSR');
const store = (): { readonly store: true } => ({ store: true });

/** What an event stands for: an instruction that moves registers, a word written to memory, or both. */
const COSTS: Readonly<Record<string, (event: MachineEvent) => { readonly name?: string; readonly store?: boolean }>> = {
  'fpregs.saved': moves,
  'fpregs.saved-alone': ({ data }) => ({ name: `${MOVE_INSTRUCTIONS[data.instruction]} 1` }),
  'fpregs.restored': moves,
  'fpregs.read': ({ data }) => ({ name: reads(data.component) }),
  'fpregs.loaded': ({ data }) => ({ name: writes(data.component) }),
  'fpregs.given': ({ data }) => ({ name: writes(data.component) }),
  'fpstate.register-stored': ({ data }) => ({ name: reads(data.component), store: true }),
  'fpstate.written': store,
  'fpstate.changed': store,
  'fpstate.xstate-bv-written': store,
  'slot.written': store,
};
