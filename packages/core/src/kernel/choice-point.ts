import { assert } from '../error';
import { digest32 } from '../machine/digest';
import * as events from '../machine/events';
import type { EventStream } from '../machine/stream';
import type { ChoiceDriver, ChoiceRequest } from './choices';

/** Where all choices of a machine are asked, answered by its driver, and recorded. */
export class ChoicePoint {
  /** Who answers. */
  driver: ChoiceDriver;
  /** False while somebody only tries what would happen: choices are asked but not recorded as events. */
  recording = true;
  /** Scratch for the alternatives of the next question; whoever asks fills it. */
  readonly alternatives: Int32Array;
  private readonly request: ChoiceRequest;

  constructor(
    private readonly stream: EventStream,
    options: {
      readonly driver: ChoiceDriver;
      /** The most alternatives that any question has. */
      readonly capacity: number;
      /** A word for an alternative of a kind of choice. */
      readonly name: (kind: number, alternative: number) => string;
    },
  ) {
    this.driver = options.driver;
    this.alternatives = new Int32Array(options.capacity);
    const request: ChoiceRequest = {
      kind: 0,
      alternatives: this.alternatives,
      count: 0,
      enabled: 0,
      name: (alternative) => options.name(request.kind, alternative),
    };
    this.request = request;
  }

  /** Takes one of `alternatives[0..count)`. What leaves no choice is not asked and not recorded. */
  take(kind: number, count: number): number {
    return count === 1 ? this.alternatives[0] : this.ask(kind, count);
  }

  /** Takes one of a list. */
  takeFrom(kind: number, alternatives: readonly number[]): number {
    for (let index = 0; index < alternatives.length; index++) this.alternatives[index] = alternatives[index];
    return this.take(kind, alternatives.length);
  }

  private ask(kind: number, count: number): number {
    const { request, stream } = this;
    request.kind = kind;
    request.count = count;
    if (this.recording) request.enabled = digest32(this.alternatives, count, kind);
    const index = this.driver.choose(request);
    assert(index >= 0 && index < count, `driver took alternative ${index} of ${count}`);
    if (!this.recording) return this.alternatives[index];
    const taken = this.alternatives[index];
    const { actor } = stream;
    stream.actor = 'scheduler';
    stream.emit(events.ChoiceMade, kind, taken, index, count, request.enabled);
    stream.actor = actor;
    return taken;
  }
}
