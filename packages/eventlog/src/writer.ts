/** Writes what a machine does to a log. */
import { createHash } from 'node:crypto';
import { FpuError, type Machine, type MachineEvent } from '@fpulab/core';
import { EventCodec } from './event-codec';
import type { LogFooter, LogOutcome, LogVerdict } from './format';
import { headerOf, type LogMeta } from './header';
import type { LogSink } from './sink';
import { VerdictCounter } from './verdict';

/** What a finished log says about its run. */
export interface LogSummary {
  /** Digest of the final state, 16 hexadecimal digits. */
  readonly digest: string;
  readonly verdict: LogVerdict;
  readonly events: number;
}

/** Listens to one machine and writes its log. Decides nothing: the footer says what the oracles' events say. */
export class LogRecorder {
  private readonly codec: EventCodec;
  private readonly counter: VerdictCounter;
  private readonly hash = createHash('sha256');
  private readonly subscription: { unsubscribe(): void };
  private events = 0;
  private problem: { readonly error: unknown } | undefined;

  /** Use `recordLog`. */
  constructor(
    private readonly machine: Machine,
    meta: LogMeta,
    private readonly sink: LogSink,
  ) {
    const header = headerOf(machine, meta);
    this.codec = new EventCodec(header, machine.state);
    this.counter = new VerdictCounter(header);
    this.write(`${JSON.stringify(header)}\n`);
    this.subscription = machine.events$.subscribe((event) => this.record(event));
  }

  /**
   * True when the log can no longer become whole; `finish` says why. A run that has to be on record can stop here:
   * the stream itself carries no subscriber's errors.
   */
  get failed(): boolean {
    return this.problem !== undefined;
  }

  /**
   * Writes the footer, closes the sink and stops listening. Once per recorder.
   *
   * @throws FpuError FPU503 when the log could not be written, now or before
   */
  finish({ outcome }: { readonly outcome: LogOutcome }): LogSummary {
    this.subscription.unsubscribe();
    const digest = this.machine.digest();
    const verdict = this.counter.verdict(outcome);
    const { violations } = this.counter;
    const { events } = this;
    const footer: Omit<LogFooter, 'sha256'> = { kind: 'footer', events, outcome, verdict, violations, digest };
    if (!this.problem) {
      this.attempt(() => {
        this.write(`${JSON.stringify(footer).slice(0, -1)},"sha256":"`);
        this.sink.write(`${this.hash.digest('hex')}"}\n`);
      });
    }
    this.attempt(() => this.sink.close());
    if (this.problem) throw this.problem.error;
    return { digest, verdict, events };
  }

  private record(event: MachineEvent): void {
    if (this.problem) return;
    this.attempt(() => {
      this.counter.observe(event);
      this.write(this.codec.encode(event));
      this.events++;
    });
  }

  /** Text that the checksum covers. */
  private write(text: string): void {
    this.hash.update(text);
    this.sink.write(text);
  }

  /** Keeps the first error for `finish`: RxJS would report it later, on another stack. */
  private attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.problem ??= { error };
    }
  }
}

/**
 * Records everything that a machine does from now on. Call it before the machine's first step, and `finish` after
 * the last.
 *
 * @throws FpuError FPU404 when the machine has run already; FPU503 when the sink cannot be written
 */
export function recordLog(machine: Machine, meta: LogMeta, sink: LogSink): LogRecorder {
  const missed = machine.eventCount;
  if (missed > 0) {
    throw new FpuError(
      'FPU404',
      `a log starts at event 0, but the machine is at event ${missed}; record it from its first step`,
      {
        expected: 0,
        found: missed,
      },
    );
  }
  return new LogRecorder(machine, meta, sink);
}
