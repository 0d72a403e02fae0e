/** Translates between the events of a machine and the lines of its log. */
import { eventType, type EventType, type MachineEvent, type MachineState } from '@fpulab/core';
import { LineFault, shown } from './fault';
import { fieldCodecs, type FieldCodec, type FieldCodecs } from './field-codec';
import type { EventLine, LogHeader } from './format';

/** A field of an event type, ready to be written and read. */
interface CodedField {
  readonly name: string;
  readonly codec: FieldCodec;
  /** Fields called `cpu` and `task` travel in the envelope. */
  readonly place: 'cpu' | 'task' | 'data';
}

/** An event type, ready to be written and read. */
interface CodedType {
  readonly name: string;
  /** In the order of the declaration, which is the order that delivered events have. */
  readonly fields: readonly CodedField[];
  readonly dataFields: number;
  readonly hasCpu: boolean;
  readonly hasTask: boolean;
}

/**
 * Writes or reads the events of one log, in their order: it counts the positions in every stream, so one object serves
 * one pass in one direction.
 */
export class EventCodec {
  private readonly types = new Map<string, CodedType>();
  private readonly codecs: FieldCodecs;
  private readonly actors = new Map<string, string>();
  private readonly positions = new Map<string, number>();
  private seq = 0;

  /**
   * @param header says what numbers mean
   * @param state a state of the header's layout; only its layout is used
   */
  constructor(header: LogHeader, state: MachineState) {
    this.codecs = fieldCodecs(header, state);
  }

  /** The line of an event, LF included. Always the same bytes for the same event. */
  encode(event: MachineEvent): string {
    const coded = this.coded(event.type);
    if (coded === undefined) throw new Error(`fpulab bug: an event of the undeclared type '${event.type}'`);
    const stream = streamOf(event.data);
    const data: Record<string, string | number> = {};
    const envelope: { cpu?: string | number; task?: string | number } = {};
    for (const { name, codec, place } of coded.fields) {
      const text = codec.encode(event.data[name]);
      if (text === undefined) {
        throw new Error(`fpulab bug: ${event.type} ${event.seq} has the ${name} ${event.data[name]}`);
      }
      if (place === 'data') data[name] = text;
      else envelope[place] = text;
    }
    // The order of the keys is part of the format; JSON.stringify leaves out what is undefined.
    const line = {
      seq: event.seq,
      t: String(event.seq),
      cpu: envelope.cpu,
      stream,
      pos: this.nextPosition(stream),
      type: event.type,
      v: 1,
      by: event.by,
      task: envelope.task,
      data,
      cause: event.cause < 0 ? undefined : event.cause,
    };
    return `${JSON.stringify(line)}\n`;
  }

  /**
   * The event of a line.
   *
   * @throws LineFault FPU404 when it is not the one that comes next, FPU403 when its type cannot be like this
   */
  decode(line: EventLine): MachineEvent {
    expectNext('seq', 'event', this.seq, line.seq);
    this.seq++;
    const coded = this.coded(line.type);
    if (coded === undefined) {
      throw new LineFault('FPU403', `${shown(line.type)} is no event type of this version of fpulab`, 'type');
    }
    const data = decodeData(coded, line);
    const stream = streamOf(data);
    expectText('stream', stream, line.stream);
    expectNext('pos', `position in ${stream}`, this.nextPosition(stream), line.pos);
    expectText('t', String(line.seq), line.t);
    const cause = line.cause ?? -1;
    if (cause >= line.seq) {
      throw new LineFault('FPU403', `event ${line.seq} cannot be caused by event ${cause}`, 'cause');
    }
    return { seq: line.seq, type: coded.name, by: this.sameActor(line.by), cause, data };
  }

  private coded(name: string): CodedType | undefined {
    const known = this.types.get(name);
    if (known !== undefined) return known;
    const type = eventType(name);
    if (type === undefined) return undefined;
    const coded = codedType(type, this.codecs);
    this.types.set(name, coded);
    return coded;
  }

  private nextPosition(stream: string): number {
    const position = this.positions.get(stream) ?? 0;
    this.positions.set(stream, position + 1);
    return position;
  }

  /** One string object per actor, not one per event. */
  private sameActor(by: string): string {
    const known = this.actors.get(by);
    if (known === undefined) this.actors.set(by, by);
    return known ?? by;
  }
}

function codedType(type: EventType, codecs: FieldCodecs): CodedType {
  const fields = type.fieldNames.map((name): CodedField => ({
    name,
    codec: codecs.of(type.name, name, type.fields[name]),
    place: name === 'cpu' || name === 'task' ? name : 'data',
  }));
  const dataFields = fields.filter(({ place }) => place === 'data').length;
  return { name: type.name, fields, dataFields, hasCpu: 'cpu' in type.fields, hasTask: 'task' in type.fields };
}

/** The stream that an event belongs to: its CPU's, else its task's, else the machine's. */
function streamOf({ cpu, task }: { readonly [name: string]: number }): string {
  if (cpu !== undefined && cpu >= 0) return `cpu/${cpu}`;
  return task !== undefined && task >= 0 ? `task/${task}` : 'machine';
}

function decodeData(coded: CodedType, line: EventLine): Record<string, number> {
  refuseUndeclared(coded, line);
  const data: Record<string, number> = {};
  for (const { name, codec, place } of coded.fields) {
    const text = place === 'data' ? ownValue(line.data, name) : line[place];
    if (text === undefined) throw new LineFault('FPU403', `${coded.name} needs '${name}'`, 'data');
    const value = codec.decode(text);
    if (value === undefined) {
      throw new LineFault('FPU403', `${coded.name}.${name} is ${codec.expected}, found ${shown(text)}`, name);
    }
    data[name] = value;
  }
  return data;
}

function refuseUndeclared(coded: CodedType, line: EventLine): void {
  const extra = (name: string): LineFault => new LineFault('FPU403', `${coded.name} has no ${shown(name)}`, name);
  if (line.cpu !== undefined && !coded.hasCpu) throw extra('cpu');
  if (line.task !== undefined && !coded.hasTask) throw extra('task');
  const names = Object.keys(line.data);
  if (names.length <= coded.dataFields) return;
  const declared = (name: string): boolean =>
    coded.fields.some((field) => field.name === name && field.place === 'data');
  throw extra(names.find((name) => !declared(name)) ?? 'data');
}

function ownValue(data: EventLine['data'], name: string): string | number | undefined {
  return Object.hasOwn(data, name) ? data[name] : undefined;
}

function expectNext(key: string, what: string, expected: number, found: number): void {
  if (found === expected) return;
  const reason = found < expected ? 'it is doubled or out of order' : 'something is missing before it';
  throw new LineFault('FPU404', `expected ${what} ${expected}, found ${found}: ${reason}`, key, { expected, found });
}

function expectText(key: string, expected: string, found: string): void {
  if (found === expected) return;
  throw new LineFault('FPU403', `expected the ${key} "${expected}", found ${shown(found)}`, key);
}
