/** Where event logs are kept. */
import { dirname, join } from 'node:path';
import { fileSink, type LogSink } from '@fpulab/eventlog';
import { makeDirectory } from './directories';

/** Runs that found something are kept here although nobody asked. */
export const FAILURES = join('.fpulab', 'failures');
/** How the names of their logs end. */
export const FAILURE_SUFFIX = '.events.jsonl.gz';

/** Opens a log for writing, and makes the directory that it is in. */
export function openLog(path: string): LogSink {
  makeDirectory(dirname(path));
  return fileSink(path);
}

/** Writes a log that is whole already. */
export function writeLog(path: string, text: string): void {
  const sink = openLog(path);
  sink.write(text);
  sink.close();
}

/** Keeps the log of a run that found something. Returns where. */
export function keepFailure(text: string, name: string): string {
  const path = join(FAILURES, `${name}${FAILURE_SUFFIX}`);
  writeLog(path, text);
  return path;
}
