/**
 * Hash tables in shared memory: every worker of a search reads and inserts, none waits for another but for the moment in
 * which one writes an entry.
 *
 * An index of slots says where entries lie in an arena that only grows. Arenas are reserved at their full size; the
 * operating system gives memory as they are touched. An index grows while no worker is inside (see `grow`).
 */
import { isCounted } from './distance';

const EMPTY = 0;
/** An entry is being written. */
const BUSY = -1;

/** Thrown out of an insertion when the arena is full. */
export const OUT_OF_MEMORY = Symbol('out of memory');

/** The memory of a table, as workers are handed it. */
export interface TableMemory {
  readonly arena: SharedArrayBuffer;
  index: SharedArrayBuffer;
  /** Words of the arena in use; entries in it. */
  readonly counts: SharedArrayBuffer;
}

/** Reserves a table. */
export function reserveTable(arenaBytes: number, indexSlots: number): TableMemory {
  const maxByteLength = Math.floor(arenaBytes / 4) * 4;
  return {
    // Growable, though it has its full length already: the system does not count such memory before it is used, so that a
    // process can start others after many explorations.
    arena: new SharedArrayBuffer(maxByteLength, { maxByteLength }),
    index: new SharedArrayBuffer(indexSlots * 4),
    counts: new SharedArrayBuffer(8),
  };
}

/** A table's arena as words. With a length, because a view that would grow with its buffer is slower. */
export function arenaOf({ arena }: TableMemory): Int32Array {
  return new Int32Array(arena, 0, arena.byteLength / 4);
}

/** What both tables have in common: slots, probing, the arena's end. */
abstract class SharedTable {
  readonly arena: Int32Array;
  protected readonly counts: Int32Array;
  protected index: Int32Array;
  private mask: number;

  constructor(protected memory: TableMemory) {
    this.arena = arenaOf(memory);
    this.counts = new Int32Array(memory.counts);
    this.index = new Int32Array(memory.index);
    this.mask = this.index.length - 1;
  }

  /** Entries. */
  get size(): number {
    return Atomics.load(this.counts, 1);
  }

  /** Bytes in use: arena and index. */
  get bytes(): number {
    return (Atomics.load(this.counts, 0) + this.index.length) * 4;
  }

  /** True when the index should grow before much more is inserted. */
  get isCrowded(): boolean {
    return this.size * 2 > this.index.length;
  }

  /** Takes over an index that somebody else has grown. */
  adopt(index: SharedArrayBuffer): void {
    if (index === this.memory.index) return;
    this.memory = { ...this.memory, index };
    this.index = new Int32Array(index);
    this.mask = this.index.length - 1;
  }

  /** Makes the index four times as large. Nobody else may be inside. Returns it, for the others to adopt. */
  grow(): SharedArrayBuffer {
    const old = this.index;
    this.adopt(new SharedArrayBuffer(old.length * 16));
    for (const entry of old) {
      if (entry === EMPTY) continue;
      let slot = this.hashAt(entry - 1) & this.mask;
      while (this.index[slot] !== EMPTY) slot = (slot + 1) & this.mask;
      this.index[slot] = entry;
    }
    return this.memory.index;
  }

  /** Finds the entry for which `matches` holds, or writes one. Returns its place in the arena, complemented when it is new. */
  protected findOrWrite(hash: number, matches: (place: number) => boolean, write: () => number): number {
    for (let slot = hash & this.mask; ; slot = (slot + 1) & this.mask) {
      let entry = Atomics.load(this.index, slot);
      if (entry === EMPTY) {
        entry = Atomics.compareExchange(this.index, slot, EMPTY, BUSY);
        if (entry === EMPTY) return this.fill(slot, write);
      }
      while (entry === BUSY) entry = Atomics.load(this.index, slot);
      if (entry !== EMPTY && matches(entry - 1)) return entry - 1;
      if (entry === EMPTY) slot = (slot - 1) & this.mask; // its writer ran out of memory: look again
    }
  }

  private fill(slot: number, write: () => number): number {
    let place = -1;
    try {
      place = write();
    } finally {
      Atomics.store(this.index, slot, place + 1);
    }
    Atomics.add(this.counts, 1, 1);
    return ~place;
  }

  /** Takes words off the end of the arena. */
  protected take(words: number): number {
    const place = Atomics.add(this.counts, 0, words);
    if (place + words <= this.arena.length) return place;
    Atomics.sub(this.counts, 0, words);
    throw OUT_OF_MEMORY;
  }

  protected abstract hashAt(place: number): number;
}

/**
 * Parts of states: what one CPU or one task holds, stored once however many states have it. A part's name is its place in
 * the arena, where its hash, its length (complemented, if it names other tasks or CPUs) and its words are.
 */
export class PartTable extends SharedTable {
  private words: Int32Array = new Int32Array(0);
  private length = 0;
  private hash = 0;
  private isForeign = false;
  private readonly matches = (place: number): boolean => this.equals(place, this.words, this.length);
  private readonly write = (): number => {
    const place = this.take(this.length + HEADER);
    this.arena[place] = this.hash;
    this.arena[place + 1] = this.isForeign ? ~this.length : this.length;
    this.arena.set(this.words.subarray(0, this.length), place + HEADER);
    return place;
  };

  /**
   * The part with these words.
   *
   * @param isForeign whether they name other tasks or CPUs, so that they change when those are renumbered
   */
  intern(words: Int32Array, length: number, isForeign: boolean): number {
    this.words = words;
    this.length = length;
    this.isForeign = isForeign;
    this.hash = hashWords(words, 0, length);
    const place = this.findOrWrite(this.hash, this.matches, this.write);
    return place < 0 ? ~place : place;
  }

  /** Whether a part has just these words. */
  equals(place: number, words: Int32Array, length: number): boolean {
    const { arena } = this;
    const stored = arena[place + 1];
    if ((stored < 0 ? ~stored : stored) !== length) return false;
    const first = place + HEADER;
    for (let index = 0; index < length; index++) if (arena[first + index] !== words[index]) return false;
    return true;
  }

  /** Whether a part names other tasks or CPUs. */
  isForeignAt(place: number): boolean {
    return this.arena[place + 1] < 0;
  }

  /** Where the words of a part begin in the arena. */
  wordsAt(place: number): number {
    return place + HEADER;
  }

  /** A hash of a part's words: the same in every process, whatever the part is called here. */
  hashAt(place: number): number {
    return this.arena[place];
  }
}

const HEADER = 2;

/** Distances of states that have not been reached through a parent. */
export const NO_PARENT = -1;

/** How a state was inserted. */
export const INSERTED = { known: 0, nearer: 1, fresh: 2 } as const;

const LOCKED = -1;

/** The visited states: per state its distance, the state that it was reached from, and its key. */
export class StateTable extends SharedTable {
  private readonly stride: number;
  private key: Int32Array = new Int32Array(0);
  private distance = 0;
  private parent = 0;
  private readonly matches = (place: number): boolean => {
    const { arena, key } = this;
    for (let index = 0; index < this.keyWords; index++) {
      if (arena[place + RECORD_HEADER + index] !== key[index]) return false;
    }
    return true;
  };
  private readonly write = (): number => {
    if (this.size >= this.statesMax) throw OUT_OF_MEMORY;
    const place = this.take(this.stride);
    this.arena[place] = this.distance;
    this.arena[place + 1] = this.parent;
    this.arena.set(this.key, place + RECORD_HEADER);
    return place;
  };

  /**
   * @param keyWords words of a key
   * @param hashOf hash of the key at a place in an array
   * @param precedes whether one parent is to be preferred to another at the same distance; the same in every process
   */
  constructor(
    memory: TableMemory,
    readonly keyWords: number,
    private readonly statesMax: number,
    private readonly hashOf: (words: Int32Array, at: number) => number,
    private readonly precedes: (one: number, other: number) => boolean,
  ) {
    super(memory);
    this.stride = keyWords + RECORD_HEADER;
  }

  /** The state that the last `insert` inserted or found, and how far it was before it was brought nearer. */
  found = 0;
  wasAt = 0;

  /** Inserts a state, or brings a known one nearer. */
  insert(key: Int32Array, distance: number, parent: number): number {
    this.key = key;
    this.distance = distance;
    this.parent = parent;
    const place = this.findOrWrite(this.hashOf(key, 0), this.matches, this.write);
    if (place < 0) {
      this.found = ~place;
      return INSERTED.fresh;
    }
    this.found = place;
    return this.arena[place] < distance ? INSERTED.known : this.bringNearer(place, distance, parent);
  }

  private bringNearer(place: number, distance: number, parent: number): number {
    for (;;) {
      const known = Atomics.load(this.arena, place);
      if (known === LOCKED) continue;
      if (known < distance) return INSERTED.known;
      // Where steps are not counted any more, taking the other parent could lead round in circles.
      const prefers = (): boolean => isCounted(known) && this.precedes(parent, this.arena[place + 1]);
      if (known === distance && !prefers()) return INSERTED.known;
      if (Atomics.compareExchange(this.arena, place, known, LOCKED) !== known) continue;
      this.arena[place + 1] = parent;
      Atomics.store(this.arena, place, distance);
      this.wasAt = known;
      return known === distance ? INSERTED.known : INSERTED.nearer;
    }
  }

  /** Whether one parent is to be preferred to another at the same distance. */
  prefers(one: number, other: number): boolean {
    return this.precedes(one, other);
  }

  /** How far a state is from the start; see distance.ts. */
  distanceOf(state: number): number {
    return Atomics.load(this.arena, state);
  }

  /** The state that a state is reached from, or NO_PARENT. */
  parentOf(state: number): number {
    return this.arena[state + 1];
  }

  /** Where the key of a state begins in the arena. */
  keyAt(state: number): number {
    return state + RECORD_HEADER;
  }

  protected hashAt(place: number): number {
    return this.hashOf(this.arena, place + RECORD_HEADER);
  }
}

const RECORD_HEADER = 2;

/** A 32-bit hash of some words. */
export function hashWords(words: Int32Array, from: number, length: number): number {
  let hash = 0x9e3779b9 ^ length;
  for (let index = from; index < from + length; index++) {
    hash = Math.imul(hash ^ words[index], 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) | 0;
}
