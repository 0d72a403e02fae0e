import * as fc from 'fast-check';
import { ASK, LOOK, NODE, WayTree } from '../src/way-tree';

/** A way: what it looks at and sees, what it asks and is answered, and where it ends. */
interface Way {
  readonly entries: readonly { readonly ask: boolean; readonly aspect: number; readonly seen: number }[];
  readonly end: number;
}

const entry = fc.record({ ask: fc.boolean(), aspect: fc.nat(5), seen: fc.nat(3) });
const way: fc.Arbitrary<Way> = fc.record({ entries: fc.array(entry, { maxLength: 6 }), end: fc.integer() });

const ANSWERS = 4;

/** Follows a way as far as the tree knows it, and grows the tree by the rest. Returns the end that the tree has for it. */
function follow(tree: WayTree, { entries, end }: Way): number {
  let node = 0;
  for (const { ask, aspect, seen } of entries) {
    if (tree.kindOf(node) === NODE.unknown) {
      if (ask) tree.setAsk(node, ANSWERS);
      else tree.setLook(node, aspect);
    }
    const kind = tree.kindOf(node);
    if (kind === NODE.end || kind === NODE.run) break;
    if (kind < 0) {
      expect(ASK - kind).toBe(ANSWERS);
      node = tree.behind(node, seen);
    } else {
      expect(kind).toBeGreaterThanOrEqual(LOOK);
      node = tree.below(node, seen);
    }
  }
  if (tree.kindOf(node) === NODE.unknown) tree.setEnd(node, [end, ~end]);
  if (tree.kindOf(node) !== NODE.end) return NaN;
  const place = tree.endOf(node);
  expect(tree.ends[place + 1]).toBe(~tree.ends[place]);
  return tree.ends[place];
}

describe('a tree of ways', () => {
  it('keeps where each way ended first, however much it grows', () => {
    fc.assert(
      fc.property(fc.array(way, { maxLength: 200 }), (ways) => {
        const tree = new WayTree();
        const ends = ways.map((one) => follow(tree, one));
        expect(ways.map((one) => follow(tree, one))).toEqual(ends);
      }),
      { numRuns: 50 },
    );
  });

  it('tells nodes and what they see apart, beyond the size that it starts with', () => {
    const tree = new WayTree();
    tree.setAsk(0, 100);
    const ends = new Map<number, number>();
    for (let answer = 0; answer < 100; answer++) {
      const node = tree.behind(0, answer);
      tree.setLook(node, answer);
      for (let seen = -50; seen < 50; seen++) {
        const below = tree.below(node, seen * 0x10000);
        expect(ends.has(below)).toBe(false);
        ends.set(below, answer * 1000 + seen);
        tree.setEnd(below, [answer * 1000 + seen]);
      }
    }
    expect(tree.size).toBe(1 + 100 + 100 * 100);
    for (const [node, end] of ends) expect(tree.ends[tree.endOf(node)]).toBe(end);
    for (let answer = 0; answer < 100; answer++) expect(tree.kindOf(tree.behind(0, answer))).toBe(LOOK + answer);
  });
});
