/** States that wait to be expanded: their places in the state table and, where that holds only fingerprints, their keys. */
export class Frontier {
  private words: Int32Array;
  private used = 0;

  /** @param keyWords words of a key that lies beside each state; 0 where the state table holds it */
  constructor(private readonly keyWords: number) {
    this.words = new Int32Array(64 * (1 + keyWords));
  }

  get length(): number {
    return this.used / (1 + this.keyWords);
  }

  push(state: number, key: Int32Array): void {
    const stride = 1 + this.keyWords;
    if (this.used + stride > this.words.length) {
      const larger = new Int32Array(this.words.length * 2);
      larger.set(this.words);
      this.words = larger;
    }
    this.words[this.used] = state;
    for (let word = 0; word < this.keyWords; word++) this.words[this.used + 1 + word] = key[word];
    this.used += stride;
  }

  /** Takes over the entries of another frontier's `entries`. */
  append(entries: Int32Array): void {
    if (this.used + entries.length > this.words.length) {
      const larger = new Int32Array((this.used + entries.length) * 2);
      larger.set(this.words.subarray(0, this.used));
      this.words = larger;
    }
    this.words.set(entries, this.used);
    this.used += entries.length;
  }

  /** Removes the entry that was pushed last and returns it. */
  pop(): Int32Array {
    this.used -= 1 + this.keyWords;
    return this.words.slice(this.used, this.used + 1 + this.keyWords);
  }

  /** All entries, one behind the other: the state, then its key. */
  get entries(): Int32Array {
    return this.words.subarray(0, this.used);
  }
}
