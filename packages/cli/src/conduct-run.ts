/** Runs a machine with its log, in slices, so that Ctrl-C is heard and progress is seen. */
import { setImmediate } from 'node:timers/promises';
import type { Machine, RunOutcome } from '@fpulab/core';
import { recordLog, type LogMeta, type LogSink, type LogSummary } from '@fpulab/eventlog';
import { progressLine, type GlobalOptions } from './terminal';

/** What a run needs beside its machine. */
export interface RunRequest {
  readonly meta: LogMeta;
  readonly sink: LogSink;
  readonly stepsMax: number;
}

/** What a run did, and what its log says. */
export interface RunSummary extends LogSummary {
  readonly outcome: RunOutcome;
  readonly steps: number;
}

const SLICE_STEPS = 20_000;

/** Runs to the end, the step limit, or Ctrl-C; the log is whole in every case. A run that fails leaves a log that says so. */
export async function conductRun(machine: Machine, request: RunRequest, options: GlobalOptions): Promise<RunSummary> {
  const recorder = recordLog(machine, request.meta, request.sink);
  const progress = progressLine(options);
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
  };
  process.once('SIGINT', interrupt);
  let steps = 0;
  let outcome: RunOutcome = 'step-limit';
  try {
    while (steps < request.stepsMax && !recorder.failed) {
      const slice = machine.run({ stepsMax: Math.min(SLICE_STEPS, request.stepsMax - steps) });
      steps += slice.steps;
      outcome = slice.outcome;
      if (outcome !== 'step-limit') break;
      await setImmediate();
      if (interrupted) {
        outcome = 'interrupted';
        break;
      }
      progress.update(() => `${steps} of at most ${request.stepsMax} steps, ${machine.eventCount} events`);
    }
  } catch (error) {
    recorder.finish({ outcome: 'failed' });
    throw error;
  } finally {
    progress.clear();
    process.removeListener('SIGINT', interrupt);
  }
  return { ...recorder.finish({ outcome }), outcome, steps };
}
