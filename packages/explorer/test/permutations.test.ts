import { combinations, identity, permutations } from '../src/permutations';

it('identity', () => {
  expect(identity(0)).toEqual([]);
  expect(identity(3)).toEqual([0, 1, 2]);
});

describe('permutations', () => {
  it.each([
    [0, 1],
    [1, 1],
    [2, 2],
    [3, 6],
    [4, 24],
  ])('of %d things: %d, all different, the given order first', (length, count) => {
    const orders = permutations(identity(length));
    expect(orders).toHaveLength(count);
    expect(new Set(orders.map((order) => order.join())).size).toBe(count);
    expect(orders[0]).toEqual(identity(length));
    for (const order of orders) expect([...order].sort()).toEqual(identity(length));
  });

  it('keep things that are equal apart', () => {
    expect(permutations(['a', 'a'])).toEqual([
      ['a', 'a'],
      ['a', 'a'],
    ]);
  });
});

describe('combinations', () => {
  it('takes one of each list', () => {
    expect(combinations([[1, 2], [3], [4, 5]])).toEqual([
      [1, 3, 4],
      [1, 3, 5],
      [2, 3, 4],
      [2, 3, 5],
    ]);
  });

  it('of no lists: one, with nothing in it; of an empty list: none', () => {
    expect(combinations([])).toEqual([[]]);
    expect(combinations([[1], []])).toEqual([]);
  });
});
