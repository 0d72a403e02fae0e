import * as fc from 'fast-check';
import { decode, format } from '../../src/x86/decoder';
import { INVALID_REASONS, type CodeMode } from '../../src/x86/instruction';

const modes = fc.constantFrom<CodeMode>(32, 64);
/** Random bytes seldom are an instruction of interest; these begin like one. */
const starts = fc.constantFrom(
  ...[[], [0x66], [0xf3], [0xf2], [0xf0], [0x48], [0x0f], [0x0f, 0xae], [0x0f, 0xc7], [0x0f, 0x01], [0xdb]],
  ...[
    [0xc5],
    [0xc4, 0xe1],
    [0xc4, 0xe2],
    [0xc4, 0xe3],
    [0x62, 0xf1],
    [0x62, 0xf2],
    [0x62, 0xf3],
    [0x0f, 0x38],
    [0x0f, 0x3a],
  ],
);
const code = fc
  .tuple(starts, fc.uint8Array({ minLength: 1, maxLength: 24 }))
  .map(([start, rest]) => Uint8Array.from([...start, ...rest]));
const RUNS = { numRuns: 5_000 };

describe('decode, for all bytes', () => {
  it('never throws, and consumes 1 to 15 of them', () => {
    fc.assert(
      fc.property(code, modes, (bytes, mode) => {
        const instruction = decode(bytes, 0, mode);
        expect(instruction.length).toBeGreaterThanOrEqual(1);
        expect(instruction.length).toBeLessThanOrEqual(Math.min(15, bytes.length));
        if (!instruction.invalid) expect(format(instruction)).toMatch(/^[a-z0-9]+( [a-z0-9[({].*)?$/);
        expect(format(instruction)).not.toMatch(/undefined(?!-opcode)|NaN/);
        expect(instruction.mnemonic === 'INVALID').toBe(instruction.invalid !== undefined);
        if (instruction.invalid) expect(INVALID_REASONS).toHaveProperty(instruction.invalid);
      }),
      RUNS,
    );
  });

  it('looks at no byte beyond the instruction', () => {
    fc.assert(
      fc.property(code, modes, fc.uint8Array({ maxLength: 15 }), (bytes, mode, other) => {
        const instruction = decode(bytes, 0, mode);
        fc.pre(instruction.invalid === undefined);
        const changed = Uint8Array.from([...bytes.subarray(0, instruction.length), ...other]);
        expect(decode(changed, 0, mode)).toEqual(instruction);
      }),
      RUNS,
    );
  });

  it('depends on the bytes from the offset on, and on nothing else', () => {
    fc.assert(
      fc.property(code, modes, fc.uint8Array({ maxLength: 8 }), (bytes, mode, before) => {
        const moved = Uint8Array.from([...before, ...bytes]);
        expect(decode(moved, before.length, mode)).toEqual(decode(bytes, 0, mode));
      }),
      RUNS,
    );
  });
});
