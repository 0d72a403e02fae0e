/** Where a log goes. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { FpuError } from '@fpulab/core';
import { messageOf } from './fault';

/** Takes the text of a log. Nothing is promised to be there before `close`. */
export interface LogSink {
  /** @throws FpuError FPU503 when it cannot be written */
  write(text: string): void;
  /** Writes what is left and lets go of the file. @throws FpuError FPU503 when that fails */
  close(): void;
}

/** A sink that keeps the log in memory. */
export interface MemorySink extends LogSink {
  /** What was written so far. */
  text(): string;
}

const CHUNK_CHARACTERS = 1 << 16;
/** Offset and value of "operating system: unknown" in a gzip header (RFC 1952), so that all hosts write the same. */
const GZIP_OS_OFFSET = 9;
const GZIP_OS_UNKNOWN = 255;

/** Keeps the log in memory. */
export function memorySink(): MemorySink {
  const parts: string[] = [];
  return { write: (text) => void parts.push(text), close: () => {}, text: () => parts.join('') };
}

/**
 * Writes the log to a file; one that exists is replaced. A path that ends in `.gz` is compressed, and written when
 * the sink is closed; anything else is written in chunks as it comes.
 *
 * @throws FpuError FPU503 when the file cannot be created
 */
export function fileSink(path: string): LogSink {
  const file = attempt(path, 'create', () => openSync(path, 'w'));
  const compressed = path.endsWith('.gz');
  let parts: string[] = [];
  let characters = 0;
  const flush = (): void => {
    const bytes = Buffer.from(parts.join(''));
    parts = [];
    characters = 0;
    attempt(path, 'write', () => writeAll(file, compressed ? gzip(bytes) : bytes));
  };
  return {
    write(text) {
      parts.push(text);
      characters += text.length;
      if (!compressed && characters >= CHUNK_CHARACTERS) flush();
    },
    close() {
      try {
        flush();
      } finally {
        attempt(path, 'close', () => closeSync(file));
      }
    },
  };
}

/** gzip with a header that depends on nothing but the data. */
function gzip(bytes: Uint8Array): Uint8Array {
  const packed = gzipSync(bytes);
  packed[GZIP_OS_OFFSET] = GZIP_OS_UNKNOWN;
  return packed;
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
}

function attempt<T>(path: string, what: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new FpuError(
      'FPU503',
      `cannot ${what} the event log '${path}': ${messageOf(cause)}`,
      { file: path },
      { cause },
    );
  }
}
