/**
 * The tree in which ways on are kept, packed into arrays of numbers: a search walks it millions of times.
 *
 * A node is a number, 0 the root. Its kind says what comes next on the way.
 */

/** Kinds of nodes. Above them, `LOOK + aspect`: something is looked at. Below them, `ASK - count`: something is asked. */
export const NODE = {
  /** Nobody has been here. */
  unknown: 0,
  /** The way ends. */
  end: 1,
  /** More is looked at than can be said: the machine has to run. */
  run: 2,
} as const;
export const LOOK = 3;
export const ASK = -1;

/** Words of a node: its kind, and where it goes on: at a node (behind a question), or an end. */
const NODE_WORDS = 2;
/** Words of an edge: the node that looks, what it sees, the node below. */
const EDGE_WORDS = 3;
const NOBODY = -1;

/** A tree that grows. */
export class WayTree {
  /** Nodes. */
  size = 1;
  private nodes = new Int32Array(NODE_WORDS << 10);
  /** A hash table with open addressing. */
  private edges = new Int32Array(EDGE_WORDS << 10).fill(NOBODY);
  private edgeMask = (1 << 10) - 1;
  private edgeCount = 0;
  /** What ways lead to, one behind the other: whoever writes it says how. */
  ends = new Int32Array(1 << 12);
  private endsLength = 0;

  /** What comes next at a node. */
  kindOf(node: number): number {
    return this.nodes[node * NODE_WORDS];
  }

  /** Where the end of a way lies in `ends`. */
  endOf(node: number): number {
    return this.nodes[node * NODE_WORDS + 1];
  }

  /** The node behind an answer. */
  behind(node: number, answer: number): number {
    return this.nodes[node * NODE_WORDS + 1] + answer;
  }

  /** The node below one that looks, by what it sees. */
  below(node: number, seen: number): number {
    const { edges, edgeMask } = this;
    for (let slot = hashEdge(node, seen) & edgeMask; ; slot = (slot + 1) & edgeMask) {
      const at = slot * EDGE_WORDS;
      if (edges[at] === node && edges[at + 1] === seen) return edges[at + 2];
      if (edges[at] === NOBODY) return this.addEdge(at, node, seen);
    }
  }

  /** From here on something is looked at. */
  setLook(node: number, aspect: number): void {
    this.nodes[node * NODE_WORDS] = LOOK + aspect;
  }

  /** From here on something is asked. */
  setAsk(node: number, answers: number): void {
    const first = this.addNodes(answers);
    this.nodes[node * NODE_WORDS] = ASK - answers;
    this.nodes[node * NODE_WORDS + 1] = first;
  }

  /** From here on the machine has to run. */
  setRun(node: number): void {
    this.nodes[node * NODE_WORDS] = NODE.run;
  }

  /** The way ends here. */
  setEnd(node: number, words: readonly number[]): void {
    const place = this.endsLength;
    this.endsLength += words.length;
    if (this.endsLength > this.ends.length) this.ends = doubled(this.ends, this.endsLength);
    this.ends.set(words, place);
    this.nodes[node * NODE_WORDS] = NODE.end;
    this.nodes[node * NODE_WORDS + 1] = place;
  }

  private addNodes(count: number): number {
    const first = this.size;
    this.size += count;
    if (this.size * NODE_WORDS > this.nodes.length) this.nodes = doubled(this.nodes, this.size * NODE_WORDS);
    return first;
  }

  private addEdge(at: number, node: number, seen: number): number {
    const child = this.addNodes(1);
    this.edges[at] = node;
    this.edges[at + 1] = seen;
    this.edges[at + 2] = child;
    if (++this.edgeCount * 2 > this.edgeMask) this.growEdges();
    return child;
  }

  private growEdges(): void {
    const old = this.edges;
    this.edges = new Int32Array(old.length * 2).fill(NOBODY);
    this.edgeMask = this.edgeMask * 2 + 1;
    for (let at = 0; at < old.length; at += EDGE_WORDS) {
      if (old[at] === NOBODY) continue;
      let slot = hashEdge(old[at], old[at + 1]) & this.edgeMask;
      while (this.edges[slot * EDGE_WORDS] !== NOBODY) slot = (slot + 1) & this.edgeMask;
      this.edges.set(old.subarray(at, at + EDGE_WORDS), slot * EDGE_WORDS);
    }
  }
}

function doubled(words: Int32Array, atLeast: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(words.length * 2, atLeast));
  larger.set(words);
  return larger;
}

function hashEdge(node: number, seen: number): number {
  const hash = Math.imul(Math.imul(node, 0x9e3779b1) ^ seen, 0x85ebca6b);
  return hash ^ (hash >>> 15);
}
