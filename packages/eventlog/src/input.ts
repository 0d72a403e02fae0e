/** Gets the bytes of a log: from a file or a buffer, unpacked. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { FpuError } from '@fpulab/core';
import { logError, messageOf } from './fault';

/** Unpacked, a log is at most this large: 1 GiB, some 6 million events. */
export const LOG_BYTES_MAX = 1 << 30;

const GZIP_MAGIC = [0x1f, 0x8b];

/**
 * The text of a log as bytes. gzip data is recognised by its first two bytes, whatever its name.
 *
 * @param file names the source in errors
 * @throws FpuError FPU502 when there is no such file, FPU503 when it cannot be read or is too large, FPU401 when a
 *   `.gz` is no gzip data, FPU402 when its end is missing, FPU405 when it is damaged
 */
export function logBytes(source: string | Uint8Array, file: string): Uint8Array {
  const bytes = typeof source === 'string' ? readBytes(source) : source;
  const compressed = GZIP_MAGIC.every((byte, index) => bytes[index] === byte);
  if (compressed) return unpack(bytes, file);
  if (file.endsWith('.gz') && bytes.length > 0) {
    throw logError('FPU401', `the name ends in .gz, but this is no gzip data`, { file, line: 1, column: 1 });
  }
  return bytes;
}

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    const code = errorCode(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ERR_INVALID_ARG_VALUE') {
      throw new FpuError('FPU502', `there is no event log ${JSON.stringify(path)}`, { file: path }, { cause });
    }
    throw new FpuError('FPU503', `cannot read the event log '${path}': ${messageOf(cause)}`, { file: path }, { cause });
  }
}

function unpack(bytes: Uint8Array, file: string): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: LOG_BYTES_MAX });
  } catch (cause) {
    const where = { file, line: 1, column: 1 };
    switch (errorCode(cause)) {
      case 'Z_BUF_ERROR':
        throw logError('FPU402', 'the gzip data ends too early; the log was not finished, or not copied whole', where);
      case 'ERR_BUFFER_TOO_LARGE':
        throw new FpuError('FPU503', `the event log '${file}' unpacks to more than ${LOG_BYTES_MAX} bytes`, { file });
      default:
        throw logError('FPU405', `the gzip data is damaged: ${messageOf(cause)}`, where);
    }
  }
}

/** System errors carry a code; they need not be instances of this realm's Error. */
function errorCode(error: unknown): unknown {
  return error !== null && typeof error === 'object' && 'code' in error ? error.code : undefined;
}
