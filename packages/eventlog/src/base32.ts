/** Crockford's base 32, lower case: digits that survive being read aloud, five bits each. */
const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
const DIGIT_BITS = 5;

/** Digits that hold `bits` bits. */
export function digitsFor(bits: number): number {
  return Math.ceil(bits / DIGIT_BITS);
}

/** Packs numbers of any width, highest bit first; the last digit is padded with zeros. */
export class BitWriter {
  private text = '';
  private pending = 0;
  private pendingBits = 0;

  /** Appends the low `bits` bits of `value`; at most 32. */
  write(value: number, bits: number): void {
    for (let bit = bits - 1; bit >= 0; bit--) {
      this.pending = (this.pending << 1) | ((value >>> bit) & 1);
      if (++this.pendingBits === DIGIT_BITS) this.flush();
    }
  }

  /** The digits so far. Ends the number. */
  finish(): string {
    if (this.pendingBits > 0) {
      this.pending <<= DIGIT_BITS - this.pendingBits;
      this.flush();
    }
    return this.text;
  }

  private flush(): void {
    this.text += DIGITS[this.pending];
    this.pending = 0;
    this.pendingBits = 0;
  }
}

/** Reads what a BitWriter packed. */
export class BitReader {
  /** Bits read so far. May be set. */
  at = 0;
  private readonly values: readonly number[];

  private constructor(text: string) {
    this.values = Array.from(text, (digit) => DIGITS.indexOf(digit));
  }

  /** A reader of these digits; undefined when one of them is none. */
  static of(text: string): BitReader | undefined {
    const reader = new BitReader(text);
    return reader.values.includes(-1) ? undefined : reader;
  }

  /** Bits that are left. */
  get left(): number {
    return this.values.length * DIGIT_BITS - this.at;
  }

  /** The next `bits` bits; at most 32, and no more than are left. */
  read(bits: number): number {
    let value = 0;
    for (let bit = 0; bit < bits; bit++, this.at++) {
      const digit = this.values[Math.floor(this.at / DIGIT_BITS)];
      value = (value << 1) | ((digit >>> (DIGIT_BITS - 1 - (this.at % DIGIT_BITS))) & 1);
    }
    return value >>> 0;
  }

  /** True when only padding is left: less than a digit, and zeros. */
  get isUsedUp(): boolean {
    const reader = this.at;
    const used = this.left < DIGIT_BITS && this.read(this.left) === 0;
    this.at = reader;
    return used;
  }
}
