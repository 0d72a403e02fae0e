/**
 * Shorthand of the SIMD tables, where one operation has many encodings. Each macro turns a line into the lines it stands
 * for, in the notation of `encoding.ts`.
 */

/** Prefix, size of the operand `s`, and EVEX.W, by what a mnemonic ends in. */
const FLOAT_SUFFIXES: Readonly<Record<string, { readonly prefix: string; readonly size: string; readonly w: string }>> =
  {
    ps: { prefix: 'NP', size: 'x', w: 'W0' },
    pd: { prefix: '66', size: 'x', w: 'W1' },
    ss: { prefix: 'F3', size: 'd', w: 'W0' },
    sd: { prefix: 'F2', size: 'q', w: 'W1' },
  };

/** What W chooses in a mnemonic, and in the operand size `s`. */
const W_SUFFIXES: Readonly<Record<string, readonly { readonly letter: string; readonly size: string }[]>> = {
  '*': [
    { letter: 'S', size: 'd' },
    { letter: 'D', size: 'q' },
  ],
  '#': [
    { letter: 'D', size: 'd' },
    { letter: 'Q', size: 'q' },
  ],
  '%': [
    { letter: 'B', size: 'b' },
    { letter: 'W', size: 'w' },
  ],
};

/** Opmask instructions: prefix and W choose the width. */
const OPMASK_SUFFIXES = [
  { prefix: 'NP', w: 'W0', letter: 'W', size: 'w' },
  { prefix: 'NP', w: 'W1', letter: 'Q', size: 'q' },
  { prefix: '66', w: 'W0', letter: 'B', size: 'b' },
  { prefix: '66', w: 'W1', letter: 'D', size: 'd' },
];

interface Line {
  readonly opcode: string;
  readonly prefix: string;
  readonly mnemonic: string;
  readonly operands: string;
  readonly words: readonly string[];
}

function linesOf(text: string): readonly Line[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#')).map(splitLine);
}

function splitLine(line: string): Line {
  const [opcode, prefix, mnemonic, operands, ...words] = line.split(/\s+/);
  return { opcode, prefix, mnemonic, operands, words };
}

function textOf(lines: readonly Line[]): string {
  return lines
    .map(({ opcode, prefix, mnemonic, operands, words }) => [opcode, prefix, mnemonic, operands, ...words].join(' '))
    .join('\n');
}

/** `ps,pd,ss,sd` as the prefix: one line for each, its name appended to the mnemonic. */
function floats(line: Line): readonly Line[] {
  const suffixes = line.prefix.split(',');
  if (!(suffixes[0] in FLOAT_SUFFIXES)) return [line];
  return suffixes.map((suffix) => {
    const { prefix, size, w } = FLOAT_SUFFIXES[suffix];
    const mnemonic = line.mnemonic + suffix.toUpperCase();
    return { ...line, prefix, mnemonic, operands: sized(line.operands, size), words: [...line.words, w] };
  });
}

/** The same without W, which only EVEX looks at. */
function legacyFloats(line: Line): readonly Line[] {
  const lines = floats(line);
  return lines.length === 1 ? lines : lines.map((each) => ({ ...each, words: line.words }));
}

/** `*`, `#` or `%` in the mnemonic: a line with W0, one with W1. */
function chosenByW(line: Line): readonly Line[] {
  const [mark] = /[*#%]/.exec(line.mnemonic) ?? [];
  if (!mark) return [line];
  return W_SUFFIXES[mark].map(({ letter, size }, w) => ({
    ...line,
    mnemonic: line.mnemonic.replace(mark, letter),
    operands: sized(line.operands, size),
    words: [...line.words, `W${w}`],
  }));
}

/** `kmask` as the prefix: the four widths of an opmask instruction. */
function opmasks(line: Line): readonly Line[] {
  if (line.prefix !== 'kmask') return [line];
  return OPMASK_SUFFIXES.map(({ prefix, w, letter, size }) => ({
    ...line,
    prefix,
    mnemonic: line.mnemonic + letter,
    operands: sized(line.operands, size),
    words: [...line.words, w],
  }));
}

/** Replaces the size `s`. */
function sized(operands: string, size: string): string {
  return operands.replace(/(\b[A-Z]|:)s\b/g, `$1${size}`);
}

/** `mmx,66` as the prefix: the operation on MMX registers, without prefix, and on XMM registers. */
function withMmx(line: Line): readonly Line[] {
  if (line.prefix !== 'mmx,66') return [line];
  const operands = line.operands.replace(/\b([VWU])(?:x|16)\b/g, (_, letter: string) => `${MMX_LETTERS[letter]}q`);
  const words = line.words.filter((word) => !word.startsWith('vex'));
  return [
    { ...line, prefix: 'NP', operands, words },
    { ...line, prefix: '66' },
  ];
}

const MMX_LETTERS: Readonly<Record<string, string>> = { V: 'P', W: 'Q', U: 'N' };

/** The legacy encodings of a table of SSE and MMX operations. */
export function legacyLines(text: string): string {
  const lines = linesOf(text).flatMap(legacyFloats).flatMap(withMmx);
  return textOf(lines.map((line) => ({ ...line, words: line.words.filter((word) => !word.startsWith('vex')) })));
}

/** The VEX encodings of the same: words `vex2`, and `vex3` where VEX.vvvv is a source of its own. */
export function vexLines(text: string): string {
  const lines = linesOf(text).flatMap(legacyFloats).flatMap(withMmx);
  return textOf(lines.filter(({ words }) => words.some((word) => word.startsWith('vex'))).map(vexLine));
}

function vexLine(line: Line): Line {
  const [destination, ...sources] = line.operands.split(',');
  const operands = line.words.includes('vex3')
    ? [destination, `H${destination.slice(1)}`, ...sources]
    : [destination, ...sources];
  const words = line.words.filter((word) => !word.startsWith('vex'));
  return { ...line, mnemonic: `V${line.mnemonic}`, operands: operands.join(','), words };
}

/** The lines that a table of VEX or EVEX encodings stands for. */
export function expandLines(text: string): string {
  return textOf(linesOf(text).flatMap(floats).flatMap(opmasks).flatMap(chosenByW));
}
