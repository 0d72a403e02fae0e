import type { Observable } from 'rxjs';
import { Subject } from '../subject';
import { eventObject, type EventFields, type EventType, type MachineEvent } from './event-type';
import type { Footprint } from './footprint';
import type { MachineState } from './state';

/** Called for every event of one type, synchronously, after `apply`. For oracles; changes no state by itself. */
export type Watcher = (cpu: number, b: number, c: number, d: number, e: number, f: number) => void;

/**
 * The one stream of a machine.
 *
 * `emit` applies, then builds the event object only if somebody listens. Delivery is run to completion: an event
 * that is emitted while another is delivered waits in the outbox until that delivery is over, so every subscriber
 * sees one order.
 */
export class EventStream {
  /** Position of the next event. */
  seq = 0;
  /** Whose code is running: becomes `by` of the events. */
  actor = 'kernel';
  /** The step in whose course events happen, or -1. */
  cause = -1;

  /** Set by events, and by reads, that concern more than one CPU and its current task; whoever asks clears it. */
  touchedShared = false;
  /** Set by code that uses slots of other CPUs, or of tasks that may run there; whoever asks clears it. */
  touchedForeign = false;
  /** Where somebody wants to know: what is looked at, changed and asked. */
  footprint: Footprint | undefined;

  private readonly all = new Subject<MachineEvent>();
  private readonly perType: (Subject<MachineEvent> | undefined)[] = [];
  private readonly watchers: (Watcher | undefined)[] = [];
  private readonly outbox: { event: MachineEvent; id: number }[] = [];
  /** True while subscribers are told: they look, they do not step. */
  delivering = false;
  private failure: { readonly error: unknown } | undefined;

  constructor(readonly state: MachineState) {}

  /** All events, in order. */
  get events$(): Observable<MachineEvent> {
    return this.all.asObservable();
  }

  /** Events of one type, in order. */
  on<F extends EventFields>(type: EventType<F>): Observable<MachineEvent<F>> {
    const subject = (this.perType[type.id] ??= new Subject<MachineEvent>());
    return subject.asObservable() as Observable<MachineEvent<F>>;
  }

  /** Subscribes a plugin's reaction. What it throws is a bug that ends the run, not an error on another stack. */
  react<F extends EventFields>(type: EventType<F>, reaction: (event: MachineEvent<F>) => void): void {
    this.on(type).subscribe((event) => {
      try {
        reaction(event);
      } catch (error) {
        this.failure ??= { error };
      }
    });
  }

  /** Sets the one watcher of an event type. */
  watch(type: EventType, watcher: Watcher): void {
    this.watchers[type.id] = watcher;
  }

  /** Applies an event and delivers it. */
  emit(type: EventType, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): void {
    this.footprint?.applies(type, [a, b, c, d, e, f]);
    type.apply(this.state, a, b, c, d, e, f);
    if (!type.local) this.touchedShared = true;
    const seq = this.seq++;
    if (this.all.observed || this.perType[type.id]?.observed) {
      const header = { seq, by: this.actor, cause: this.cause };
      this.publish(eventObject(type, header, [a, b, c, d, e, f]), type.id);
    }
    const watcher = this.watchers[type.id];
    if (watcher !== undefined) watcher(a, b, c, d, e, f);
  }

  /** Ends the stream for its subscribers. */
  complete(): void {
    this.all.complete();
    for (const subject of this.perType) subject?.complete();
  }

  private publish(event: MachineEvent, id: number): void {
    this.outbox.push({ event, id });
    if (this.delivering) return;
    this.delivering = true;
    try {
      for (let next = this.outbox.shift(); next; next = this.outbox.shift()) {
        this.all.next(next.event);
        this.perType[next.id]?.next(next.event);
      }
    } finally {
      this.delivering = false;
    }
    const { failure } = this;
    this.failure = undefined;
    if (failure) throw failure.error;
  }
}
