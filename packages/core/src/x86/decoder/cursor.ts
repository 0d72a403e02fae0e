/** Reads the bytes of one instruction. */

/** Longest instruction; a longer one raises #GP. Intel SDM Vol. 3A "Interrupt 13 - General Protection Exception (#GP)". */
const MAX_INSTRUCTION_BYTES = 15;

/**
 * A position in code.
 *
 * It never throws: past the end, or past 15 bytes, it reads zeros and says why in `stopped`.
 */
export class Cursor {
  stopped: 'truncated' | 'too-long' | undefined;
  private position: number;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly start: number,
  ) {
    this.position = start;
  }

  /** Bytes read so far. */
  get length(): number {
    return this.position - this.start;
  }

  /** The next byte, not consumed. */
  peek(): number {
    if (this.length >= MAX_INSTRUCTION_BYTES) this.stopped ??= 'too-long';
    else if (this.position >= this.bytes.length) this.stopped ??= 'truncated';
    return this.stopped ? 0 : this.bytes[this.position];
  }

  /** The next byte, consumed. */
  next(): number {
    const byte = this.peek();
    if (!this.stopped) this.position++;
    return byte;
  }

  /** The next `count` bytes as a signed little-endian number. */
  signed(count: number): bigint {
    let value = 0n;
    for (let index = 0; index < count; index++) value |= BigInt(this.next()) << BigInt(8 * index);
    return BigInt.asIntN(8 * count, value);
  }
}
