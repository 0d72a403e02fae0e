/**
 * A searcher that is as simple as can be: the oracle for what the explorer counts and finds. It keeps every state whole,
 * knows no reduction, and shares no code with the explorer.
 */
import {
  CONTEXT,
  LOCALS,
  ORACLES,
  PRINCIPAL,
  compose,
  contextOf,
  taskOfPrincipal,
  valueId,
  serialOf,
  writerOf,
  type FieldKind,
  type Machine,
  type OracleId,
  type Probe,
} from '@fpulab/core';
import type { Compose } from '../../src';

/** A step from one state to another. */
export interface Edge {
  readonly to: number;
  /** Questions that were answered on the way. */
  readonly choices: number;
  /** Bitmap of the oracles that it violates. */
  readonly violated: number;
}

/** Choices, then steps. */
export type Length = readonly [choices: number, steps: number];

/** Every state that a machine can be in, whatever it violates on the way. State 0 is the start. */
export interface Graph {
  readonly machine: Machine;
  readonly probe: Probe;
  readonly states: readonly Int32Array[];
  readonly edges: readonly (readonly Edge[])[];
}

/** All states of a composition; undefined when there are more than `statesMax`. */
export function walk(composeOptions: Compose, oracles: readonly OracleId[], statesMax: number): Graph | undefined {
  const machine = compose({ ...composeOptions(), oracles });
  const probe = machine.probe();
  const { words, at } = machine.state;
  const reportedEnd = machine.state.layout.field('task.reported').width * at.tasks + at.reported;
  let violated = 0;
  probe.onViolation((oracle) => {
    violated |= 1 << oracle;
  });
  const answers: number[] = [];
  const counts: number[] = [];
  let asked = 0;
  machine.driver = {
    choose({ count }) {
      counts[asked] = count;
      if (asked === answers.length) answers.push(0);
      return answers[asked++];
    },
    getPosition: () => 0,
    setPosition: () => {},
  };
  const numbers = new Map<string, number>();
  const states: Int32Array[] = [];
  const edges: Edge[][] = [];
  const numberOf = (): number => {
    words.fill(0, at.reported, reportedEnd);
    const key = text(words);
    let number = numbers.get(key);
    if (number === undefined) {
      numbers.set(key, (number = states.length));
      states.push(words.slice());
    }
    return number;
  };
  numberOf();
  for (let from = 0; from < states.length; from++) {
    if (states.length > statesMax) return undefined;
    const out: Edge[] = [];
    answers.length = 0;
    for (;;) {
      words.set(states[from]);
      const enabled = probe.enabledActions();
      if (enabled === 0) break;
      asked = 0;
      violated = 0;
      probe.stepAmong(enabled);
      out.push({ to: numberOf(), choices: asked, violated });
      answers.length = asked;
      while (answers.length > 0 && answers[answers.length - 1] + 1 === counts[answers.length - 1]) answers.pop();
      if (answers.length === 0) break;
      answers[answers.length - 1]++;
    }
    edges.push(out);
  }
  return { machine, probe, states, edges };
}

/** True where something is asked before the next step is over, or nothing can run. */
export function isChoicePoint({ edges }: Graph, state: number): boolean {
  return edges[state].every(({ choices }) => choices > 0);
}

/** True where the machine goes round and round without asking: what is no choice point is stored then, now and again. */
export function spins(graph: Graph): boolean {
  const { states, edges } = graph;
  const leads = new Uint8Array(states.length); // 1: to a choice point
  return states.some((_, from) => {
    const way: number[] = [];
    let state = from;
    while (!leads[state] && !isChoicePoint(graph, state)) {
      way.push(state);
      if (way.length > states.length) return true;
      state = edges[state][0].to;
    }
    for (const passed of way) leads[passed] = 1;
    return false;
  });
}

/** The length of the shortest run that violates each oracle, by Dijkstra's algorithm. */
export function shortest({ states, edges }: Graph): ReadonlyMap<OracleId, Length> {
  const found = new Map<OracleId, Length>();
  const distance = new Float64Array(states.length).fill(Infinity);
  const buckets = new Map<number, number[]>([[0, [0]]]);
  distance[0] = 0;
  while (buckets.size > 0) {
    const here = Math.min(...buckets.keys());
    const waiting = buckets.get(here) as number[];
    buckets.delete(here);
    for (const state of waiting) {
      if (distance[state] < here) continue;
      for (const { to, choices, violated } of edges[state]) {
        const there = here + choices * STEPS + 1;
        ORACLES.forEach((id, oracle) => {
          if (!(violated & (1 << oracle))) return;
          const known = found.get(id);
          if (!known || known[0] * STEPS + known[1] > there) found.set(id, [Math.floor(there / STEPS), there % STEPS]);
        });
        if (distance[to] <= there) continue;
        distance[to] = there;
        const bucket = buckets.get(there);
        if (bucket) bucket.push(to);
        else buckets.set(there, [to]);
      }
    }
  }
  return found;
}

/** More than any run here has steps. */
const STEPS = 1e6;

/** What makes two states count as one. */
export interface Sameness {
  readonly choicePoints?: boolean;
  readonly symmetry?: boolean;
  readonly versionFree?: boolean;
}

/** How many states are left when those that are the same count once, and states between choices not at all. */
export function countOf(graph: Graph, { choicePoints, symmetry, versionFree }: Sameness): number {
  const { machine, states } = graph;
  const renamings = symmetry ? renamingsOf(graph) : [];
  const seen = new Set<string>();
  let count = 0;
  const scratch = new Int32Array(machine.state.words.length);
  const keyOf = (words: Int32Array): string => text(versionFree ? patternOf(graph, words) : words);
  states.forEach((words, state) => {
    if (choicePoints && !isChoicePoint(graph, state)) return;
    if (!symmetry && !versionFree) return count++;
    if (seen.has(keyOf(words))) return;
    count++;
    seen.add(keyOf(words));
    for (const renaming of renamings) {
      renaming(words, scratch);
      seen.add(keyOf(scratch));
    }
  });
  return count;
}

export function text(words: Int32Array): string {
  return Buffer.from(words.buffer, words.byteOffset, words.byteLength).toString('latin1');
}

// --- symmetry ------------------------------------------------------------------------------------------------------

export type Renaming = (from: Int32Array, to: Int32Array) => void;

/** Every way to give interchangeable tasks and CPUs each other's numbers, but for the identity. */
export function renamingsOf({ machine, probe }: Graph): readonly Renaming[] {
  const { scenario, cpus } = machine.composition.settings;
  const alike = scenario.tasks.map(({ program, unborn }, task) => {
    const text = JSON.stringify(program);
    return unborn || text.includes('"fork"') ? `only ${task}` : text;
  });
  const orders = ordersOf(alike.map((_, task) => task)).filter((order) =>
    order.every((task, place) => alike[task] === alike[place]),
  );
  const all = Array.from({ length: cpus }, (_, cpu) => cpu);
  const cpuOrders = machine.composition.cpusAreInterchangeable ? ordersOf(all) : [all];
  return orders
    .flatMap((tasks) => cpuOrders.map((order) => [...tasks, ...order.map((cpu) => tasks.length + cpu)]))
    .filter((numbers) => numbers.some((number, place) => number !== place))
    .map((numbers) => renamingBy(machine, probe, numbers));
}

function ordersOf(things: readonly number[]): readonly (readonly number[])[] {
  if (things.length === 0) return [[]];
  return things.flatMap((first) => ordersOf(things.filter((thing) => thing !== first)).map((rest) => [first, ...rest]));
}

/** @param numbers new number of each task, idle tasks included: those say which CPU is which */
function renamingBy(machine: Machine, probe: Probe, numbers: readonly number[]): Renaming {
  const { at, layout } = machine.state;
  const users = at.tasks - at.cpus;
  const cpuOf = (cpu: number): number => numbers[users + cpu] - users;
  const instanceOf = {
    machine: () => 0,
    cpu: cpuOf,
    task: (task: number) => numbers[task],
    fpstate: (fpstate: number) => (fpstate < at.tasks ? numbers[fpstate] : at.tasks + cpuOf(fpstate - at.tasks)),
  };
  const renamed = (kind: FieldKind, word: number): number => {
    if (kind === 'task') return word < 0 ? word : numbers[word];
    if (kind === 'cpu') return word < 0 ? word : cpuOf(word);
    if (kind !== 'value') return word;
    const task = taskOfPrincipal(writerOf(word));
    return task < 0 ? word : valueId(numbers[task] + 1, serialOf(word));
  };
  const places: { from: number; to: number; kind: FieldKind }[] = [];
  for (const { space, kind, base, width, instances } of layout.fields) {
    for (let instance = 0; instance < instances; instance++) {
      for (let element = 0; element < width; element++) {
        const to = base + instanceOf[space](instance) * width + element;
        places.push({ from: base + instance * width + element, to, kind });
      }
    }
  }
  return (from, to) => {
    for (const place of places) to[place.to] = renamed(place.kind, from[place.from]);
    eachLocal(machine, probe, from, (task, frame, local, kind, word) => {
      const place = (numbers[task] * at.stackDepth + frame) * LOCALS + local;
      to[at.frameLocal + place] = kind === 'task' ? renamed(kind, word - 1) + 1 : renamed(kind, word);
    });
  };
}

function eachLocal(
  { state: { at } }: Machine,
  { localKinds }: Probe,
  words: Int32Array,
  visit: (task: number, frame: number, local: number, kind: FieldKind, word: number) => void,
): void {
  for (let task = 0; task < at.tasks; task++) {
    for (let frame = 0; frame < words[at.depth + task]; frame++) {
      const index = task * at.stackDepth + frame;
      if (contextOf(words[at.frameStatus + index]) === CONTEXT.user) continue;
      for (let local = 0; local < LOCALS; local++) {
        const word = words[at.frameLocal + index * LOCALS + local];
        visit(task, frame, local, localKinds[words[at.framePc + index]][local], word);
      }
    }
  }
}

// --- version-free values -------------------------------------------------------------------------------------------

/** The state with every value replaced by who wrote it and who holds it to be the latest. */
function patternOf({ machine, probe }: Graph, words: Int32Array): Int32Array {
  const { at, layout } = machine.state;
  const pattern = words.slice();
  const rememberedBy = new Map<number, number>();
  eachLocal(machine, probe, words, (task, frame, local, kind, word) => {
    if (kind !== 'value' || word === 0) return;
    const place = (task * at.stackDepth + frame) * LOCALS + local;
    rememberedBy.set(word, place);
    pattern[at.frameLocal + place] = valueId(PRINCIPAL.kernel, place + 1);
  });
  const believers = (value: number, component: number): number => {
    let bits = 0;
    for (let task = 0; task < at.tasks; task++) {
      if (words[at.architectural + task * at.components + component] === value) bits |= 1 << task;
    }
    return bits;
  };
  for (const name of ['cpu.fpregs', 'fpstate.image', 'task.architectural']) {
    const { base, instances, width } = layout.field(name);
    for (let index = 0; index < instances * width; index++) {
      const value = words[base + index];
      const writer = writerOf(value);
      if (taskOfPrincipal(writer) >= 0) pattern[base + index] = valueId(writer, believers(value, index % width));
      else if (writer === PRINCIPAL.kernel) {
        const place = rememberedBy.get(value);
        pattern[base + index] = valueId(writer, place === undefined ? 0 : place + 1);
      }
    }
  }
  pattern.fill(0, at.serial, at.serial + at.tasks);
  pattern[at.kernelSerial] = 0;
  return pattern;
}
