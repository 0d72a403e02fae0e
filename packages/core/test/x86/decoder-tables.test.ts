import { decode, format } from '../../src/x86/decoder';
import type { Encoding } from '../../src/x86/decoder/encoding';
import { ENCODINGS } from '../../src/x86/decoder/tables';

/**
 * Tests that the tables generate: an assembler turns each line into bytes, which must decode to that line. It finds lines that
 * another line hides.
 */

const PREFIX_BYTES: Readonly<Record<string, number[]>> = { '66': [0x66], F3: [0xf3], F2: [0xf2] };
const ESCAPES = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const PP = ['NP', '66', 'F3', 'F2'];

/** ModRM and what follows: xmm1 or [rdi+rsi*2], which no opcode extension stands in the way of. */
function modRmBytes({ hasModRm, reg, rm, form, words }: Encoding): number[] {
  if (!hasModRm) return [];
  const field = (reg ?? 3) << 3;
  const isRegister = form === 'register' || (form === 'either' && !words.has('sib')) || form === 'ignored';
  return isRegister ? [0xc0 | field | (rm ?? 1)] : [field | 4, 0x77];
}

/** vvvv 0 (as 1111B), or 2 where it names an operand. */
function vvvvBits({ operands }: Encoding): number {
  return operands.some(({ place }) => place === 'vvvv') ? 0x68 : 0x78;
}

function headBytes(encoding: Encoding): number[] {
  const { space, map, prefix, w, lengths } = encoding;
  const pp = Math.max(0, PP.indexOf(prefix));
  const length = [0, 1, 2].find((at) => lengths & (1 << at)) ?? 0;
  if (space === 'legacy') return [...(PREFIX_BYTES[prefix] ?? []), ...(w ? [0x48] : []), ...ESCAPES[map]];
  const last = (w ? 0x80 : 0) | vvvvBits(encoding) | pp;
  if (space === 'vex') return [0xc4, 0xe0 | map, last | (length << 2)];
  return [0x62, 0xf0 | map, last | 4, (length << 5) | 8 | (encoding.words.has('needmask') ? 1 : 0)];
}

const IMMEDIATE_BYTES: Readonly<Record<string, number>> = { b: 1, w: 2, z: 4, v: 4, x: 1 };

function assemble(encoding: Encoding): Uint8Array {
  const immediate = encoding.operands.find(({ place }) => place === 'immediate' || place === 'register-immediate');
  const bytes = [...headBytes(encoding), encoding.opcode, ...modRmBytes(encoding)];
  return Uint8Array.from([...bytes, ...Array<number>(immediate ? IMMEDIATE_BYTES[immediate.size] : 0).fill(0)]);
}

const executable = ENCODINGS.filter(({ refused }) => !refused);

describe('every line of the opcode tables', () => {
  it('is reached by its own encoding', () => {
    const wrong = executable
      .map((encoding) => ({ encoding, bytes: assemble(encoding) }))
      .map(({ encoding, bytes }) => ({ encoding, bytes, instruction: decode(bytes, 0, 64) }))
      .filter(
        ({ encoding, bytes, instruction }) =>
          instruction.mnemonic !== encoding.mnemonic || instruction.length !== bytes.length,
      )
      .map(({ encoding, bytes, instruction }) => [
        encoding.mnemonic,
        Buffer.from(bytes).toString('hex'),
        format(instruction),
      ]);
    expect(wrong).toEqual([]);
  });

  it('raises #UD with LOCK, except the updates of memory that allow it', () => {
    const allowed = executable
      .filter(({ space }) => space === 'legacy')
      .filter((encoding) => decode(Uint8Array.from([0xf0, ...assemble(encoding)]), 0, 64).invalid !== 'lock-prefix')
      .map(({ mnemonic }) => mnemonic);
    expect([...new Set(allowed)]).toEqual(['CMPXCHG8B', 'CMPXCHG16B']);
  });

  it('is refused when the code ends one byte early', () => {
    const accepted = executable.filter((encoding) => {
      const bytes = assemble(encoding);
      return decode(bytes.subarray(0, bytes.length - 1), 0, 64).invalid !== 'truncated';
    });
    expect(accepted.map(({ mnemonic }) => mnemonic)).toEqual([]);
  });

  it('names a class that modifies only its own components', () => {
    const allowed: Readonly<Record<string, number>> = {
      x87: 1,
      mmx: 1,
      'mmx-sse': 3,
      sse: 2,
      fxsave: 3,
      avx: 0x46,
      opmask: 0x20,
    };
    const others: Readonly<Record<string, number>> = { avx512: 0xe6, amx: 0x60000, pkru: 0x200 };
    const wrong = executable
      .map((encoding) => decode(assemble(encoding), 0, 64))
      .filter((instruction) => instruction.modifies & ~({ ...allowed, ...others }[instruction.class] ?? 0));
    expect(wrong.map(({ mnemonic }) => mnemonic)).toEqual([]);
  });

  it('exists: the whole of x87, SSE, AVX and AVX-512 is there', () => {
    expect(new Set(executable.map(({ mnemonic }) => mnemonic)).size).toBeGreaterThan(900);
  });
});
