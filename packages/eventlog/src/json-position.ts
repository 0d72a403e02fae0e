/** Deeper than any line of a log. Deeper text counts as malformed where it passes this. */
const DEPTH_MAX = 64;

const SPACE = ' \t\n\r';
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const WORD = /(?:true|false|null|-?(?:0|[1-9]\d{0,400})(?:\.\d{1,400})?(?:[eE][+-]?\d{1,10})?)(?![\w.+-])/y;

/**
 * Where a text stops being JSON. The engine's own messages do not always say.
 *
 * @returns offset of the first character that no JSON text could have there; the length of the text when only
 *   something behind its end is missing
 */
export function jsonErrorOffset(text: string): number {
  const scanner = new Scanner(text);
  if (scanner.value(0)) scanner.skipSpace();
  return scanner.at;
}

/** Recursive descent over RFC 8259. Every method returns false with `at` on the first wrong character. */
class Scanner {
  at = 0;

  constructor(private readonly text: string) {}

  value(depth: number): boolean {
    this.skipSpace();
    if (depth > DEPTH_MAX) return false;
    switch (this.text[this.at]) {
      case '{':
        return this.list('}', () => this.member(depth + 1));
      case '[':
        return this.list(']', () => this.value(depth + 1));
      case '"':
        return this.string();
      default:
        return this.match(WORD);
    }
  }

  skipSpace(): void {
    while (this.at < this.text.length && SPACE.includes(this.text[this.at])) this.at++;
  }

  private list(closing: string, element: () => boolean): boolean {
    this.at++;
    if (this.take(closing)) return true;
    do if (!element()) return false;
    while (this.take(','));
    return this.take(closing);
  }

  private member(depth: number): boolean {
    this.skipSpace();
    return this.text[this.at] === '"' && this.string() && this.take(':') && this.value(depth);
  }

  private string(): boolean {
    this.at++;
    for (;;) {
      const character = this.text[this.at] ?? '';
      if (character === '"') break;
      if (character >= ' ' && character !== '\\') this.at++;
      else if (!this.match(ESCAPE)) return false;
    }
    this.at++;
    return true;
  }

  private take(character: string): boolean {
    this.skipSpace();
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private match(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    if (!pattern.test(this.text)) return false;
    this.at = pattern.lastIndex;
    return true;
  }
}
