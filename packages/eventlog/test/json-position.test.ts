import fc from 'fast-check';
import { jsonErrorOffset } from '../src/json-position';
import { holds } from './properties';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('jsonErrorOffset', () => {
  it.each([
    ['', 0],
    ['abc', 0],
    ['{"a":}', 5],
    ['{"a":1,}', 7],
    ['{"a" 1}', 5],
    ['{"a"', 4],
    ['{a:1}', 1],
    ['[1,2', 4],
    ['[1,]', 3],
    ['[1 2]', 3],
    ['{"a":1}x', 7],
    ['"\u0001"', 1],
    ['"\\x"', 1],
    ['"open', 5],
    ['01', 0],
    ['1.', 0],
    ['truely', 0],
    [' \t\n\r', 4],
  ])('%j stops being JSON at %d', (text, offset) => {
    expect(isJson(text)).toBe(false);
    expect(jsonErrorOffset(text)).toBe(offset);
  });

  it('finds nothing wrong with JSON, and something in everything else', () => {
    holds(
      fc.property(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '}', ' ', '0', '\\', '\n'), (json, at, insert) => {
        expect(jsonErrorOffset(json)).toBe(json.length);
        const cut = at % (json.length + 1);
        const changed = json.slice(0, cut) + insert + json.slice(cut + 1);
        const offset = jsonErrorOffset(changed);
        expect(offset).toBeLessThanOrEqual(changed.length);
        if (offset < changed.length) expect(isJson(changed)).toBe(false);
      }),
      500,
    );
  });
});
