/** The check that a log needs once per event, without the schema's cost. */
import type { EventLine } from './format';

const REQUIRED_KEYS = 8;

/**
 * Whether a JSON value is surely what `eventLineSchema` accepts. What this refuses the schema has to judge, and to say
 * what is wrong with it. Checking by the schema took most of the time of reading a log.
 *
 * @param value from JSON.parse
 */
export function isEventLine(value: unknown): value is EventLine {
  if (!isObject(value)) return false;
  const { seq, t, cpu, stream, pos, type, v, by, task, data, cause } = value;
  const optionalKeys = Number(cpu !== undefined) + Number(task !== undefined) + Number(cause !== undefined);
  return (
    Object.keys(value).length === REQUIRED_KEYS + optionalKeys &&
    isCount(seq) &&
    typeof t === 'string' &&
    (cpu === undefined || Number.isSafeInteger(cpu)) &&
    isId(stream) &&
    isCount(pos) &&
    isId(type) &&
    v === 1 &&
    isId(by) &&
    (task === undefined || Number.isSafeInteger(task)) &&
    isObject(data) &&
    Object.values(data).every(isField) &&
    (cause === undefined || isCount(cause))
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function isField(value: unknown): boolean {
  return typeof value === 'string' || Number.isFinite(value);
}
