/**
 * What was learned of ways on: a step that was seen once need not be taken again by the machine.
 *
 * The machine is a function of what it looks at. Its footprint says which parts of the state those are, in order, and
 * which questions it asks in between. So a tree is grown, of parts and questions, in that order: below a part is what comes
 * next, by the part's name; below a question, by its answer; at the end is which parts change, and to what. Where two states
 * agree in the parts that a way looks at, they share that way, whatever else they hold.
 */
import { PART, type Probe } from '@fpulab/core';
import type { StateCodec } from './state-codec';
import type { Successors, SuccessorVisitor } from './successors';

/** What a node of the tree is. */
const NODE = {
  /** Nobody has been here. */
  unknown: 0,
  /** The machine looks at something. */
  look: 1,
  /** It asks. */
  ask: 2,
  /** The way ends. */
  end: 3,
  /** It looks at more than parts can say: from here on it has to run. */
  run: 4,
} as const;

class WayNode {
  kind: (typeof NODE)[keyof typeof NODE] = NODE.unknown;
  /** What is looked at, as footprints have it. */
  aspect = 0;
  next: Map<number, WayNode> | undefined;
  answers: readonly WayNode[] | undefined;
  end: WayEnd | undefined;
}

/** What a way does. */
interface WayEnd {
  /** Parts that it changes, and the names that they get, in turn. */
  readonly changes: readonly number[];
  readonly violations: readonly Violated[];
  /** Undefined where a violation ends it, or nothing could run. */
  readonly reached: Reached | undefined;
}

type Violated = Parameters<SuccessorVisitor['violated']>;
type Reached = Parameters<SuccessorVisitor['reached']>;

/** Nodes of a tree: some 200 bytes each. Beyond that nothing is learned any more. */
const NODES_MAX = 2_000_000;

/** Visits ways on as `Successors` does, with the machine only where it has to. Works on the names of a codec. */
export class Ways {
  private readonly root = new WayNode();
  private nodes = 0;
  private readonly start: Int32Array;
  private readonly answers: number[] = [];
  private readonly parts: number;
  private readonly load = (): void => {
    this.codec.names.set(this.start);
    this.codec.load();
  };

  /** @param isWatched true while somebody wants to see the machine's events */
  constructor(
    private readonly codec: StateCodec,
    private readonly successors: Successors,
    private readonly probe: Probe,
    private readonly isWatched: () => boolean,
  ) {
    this.start = new Int32Array(codec.keyWords);
    this.parts = PART.count(probe.state.at);
  }

  /** Visits the first state of a run, in which the machine is. */
  first(visitor: SuccessorVisitor): void {
    this.successors.visitWithoutChoice({
      reached: (choices, steps, alive) => {
        this.codec.readAll();
        visitor.reached(choices, steps, alive);
      },
      violated: (oracle, choices, steps) => visitor.violated(oracle, choices, steps),
    });
  }

  /** Visits every way on from the state in which the codec is; `reached` finds it in the state that a way leads to. */
  visit(visitor: SuccessorVisitor): void {
    this.start.set(this.codec.names);
    this.answers.length = 0;
    if (this.isWatched()) this.run(visitor);
    else this.walk(this.root, 0, visitor);
  }

  private walk(from: WayNode, depth: number, visitor: SuccessorVisitor): void {
    let node = from;
    for (let length = depth; ; length++) {
      if (node.kind === NODE.unknown) {
        if (this.nodes >= NODES_MAX) return this.run(visitor);
        this.learn(node, length);
      }
      switch (node.kind as WayNode['kind']) {
        case NODE.look:
          node = this.below(node);
          break;
        case NODE.ask:
          return this.tryAnswers(node.answers as readonly WayNode[], length + 1, visitor);
        case NODE.end:
          return this.tell(node.end as WayEnd, visitor);
        default:
          return this.run(visitor);
      }
    }
  }

  private tryAnswers(below: readonly WayNode[], depth: number, visitor: SuccessorVisitor): void {
    const { answers } = this;
    for (let answer = 0; answer < below.length; answer++) {
      answers.push(answer);
      this.walk(below[answer], depth, visitor);
      answers.pop();
    }
  }

  /** The node below a part, by its name. */
  private below({ aspect, next }: WayNode): WayNode {
    const { codec } = this;
    const value = aspect < this.parts ? codec.names[aspect] : codec.scheduleOf(aspect - this.parts);
    const known = (next as Map<number, WayNode>).get(value);
    if (known !== undefined) return known;
    const node = new WayNode();
    this.nodes++;
    (next as Map<number, WayNode>).set(value, node);
    return node;
  }

  private tell({ changes, violations, reached }: WayEnd, visitor: SuccessorVisitor): void {
    for (const violation of violations) visitor.violated(...violation);
    if (reached === undefined) return;
    const { names } = this.codec;
    for (let index = 0; index < changes.length; index += 2) names[changes[index]] = changes[index + 1];
    visitor.reached(reached[0], reached[1], reached[2]);
    for (let index = 0; index < changes.length; index += 2) names[changes[index]] = this.start[changes[index]];
  }

  /** Visits the ways that begin with the answers so far, on the machine. */
  private run(visitor: SuccessorVisitor): void {
    this.successors.visit(
      {
        reached: (choices, steps, alive) => {
          this.codec.read();
          visitor.reached(choices, steps, alive);
        },
        violated: (oracle, choices, steps) => visitor.violated(oracle, choices, steps),
      },
      this.load,
      this.answers,
    );
    this.codec.names.set(this.start);
  }

  /** Takes the first way that begins with the answers so far, on the machine, and grows the tree below a node by it. */
  private learn(from: WayNode, depth: number): void {
    const { footprint } = this.probe;
    const violations: Violated[] = [];
    let reached: Reached | undefined;
    let changes: readonly number[] = [];
    let reachesAll = false;
    this.successors.visitFirst(
      {
        violated: (...violation) => violations.push(violation),
        reached: (...way) => {
          reached = way;
          reachesAll = this.codec.read();
          changes = this.changesOf(this.codec.names);
        },
      },
      this.load,
      this.answers,
    );
    this.codec.names.set(this.start);
    const { trail, everything } = footprint;
    let node = from;
    for (let length = depth; length < trail.length; length++) node = this.grow(node, trail[length]);
    node.kind = everything || reachesAll ? NODE.run : NODE.end;
    node.end = { changes, violations, reached };
  }

  private grow(node: WayNode, entry: number): WayNode {
    if (entry >= 0) {
      node.kind = NODE.look;
      node.aspect = entry;
      node.next = new Map();
      return this.below(node);
    }
    node.kind = NODE.ask;
    node.answers = Array.from({ length: ~entry }, () => new WayNode());
    this.nodes += ~entry;
    return node.answers[0];
  }

  private changesOf(names: Int32Array): readonly number[] {
    const changes: number[] = [];
    this.start.forEach((name, part) => {
      if (names[part] !== name) changes.push(part, names[part]);
    });
    return changes;
  }
}
