import { events, type MachineEvent } from '@fpulab/core';
import { eventObject } from '../../src/machine/event-type';
import { EventStream } from '../../src/machine/stream';
import { smallState } from '../support/states';

jest.mock('../../src/machine/event-type', () => {
  const actual = jest.requireActual<{ eventObject: typeof eventObject }>('../../src/machine/event-type');
  return { ...actual, eventObject: jest.fn(actual.eventObject) };
});

const newStream = (): EventStream => new EventStream(smallState());
const cr0 = ({ data }: MachineEvent): number => data.value;

describe('emit', () => {
  it('applies before it delivers', () => {
    const stream = newStream();
    const { words, at } = stream.state;
    const seen: number[] = [];
    stream.events$.subscribe(() => seen.push(words[at.cr0]));
    stream.emit(events.Cr0Written, 0, 0x33);
    expect(seen).toEqual([0x33]);
  });

  it('numbers events from 0, listened to or not, and says who and why', () => {
    const stream = newStream();
    stream.emit(events.Cr0Written, 0, 1);
    const seen: MachineEvent[] = [];
    stream.events$.subscribe((event) => seen.push(event));
    stream.actor = 'xen-pv';
    stream.cause = 0;
    stream.emit(events.Cr0Written, 1, 2);
    expect(seen).toEqual([{ seq: 1, type: 'cr0.written', by: 'xen-pv', cause: 0, data: { cpu: 1, value: 2 } }]);
    expect(stream.seq).toBe(2);
  });

  it('delivers a new plain object each time', () => {
    const stream = newStream();
    const seen: MachineEvent[] = [];
    stream.events$.subscribe((event) => seen.push(event));
    stream.emit(events.Cr0Written, 0, 1);
    stream.emit(events.Cr0Written, 0, 1);
    expect(seen[0]).not.toBe(seen[1]);
    expect(JSON.parse(JSON.stringify(seen[0]))).toEqual(seen[0]);
  });
});

describe('touchedShared', () => {
  it('is set by an event that is not local, and not by one that is', () => {
    const stream = newStream();
    expect(stream.touchedShared).toBe(false);
    stream.emit(events.Cr0Written, 0, 1);
    expect(stream.touchedShared).toBe(false);
    stream.emit(events.TaskSlept, 0, 1);
    expect(stream.touchedShared).toBe(true);
  });

  it('stays set until it is cleared', () => {
    const stream = newStream();
    stream.emit(events.TaskSlept, 0, 1);
    stream.emit(events.Cr0Written, 0, 1);
    expect(stream.touchedShared).toBe(true);
    stream.touchedShared = false;
    stream.emit(events.Cr0Written, 0, 1);
    expect(stream.touchedShared).toBe(false);
  });
});

describe('when nobody listens', () => {
  const objectsBuilt = (prepare: (stream: EventStream) => void): number => {
    const stream = newStream();
    prepare(stream);
    jest.mocked(eventObject).mockClear();
    stream.emit(events.Cr0Written, 0, 0x33);
    expect(stream.state.words[stream.state.at.cr0]).toBe(0x33);
    return jest.mocked(eventObject).mock.calls.length;
  };

  it('no object is built, but the event is applied and counted', () => {
    expect(objectsBuilt(() => {})).toBe(0);
  });

  it('a subscriber to all events costs one object', () => {
    expect(objectsBuilt((stream) => stream.events$.subscribe())).toBe(1);
  });

  it('two subscribers share one object', () => {
    expect(
      objectsBuilt((stream) => {
        stream.events$.subscribe();
        stream.on(events.Cr0Written).subscribe();
      }),
    ).toBe(1);
  });

  it('a subscriber to another type costs nothing', () => {
    expect(objectsBuilt((stream) => stream.on(events.TaskSlept).subscribe())).toBe(0);
  });

  it('on() without a subscription costs nothing', () => {
    expect(objectsBuilt((stream) => void stream.on(events.Cr0Written))).toBe(0);
  });

  it('subscribers that have left cost nothing', () => {
    expect(
      objectsBuilt((stream) => {
        stream.events$.subscribe().unsubscribe();
        stream.on(events.Cr0Written).subscribe().unsubscribe();
      }),
    ).toBe(0);
  });

  it('a watcher costs nothing', () => {
    expect(objectsBuilt((stream) => stream.watch(events.Cr0Written, () => {}))).toBe(0);
  });
});

describe('delivery runs to completion', () => {
  it('an event that a subscriber emits comes after the current one, for all subscribers: one order', () => {
    const stream = newStream();
    const first: number[] = [];
    const second: number[] = [];
    const third: number[] = [];
    stream.events$.subscribe((event) => {
      first.push(cr0(event));
      if (cr0(event) < 3) stream.emit(events.Cr0Written, 0, cr0(event) + 1);
    });
    stream.events$.subscribe((event) => second.push(cr0(event)));
    stream.on(events.Cr0Written).subscribe((event) => third.push(cr0(event)));
    stream.emit(events.Cr0Written, 0, 1);
    expect([first, second, third]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
    ]);
  });

  it('positions follow the order of emitting, also when two subscribers emit', () => {
    const stream = newStream();
    const seen: string[] = [];
    stream.on(events.TaskSlept).subscribe(() => stream.emit(events.Cr0Written, 0, 1));
    stream.on(events.TaskSlept).subscribe(() => stream.emit(events.Cr0Written, 0, 2));
    stream.events$.subscribe(({ seq, type, data }) => seen.push(`${seq} ${type} ${data.value ?? '-'}`));
    stream.emit(events.TaskSlept, 0, 1);
    expect(seen).toEqual(['0 task.slept -', '1 cr0.written 1', '2 cr0.written 2']);
  });

  it('emit returns when everything is delivered', () => {
    const stream = newStream();
    const seen: string[] = [];
    stream.on(events.TaskSlept).subscribe(() => stream.emit(events.TaskPicked, 0, 1));
    stream.events$.subscribe(({ type }) => seen.push(type));
    stream.emit(events.TaskSlept, 0, 1);
    seen.push('returned');
    expect(seen).toEqual(['task.slept', 'task.picked', 'returned']);
  });
});

describe('on', () => {
  it('delivers the events of one type, with the same objects as events$', () => {
    const stream = newStream();
    const all: MachineEvent[] = [];
    const slept: MachineEvent[] = [];
    stream.events$.subscribe((event) => all.push(event));
    stream.on(events.TaskSlept).subscribe((event) => slept.push(event));
    stream.emit(events.Cr0Written, 0, 1);
    stream.emit(events.TaskSlept, 0, 2);
    expect(slept).toEqual([all[1]]);
    expect(slept[0]).toBe(all[1]);
    expect(slept[0].data).toEqual({ cpu: 0, task: 2 });
  });
});

describe('react', () => {
  it('an error ends the run at the emit that caused it', () => {
    const stream = newStream();
    stream.react(events.TaskSlept, () => {
      throw new Error('the policy is wrong');
    });
    stream.emit(events.Cr0Written, 0, 1);
    expect(() => stream.emit(events.TaskSlept, 0, 1)).toThrow('the policy is wrong');
  });

  it('an error in a reaction to a reaction comes out of the outermost emit, after everybody has seen the events', () => {
    const stream = newStream();
    const seen: string[] = [];
    stream.react(events.TaskSlept, () => stream.emit(events.TaskPicked, 0, 1));
    stream.react(events.TaskPicked, () => {
      throw new Error('deep');
    });
    stream.events$.subscribe(({ type }) => seen.push(type));
    expect(() => stream.emit(events.TaskSlept, 0, 1)).toThrow('deep');
    expect(seen).toEqual(['task.slept', 'task.picked']);
  });

  it('the first of two errors is reported, once', () => {
    const stream = newStream();
    for (const text of ['first', 'second']) {
      stream.react(events.TaskSlept, () => {
        throw new Error(text);
      });
    }
    expect(() => stream.emit(events.TaskSlept, 0, 1)).toThrow('first');
    expect(() => stream.emit(events.Cr0Written, 0, 1)).not.toThrow();
  });

  it('passes on what was thrown, also when it is no Error', () => {
    const stream = newStream();
    const thrown = Symbol('stop');
    stream.react(events.TaskSlept, () => {
      throw thrown;
    });
    let caught: unknown;
    try {
      stream.emit(events.TaskSlept, 0, 1);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBe(thrown);
  });
});

describe('watch', () => {
  it('is called with bare numbers, after apply and after delivery', () => {
    const stream = newStream();
    const order: unknown[] = [];
    stream.watch(events.Cr0Written, (...fields) => order.push(fields));
    stream.events$.subscribe(() => order.push('delivered'));
    stream.emit(events.Cr0Written, 1, 0x33);
    expect(order).toEqual(['delivered', [1, 0x33, 0, 0, 0, 0]]);
  });
});

describe('complete', () => {
  it('ends the stream for subscribers to all events and to one type', () => {
    const stream = newStream();
    const ended: string[] = [];
    stream.events$.subscribe({ complete: () => ended.push('all') });
    stream.on(events.TaskSlept).subscribe({ complete: () => ended.push('one') });
    stream.complete();
    expect(ended).toEqual(['all', 'one']);
  });

  it('nothing is delivered afterwards', () => {
    const stream = newStream();
    const seen: MachineEvent[] = [];
    stream.events$.subscribe((event) => seen.push(event));
    stream.complete();
    stream.emit(events.Cr0Written, 0, 1);
    expect(seen).toEqual([]);
  });
});
