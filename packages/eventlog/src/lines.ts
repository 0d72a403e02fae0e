/** Splits the bytes of a log into lines and lines into JSON, and says exactly where that fails. */
import { isUtf8 } from 'node:buffer';
import { logError, type Location } from './fault';
import { jsonErrorOffset } from './json-position';

/** One line of a log. */
export interface TextLine {
  /** From 1. */
  readonly number: number;
  readonly text: string;
  /** False for a last line without LF. */
  readonly ended: boolean;
  /** False when the bytes were not UTF-8; U+FFFD stands for the bad ones. */
  readonly utf8: boolean;
}

const LF = 0x0a;
const REPLACEMENT = '\ufffd';

/** The lines of a log, one after the other. */
export function* textLines(bytes: Uint8Array): Generator<TextLine, undefined> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const clean = isUtf8(buffer);
  let offset = 0;
  for (let number = 1; offset < buffer.length; number++) {
    const found = buffer.indexOf(LF, offset);
    const end = found < 0 ? buffer.length : found;
    yield {
      number,
      text: buffer.toString('utf8', offset, end),
      ended: found >= 0,
      utf8: clean || isUtf8(buffer.subarray(offset, end)),
    };
    offset = end + 1;
  }
}

/**
 * The JSON value on a line.
 *
 * @throws FpuError FPU403 for bytes that are not UTF-8, a blank line, CR LF, or anything that is not JSON
 */
export function parseLine({ text, number, utf8 }: TextLine, file: string): unknown {
  const at = (offset: number): Location => ({ file, line: number, column: offset + 1 });
  if (!utf8) throw logError('FPU403', 'bytes that are not UTF-8', at(Math.max(text.indexOf(REPLACEMENT), 0)));
  if (text === '') throw logError('FPU403', 'a blank line; a log has one JSON object on every line', at(0));
  if (text.endsWith('\r')) {
    throw logError('FPU403', 'the line ends in CR LF; logs end their lines in LF alone', at(text.length - 1));
  }
  try {
    return JSON.parse(text);
  } catch {
    const offset = jsonErrorOffset(text);
    const found = offset < text.length ? `found ${JSON.stringify(text[offset])}` : 'the line ends here';
    throw logError('FPU403', `malformed JSON: ${found}`, at(offset));
  }
}
