import { spawnSync } from 'node:child_process';
import { totalmem } from 'node:os';
import {
  INSERTED,
  NO_PARENT,
  OUT_OF_MEMORY,
  PartTable,
  StateTable,
  hashWords,
  reserveTable,
} from '../src/shared-table';

/** What an insertion throws, or undefined. */
function thrownBy(run: () => unknown): unknown {
  try {
    run();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('parts', () => {
  const part = (...words: readonly number[]) => Int32Array.from(words);

  it('have the same name when they have the same words', () => {
    const table = new PartTable(reserveTable(1024, 16));
    const first = table.intern(part(1, 2, 3), 3, false);
    const second = table.intern(part(1, 2, 4), 3, false);
    expect(table.intern(part(1, 2, 3, 99), 3, false)).toBe(first);
    expect(second).not.toBe(first);
    expect(table.size).toBe(2);
    expect([...table.arena.subarray(table.wordsAt(second), table.wordsAt(second) + 3)]).toEqual([1, 2, 4]);
    expect(table.equals(first, part(1, 2, 3), 3)).toBe(true);
    expect(table.equals(first, part(1, 2, 3), 2)).toBe(false);
    expect(table.equals(first, part(1, 2, 4), 3)).toBe(false);
  });

  it('of other lengths are others, the empty one too', () => {
    const table = new PartTable(reserveTable(1024, 16));
    const names = [part(), part(0), part(0, 0)].map((words) => table.intern(words, words.length, false));
    expect(new Set(names).size).toBe(3);
    expect(table.intern(part(), 0, false)).toBe(names[0]);
  });

  it('carry a hash of their words and whether they refer to others', () => {
    const table = new PartTable(reserveTable(1024, 16));
    const plain = table.intern(part(7, 8), 2, false);
    const foreign = table.intern(part(7, 9), 2, true);
    expect(table.hashAt(plain)).toBe(hashWords(part(7, 8), 0, 2));
    expect([table.isForeignAt(plain), table.isForeignAt(foreign)]).toEqual([false, true]);
  });

  it('keep their names when the index grows, for whoever adopts it too', () => {
    const memory = reserveTable(1 << 16, 16);
    const table = new PartTable(memory);
    const other = new PartTable({ ...memory });
    const names: number[] = [];
    for (let number = 0; number < 1000; number++) {
      names.push(table.intern(part(number), 1, false));
      if (!table.isCrowded) continue;
      const index = table.grow();
      other.adopt(index);
    }
    expect(table.size).toBe(1000);
    expect(table.isCrowded).toBe(false);
    names.forEach((name, number) => {
      expect(table.intern(part(number), 1, false)).toBe(name);
      expect(other.intern(part(number), 1, false)).toBe(name);
    });
    expect(other.size).toBe(1000);
  });

  it('are refused when the arena is full, and those that are there are still found', () => {
    const table = new PartTable(reserveTable(64, 16));
    const names: number[] = [];
    const full = thrownBy(() => {
      for (let number = 0; ; number++) names.push(table.intern(part(number, number), 2, false));
    });
    expect(full).toBe(OUT_OF_MEMORY);
    expect(table.size).toBe(names.length);
    expect(names.length).toBeGreaterThan(1);
    names.forEach((name, number) => expect(table.intern(part(number, number), 2, false)).toBe(name));
    expect(thrownBy(() => table.intern(part(100, 100), 2, false))).toBe(OUT_OF_MEMORY);
    expect(table.bytes).toBeLessThanOrEqual(64 + 16 * 4);
  });
});

describe('states', () => {
  const table = (options: { statesMax?: number; slots?: number } = {}) =>
    new StateTable(
      reserveTable(1 << 16, options.slots ?? 64),
      2,
      options.statesMax ?? Infinity,
      (one, other) => one < other,
    );
  const key = (a: number, b: number) => Int32Array.of(a, b);

  it('are inserted once, and brought nearer', () => {
    const states = table();
    expect(states.insert(key(1, 2), 50, NO_PARENT)).toBe(INSERTED.fresh);
    const place = states.found;
    expect([states.distanceOf(place), states.parentOf(place), states.size]).toEqual([50, NO_PARENT, 1]);
    expect(states.insert(key(1, 2), 60, 7)).toBe(INSERTED.known);
    expect([states.distanceOf(place), states.parentOf(place)]).toEqual([50, NO_PARENT]);
    expect(states.insert(key(1, 2), 40, 7)).toBe(INSERTED.nearer);
    expect(states.wasAt).toBe(50);
    expect(states.found).toBe(place);
    expect([states.distanceOf(place), states.parentOf(place), states.size]).toEqual([40, 7, 1]);
    expect([...states.arena.subarray(states.keyAt(place), states.keyAt(place) + 2)]).toEqual([1, 2]);
  });

  it('at the same distance take the parent that everybody prefers', () => {
    const states = table();
    states.insert(key(1, 2), 50, 9);
    expect(states.insert(key(1, 2), 50, 12)).toBe(INSERTED.known);
    expect(states.parentOf(states.found)).toBe(9);
    expect(states.insert(key(1, 2), 50, 4)).toBe(INSERTED.known);
    expect(states.parentOf(states.found)).toBe(4);
  });

  it('are told apart when all belong into the same slot, the last one', () => {
    const states = table({ slots: 64 });
    const keys: Int32Array[] = [];
    for (let number = 0; keys.length < 30; number++) {
      if ((hashWords(key(number, 0), 0, 2) & 63) === 63) keys.push(key(number, 0));
    }
    for (const one of keys) expect(states.insert(one, 1, 0)).toBe(INSERTED.fresh);
    const places = new Set<number>();
    for (const one of keys) {
      expect(states.insert(one, 1, 0)).toBe(INSERTED.known);
      places.add(states.found);
    }
    expect([places.size, states.size]).toEqual([30, 30]);
  });

  it('are found again after growth', () => {
    const states = table({ slots: 16 });
    for (let number = 1; number <= 500; number++) {
      states.insert(key(number, -number), number, 0);
      if (states.isCrowded) states.grow();
    }
    for (let number = 1; number <= 500; number++) {
      expect(states.insert(key(number, -number), 1000, 0)).toBe(INSERTED.known);
      expect(states.distanceOf(states.found)).toBe(number);
    }
  });

  it('are refused from the bound on, not before; known ones are not', () => {
    const states = table({ statesMax: 3 });
    for (let number = 0; number < 3; number++) states.insert(key(number, 0), 5, 0);
    expect(thrownBy(() => states.insert(key(3, 0), 5, 0))).toBe(OUT_OF_MEMORY);
    expect(states.size).toBe(3);
    expect(states.insert(key(2, 0), 4, 0)).toBe(INSERTED.nearer);
  });
});

describe('memory that is reserved', () => {
  it('does not keep a process from starting others, although there is more of it than of memory', () => {
    const arenaBytes = 2 ** 31;
    const tables = Array.from({ length: Math.ceil((2 * totalmem()) / arenaBytes) }, () => reserveTable(arenaBytes, 16));
    expect(tables[0].arena.byteLength).toBe(arenaBytes);
    expect(spawnSync(process.execPath, ['--version']).error).toBeUndefined();
  });
});
