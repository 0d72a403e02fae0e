import fc from 'fast-check';
import { isEventLine } from '../src/event-line';
import { eventLineSchema } from '../src/format';
import { linesOf, record } from './helpers';
import { holds } from './properties';

const lines: readonly unknown[] = linesOf(record({ seed: 1n }).text)
  .slice(1, -1)
  .map((line) => JSON.parse(line));

/** Values just beside those that lines have. */
const awkward = fc.constantFrom<unknown>(-1, 0.5, 2 ** 53, Infinity, '', '0x', null, true, [], {}, [1], { a: null });

describe('isEventLine', () => {
  it('accepts every line that a recorder writes, so that no log pays for the schema', () => {
    expect(lines.length).toBeGreaterThan(500);
    expect(lines.filter((line) => !isEventLine(line))).toEqual([]);
  });

  it('accepts nothing that the schema refuses', () => {
    const keys = ['seq', 't', 'cpu', 'stream', 'pos', 'type', 'v', 'by', 'task', 'data', 'cause', 'more'];
    const seen = { accepted: 0, refused: 0 };
    holds(
      fc.property(
        fc.constantFrom(...lines),
        fc.constantFrom(...keys),
        fc.oneof(awkward, fc.jsonValue({ maxDepth: 1 }), fc.constant(undefined)),
        (line, key, value) => {
          // What is undefined is left out by JSON.
          const changed = { ...(line as object), [key]: value };
          const found: unknown = value === Infinity ? changed : JSON.parse(JSON.stringify(changed));
          const accepted = isEventLine(found);
          seen[accepted ? 'accepted' : 'refused']++;
          if (accepted) expect(eventLineSchema.safeParse(found).success).toBe(true);
        },
      ),
      2000,
    );
    expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(100);
  });

  it.each([[null], [[]], ['{}'], [7]])('refuses %j', (value) => expect(isEventLine(value)).toBe(false));

  it.each([[{ from: null }], [{ from: Infinity }], [[1]], [null]])('refuses the data %j', (data) => {
    expect(isEventLine({ ...(lines[0] as object), data })).toBe(false);
  });
});
