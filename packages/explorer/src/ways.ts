/**
 * What was learned of ways on: a step that was seen once need not be taken again by the machine.
 *
 * The machine is a function of what it looks at. Its footprint says which parts of the state those are, in order, and
 * which questions it asks in between. So a tree is grown, of parts and questions, in that order: below a part is what comes
 * next, by the part's name; behind a question, by its answer; at the end is which parts change, and to what. Where two
 * states agree in the parts that a way looks at, they share that way, whatever else they hold.
 */
import type { Probe } from '@fpulab/core';
import type { StateCodec } from './state-codec';
import type { Successors, SuccessorVisitor } from './successors';
import { ASK, LOOK, NODE, WayTree } from './way-tree';

/** A hundred megabytes. */
const NODES_MAX = 2_000_000;

/**
 * The end of a way in the tree: whether it reaches a state (REACHED bits), after how many choices and steps; how many
 * violations are on it, and for each the oracle, choices and steps; how many parts change, and for each the part and the
 * name that it gets.
 */
const REACHED = { nothing: 0, state: 1, aliveState: 3 } as const;
const END_HEADER = 4;
const VIOLATION_WORDS = 3;
const CHANGE_WORDS = 2;

/** Visits ways on as `Successors` does, with the machine only where it has to. Works on the names of a codec. */
export class Ways {
  private readonly tree = new WayTree();
  /** The state that is visited. */
  private readonly start: Int32Array;
  /** Answers on the way to where the tree is walked. */
  private readonly answers: number[] = [];
  private answered = 0;
  private readonly load = (): void => {
    this.codec.names.set(this.start);
    this.codec.load();
  };

  /**
   * @param nodesMax nodes of the tree: beyond that nothing is learned any more
   */
  constructor(
    private readonly codec: StateCodec,
    private readonly successors: Successors,
    private readonly probe: Probe,
    private readonly nodesMax = NODES_MAX,
  ) {
    this.start = new Int32Array(codec.keyWords);
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
    const { start, codec } = this;
    for (let part = 0; part < start.length; part++) start[part] = codec.names[part];
    this.answered = 0;
    this.walk(0, 0, visitor);
  }

  private walk(from: number, depth: number, visitor: SuccessorVisitor): void {
    const { tree, codec } = this;
    let node = from;
    for (let length = depth; ; length++) {
      let kind = tree.kindOf(node);
      if (kind === NODE.unknown) {
        if (tree.size >= this.nodesMax) return this.run(visitor);
        this.learn(node, length);
        kind = tree.kindOf(node);
      }
      if (kind >= LOOK) node = tree.below(node, codec.seen(kind - LOOK));
      else if (kind < 0) return this.tryAnswers(node, ASK - kind, length + 1, visitor);
      else if (kind === NODE.end) return this.tell(tree.endOf(node), visitor);
      else return this.run(visitor);
    }
  }

  private tryAnswers(node: number, count: number, depth: number, visitor: SuccessorVisitor): void {
    const position = this.answered++;
    for (let answer = 0; answer < count; answer++) {
      this.answers[position] = answer;
      this.walk(this.tree.behind(node, answer), depth, visitor);
    }
    this.answered = position;
  }

  private tell(end: number, visitor: SuccessorVisitor): void {
    const { ends } = this.tree;
    let at = end + END_HEADER;
    for (let left = ends[end + 3]; left > 0; left--, at += VIOLATION_WORDS) {
      visitor.violated(ends[at], ends[at + 1], ends[at + 2]);
    }
    if (ends[end] === REACHED.nothing) return;
    const { names } = this.codec;
    const first = at + 1;
    const last = first + CHANGE_WORDS * ends[at];
    for (let change = first; change < last; change += CHANGE_WORDS) names[ends[change]] = ends[change + 1];
    visitor.reached(ends[end + 1], ends[end + 2], ends[end] === REACHED.aliveState);
    for (let change = first; change < last; change += CHANGE_WORDS) names[ends[change]] = this.start[ends[change]];
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
      this.answers.slice(0, this.answered),
    );
    this.codec.names.set(this.start);
  }

  /** Takes the first way that begins with the answers so far, on the machine, and grows the tree below a node by it. */
  private learn(from: number, depth: number): void {
    const { tree, codec, start } = this;
    const violations: number[] = [];
    const changes: number[] = [];
    let reached: readonly number[] = [REACHED.nothing, 0, 0];
    this.successors.visitFirst(
      {
        violated: (oracle, choices, steps) => violations.push(oracle, choices, steps),
        reached: (choices, steps, alive) => {
          reached = [alive ? REACHED.aliveState : REACHED.state, choices, steps];
          codec.read();
          codec.names.forEach((name, part) => name !== start[part] && changes.push(part, name));
        },
      },
      this.load,
      this.answers.slice(0, this.answered),
    );
    codec.names.set(start);
    const { trail, everything } = this.probe.footprint;
    let node = from;
    for (let length = depth; length < trail.length; length++) node = this.grow(node, trail[length]);
    if (everything) tree.setRun(node);
    else {
      const counts = [violations.length / VIOLATION_WORDS, changes.length / CHANGE_WORDS];
      tree.setEnd(node, [...reached, counts[0], ...violations, counts[1], ...changes]);
    }
  }

  private grow(node: number, entry: number): number {
    const { tree } = this;
    if (entry < 0) {
      tree.setAsk(node, ~entry);
      return tree.behind(node, 0);
    }
    tree.setLook(node, entry);
    return tree.below(node, this.codec.seen(entry));
  }
}
