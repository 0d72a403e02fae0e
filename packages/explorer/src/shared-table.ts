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

  /**
   * Makes the index four times as large. Nobody else may be inside. Returns it, for the others to adopt.
   *
   * Entries are taken in the order in which they lie in the arena: only the new index is written here and there.
   */
  grow(): SharedArrayBuffer {
    this.adopt(new SharedArrayBuffer(this.index.length * 16));
    const { index, mask } = this;
    const end = Atomics.load(this.counts, 0);
    for (let place = 0; place < end; place += this.sizeAt(place)) {
      let slot = this.hashAt(place) & mask;
      while (index[slot] !== EMPTY) slot = (slot + 1) & mask;
      index[slot] = place + 1;
    }
    return this.memory.index;
  }

  /** Finds the entry that `matches`, or writes one. Returns its place in the arena, complemented when it is new. */
  protected findOrWrite(hash: number): number {
    const { index, mask } = this;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      let entry = Atomics.load(index, slot);
      if (entry === EMPTY) {
        entry = Atomics.compareExchange(index, slot, EMPTY, BUSY);
        if (entry === EMPTY) return ~this.fill(slot);
      }
      while (entry === BUSY) entry = Atomics.load(index, slot);
      if (entry !== EMPTY && this.matches(entry - 1)) return entry - 1;
      if (entry === EMPTY) slot = (slot - 1) & mask; // its writer ran out of memory: look again
    }
  }

  private fill(slot: number): number {
    let place = -1;
    try {
      place = this.write();
    } finally {
      Atomics.store(this.index, slot, place + 1);
    }
    Atomics.add(this.counts, 1, 1);
    return place;
  }

  /** Takes words off the end of the arena. */
  protected take(words: number): number {
    const place = Atomics.add(this.counts, 0, words);
    if (place + words <= this.arena.length) return place;
    Atomics.sub(this.counts, 0, words);
    throw OUT_OF_MEMORY;
  }

  /** Whether an entry is what is to be inserted. */
  protected abstract matches(place: number): boolean;
  /** Writes what is to be inserted at the end of the arena. Returns its place. */
  protected abstract write(): number;
  /** The hash of an entry, and how many words it has. */
  protected abstract hashAt(place: number): number;
  protected abstract sizeAt(place: number): number;
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
    const place = this.findOrWrite(this.hash);
    return place < 0 ? ~place : place;
  }

  protected matches(place: number): boolean {
    return this.equals(place, this.words, this.length);
  }

  protected write(): number {
    const { arena, words, length } = this;
    const place = this.take(length + HEADER);
    arena[place] = this.hash;
    arena[place + 1] = this.isForeign ? ~length : length;
    for (let index = 0; index < length; index++) arena[place + HEADER + index] = words[index];
    return place;
  }

  /** Whether a part has just these words. */
  equals(place: number, words: Int32Array, length: number): boolean {
    const { arena } = this;
    if (this.lengthAt(place) !== length) return false;
    const first = place + HEADER;
    for (let index = 0; index < length; index++) if (arena[first + index] !== words[index]) return false;
    return true;
  }

  private lengthAt(place: number): number {
    const stored = this.arena[place + 1];
    return stored < 0 ? ~stored : stored;
  }

  protected sizeAt(place: number): number {
    return this.lengthAt(place) + HEADER;
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

  /**
   * @param keyWords words of a key
   * @param precedes whether one parent is to be preferred to another at the same distance; the same in every process
   */
  constructor(
    memory: TableMemory,
    readonly keyWords: number,
    private readonly statesMax: number,
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
    const place = this.findOrWrite(hashWords(key, 0, this.keyWords));
    if (place < 0) {
      this.found = ~place;
      return INSERTED.fresh;
    }
    this.found = place;
    return this.arena[place] < distance ? INSERTED.known : this.bringNearer(place, distance, parent);
  }

  protected matches(place: number): boolean {
    const { arena, key, keyWords } = this;
    for (let index = 0; index < keyWords; index++) {
      if (arena[place + RECORD_HEADER + index] !== key[index]) return false;
    }
    return true;
  }

  protected write(): number {
    if (this.size >= this.statesMax) throw OUT_OF_MEMORY;
    const { arena, key, keyWords } = this;
    const place = this.take(this.stride);
    arena[place] = this.distance;
    arena[place + 1] = this.parent;
    for (let index = 0; index < keyWords; index++) arena[place + RECORD_HEADER + index] = key[index];
    return place;
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
    return hashWords(this.arena, place + RECORD_HEADER, this.keyWords);
  }

  protected sizeAt(): number {
    return this.stride;
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
