/** How a log writes the numbers of an event, by what they mean. */
import {
  CHOICE_KINDS,
  MOVE_INSTRUCTIONS,
  ORACLES,
  VALIDITY_NAMES,
  type EventFieldKind,
  type MachineState,
} from '@fpulab/core';
import { RETURN_LABEL, type LogHeader } from './format';

/** Writes and reads one field of an event. */
export interface FieldCodec {
  /** What a log holds for the number; undefined for one that no machine of this header can emit. */
  readonly encode: (value: number) => string | number | undefined;
  /** The number, or undefined when the log holds something that the field cannot be. */
  readonly decode: (text: string | number) => number | undefined;
  /** What `decode` expects, for error messages. */
  readonly expected: string;
}

/** Codecs of the fields of all event types, for logs with one header. */
export interface FieldCodecs {
  /** The codec of field `name` of the event type `type`. */
  of(type: string, name: string, kind: EventFieldKind): FieldCodec;
}

/** The address of a `next` that pops its frame. */
const RETURN = -1;
/** Component of violations that concern none; CPU of violations of a task that has not run. */
const NONE = -1;
const LOCALS = 2;

/** Builds the codecs from what the header says about sizes, labels and slots. */
export function fieldCodecs(header: LogHeader, state: MachineState): FieldCodecs {
  const { sizes, componentBits, stackDepth } = header;
  const component = oneOf('a component', componentBits);
  const byKind: Readonly<Record<EventFieldKind, FieldCodec>> = {
    cpu: range('a CPU', sizes.cpu),
    task: range('a task', sizes.task),
    fpstate: range('an fpstate', sizes.fpstate),
    component,
    value: HEX,
    mask: HEX,
    digest: HEX,
    pc: labels(header.steps),
    slot: slots(state),
    instruction: named('an instruction like "XSAVE"', new Map(MOVE_INSTRUCTIONS.map((name, index) => [index, name]))),
    number: NUMBER,
  };
  /** Fields whose range is not their kind's: `apply` and tools use these as indices too. */
  const special: Readonly<Record<string, FieldCodec>> = {
    'choice.made/kind': range('a kind of choice', CHOICE_KINDS.length),
    'local.written/frame': range('a frame', stackDepth),
    'local.written/index': range('a local', LOCALS),
    'validity.changed/from': range('a validity', VALIDITY_NAMES.length),
    'validity.changed/to': range('a validity', VALIDITY_NAMES.length),
    'oracle.violated/oracle': range('an oracle', ORACLES.length),
    'oracle.violated/cpu': orNone(byKind.cpu),
    'oracle.violated/component': orNone(component),
  };
  return { of: (type, name, kind) => special[`${type}/${name}`] ?? byKind[kind] };
}

/** Registers, masks and digests: 32 bits, shown unsigned. */
const HEX: FieldCodec = {
  encode: (value) => `0x${(value >>> 0).toString(16)}`,
  decode: (text) =>
    typeof text === 'string' && /^0x(?:0|[1-9a-f][0-9a-f]{0,7})$/.test(text) ? Number(text) | 0 : undefined,
  expected: '32 bits like "0x2a"',
};

const NUMBER: FieldCodec = plain('a 32-bit number', (value) => value === (value | 0));

function plain(expected: string, accepts: (value: number) => boolean): FieldCodec {
  const check = (value: string | number): number | undefined =>
    typeof value === 'number' && accepts(value) ? value | 0 : undefined;
  return { encode: check, decode: check, expected };
}

function range(what: string, count: number): FieldCodec {
  return plain(`${what} from 0 to ${count - 1}`, (value) => value === (value | 0) && value >= 0 && value < count);
}

function oneOf(what: string, numbers: readonly number[]): FieldCodec {
  return plain(`${what} out of ${numbers.join(', ')}`, (value) => numbers.includes(value));
}

function orNone(codec: FieldCodec): FieldCodec {
  return {
    encode: (value) => (value === NONE ? NONE : codec.encode(value)),
    decode: (text) => (text === NONE ? NONE : codec.decode(text)),
    expected: `${codec.expected}, or ${NONE} for none`,
  };
}

/** Numbers under unique names. */
function named(expected: string, nameOf: ReadonlyMap<number, string>): FieldCodec {
  const numberOf = new Map(Array.from(nameOf, ([number, name]) => [name, number]));
  return {
    encode: (value) => nameOf.get(value),
    decode: (text) => (typeof text === 'string' ? numberOf.get(text) : undefined),
    expected,
  };
}

function labels(steps: readonly string[]): FieldCodec {
  const names = new Map(steps.map((label, pc) => [pc, label]));
  return named(`a step that the header lists, or "${RETURN_LABEL}"`, names.set(RETURN, RETURN_LABEL));
}

/** Words of the packed state as `<field>[<instance>]`; `[<instance>][<element>]` where a field has several per instance. */
function slots({ layout }: MachineState): FieldCodec {
  const nameOf = (word: number): string | undefined => {
    const field = layout.fields.find(({ base, instances, width }) => word >= base && word < base + instances * width);
    if (field === undefined) return undefined;
    const offset = word - field.base;
    const element = field.width === 1 ? '' : `[${offset % field.width}]`;
    return `${field.name}[${Math.floor(offset / field.width)}]${element}`;
  };
  const wordOf = (name: string): number | undefined => {
    const [, fieldName, instance, element = '0'] = /^(.+?)\[(\d{1,6})\](?:\[(\d{1,6})\])?$/.exec(name) ?? [];
    const field = fieldName === undefined ? undefined : layout.find(fieldName);
    if (field === undefined) return undefined;
    const word = field.base + Number(instance) * field.width + Number(element);
    return nameOf(word) === name ? word : undefined;
  };
  const names = remembering(nameOf);
  const words = remembering(wordOf);
  return {
    encode: names,
    decode: (text) => (typeof text === 'string' ? words(text) : undefined),
    expected: 'a slot like "xen-pv.guest_ts[0]"',
  };
}

/** The same function, which works out each answer once. */
function remembering<K, V>(answer: (key: K) => V | undefined): (key: K) => V | undefined {
  const known = new Map<K, V>();
  return (key) => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const found = answer(key);
    if (found !== undefined) known.set(key, found);
    return found;
  };
}
