/** Whatever happens to a log's bytes, reading it gives an FpuError that says so: never another exception, never a log. */
import fc from 'fast-check';
import { gunzipSync, gzipSync } from 'node:zlib';
import { digestOf } from '@fpulab/core';
import { foldEvents, openReplay, readLog, replayLog } from '@fpulab/eventlog';
import { fpuErrorOf, insertAt, linesOf, read, record, removeAt, replaceAt, sealed, swapWithNext } from './helpers';
import { holds } from './properties';

const text = withoutSpareParts(record({ preset: 'linux-4.8', platform: 'bare-metal', stepsMax: 3 }).text);
const bytes = Buffer.from(text);
const lines = linesOf(text);
const headerEnd = lines[0].length;

/**
 * The same log of a kernel that has only the steps that occur and the slots that have a role, on a processor without
 * recorded CPUID leaves: small enough to be broken
 * everywhere, in reasonable time. Addresses and words of the state are others then, and so is the digest.
 */
function withoutSpareParts(log: string): string {
  const [first, ...rest] = linesOf(log);
  const { steps, slots, cpu, ...header } = JSON.parse(first);
  const footer = JSON.parse(rest[rest.length - 1]);
  const parts = {
    cpu: { ...cpu, cpuid: {}, sources: ['test'] },
    steps: steps.filter((label: string) => rest.some((line) => line.includes(JSON.stringify(label)))),
    slots: slots.filter(({ name }: { name: string }) => Object.values(header.roles).includes(name)),
  };
  const smaller = (digest: string): string =>
    sealed([JSON.stringify({ ...header, ...parts }), ...rest.slice(0, -1), JSON.stringify({ ...footer, digest })]);
  const { header: small, events } = read(smaller(footer.digest));
  const state = openReplay(small);
  foldEvents(state, events);
  return smaller(digestOf(state.words));
}

/** Code of the error; fails for anything else. */
const codeFor = (log: Uint8Array): string => fpuErrorOf(() => readLog(log)).code;
const codeOfLines = (changed: readonly string[]): string => codeFor(Buffer.from(`${changed.join('\n')}\n`));

describe('a small log', () => {
  it('is intact, has events of many kinds, and is small enough to break in every place', () => {
    const log = read(text);
    expect(log.footer.events).toBe(lines.length - 2);
    expect(replayLog(log).complete).toBe(true);
    expect(new Set(log.events.map(({ type }) => type)).size).toBe(7);
    expect(bytes.length).toBeLessThan(4096);
  });

  it('is truncated (FPU402) at every byte, and no log at all (FPU401) without any', () => {
    expect(codeFor(bytes.subarray(0, 0))).toBe('FPU401');
    for (let length = 1; length < bytes.length; length++) {
      const code = codeFor(bytes.subarray(0, length));
      if (code !== 'FPU402') throw new Error(`cut to ${length} bytes: ${code}`);
    }
  });

  /** What a byte is replaced by: something else that is text, a line end, a quotation mark, no UTF-8, a digit. */
  const substitutions: readonly ((byte: number) => number)[] = [
    (byte) => byte ^ 0x01,
    () => 0x0a,
    () => 0x22,
    (byte) => byte | 0x80,
    (byte) => (byte === 0x37 ? 0x38 : 0x37),
  ];

  it('is refused with any byte changed, in ways that change from byte to byte', () => {
    for (let at = 0; at < bytes.length; at++) {
      for (const turn of at <= headerEnd ? [at] : [at, at + 2]) {
        const value = substitutions[turn % substitutions.length](bytes[at]);
        if (value === bytes[at]) continue;
        const changed = Buffer.from(bytes);
        changed[at] = value;
        const code = codeFor(changed);
        if (!/^FPU40[1-6]$/.test(code)) throw new Error(`byte ${at} replaced by ${value}: ${code}`);
        if (code === 'FPU406' && at > headerEnd) throw new Error(`byte ${at} made it another version`);
      }
    }
  });

  it.each([
    ['dropped', (index: number) => removeAt(lines, index)],
    ['doubled', (index: number) => insertAt(lines, index, lines[index])],
  ])('is refused with any line %s', (what, change) => {
    const last = lines.length - 1;
    for (let index = 0; index <= last; index++) {
      const code = codeOfLines(change(index));
      const ends = what === 'dropped' ? ['FPU401', 'FPU402'] : ['FPU403', 'FPU403'];
      expect(code).toBe(index === 0 ? ends[0] : index === last ? ends[1] : 'FPU404');
    }
  });

  it('is refused with any two neighbouring lines swapped', () => {
    for (let index = 0; index + 1 < lines.length; index++) {
      const code = codeOfLines(swapWithNext(lines, index));
      expect(code).toBe(index === 0 ? 'FPU401' : index + 2 === lines.length ? 'FPU403' : 'FPU404');
    }
  });

  it('is refused with a blank line before any line, and with CR LF', () => {
    for (let index = 0; index < lines.length; index++) {
      expect(codeOfLines(insertAt(lines, index, ''))).toBe(index === 0 ? 'FPU401' : 'FPU403');
    }
    expect(codeFor(Buffer.from(text.replaceAll('\n', '\r\n')))).toBe('FPU403');
  });

  it('is refused when compressed and cut anywhere; a change inside is found or changes nothing', () => {
    const packed = gzipSync(bytes);
    for (let length = 2; length < packed.length; length++) expect(codeFor(packed.subarray(0, length))).toBe('FPU402');
    for (let at = 0; at < packed.length; at += 3) {
      const changed = Buffer.from(packed);
      changed[at] ^= 0x10;
      let unpacked: Buffer | undefined;
      try {
        unpacked = gunzipSync(changed);
      } catch {
        unpacked = undefined;
      }
      if (unpacked?.equals(bytes)) expect(readLog(changed)).toEqual(read(text));
      else expect(codeFor(changed)).toMatch(/^FPU40[1-6]$/);
    }
  });
});

describe('junk', () => {
  it('is refused, whatever it is', () => {
    holds(
      fc.property(fc.uint8Array({ maxLength: 300 }), (junk) => {
        expect(codeFor(junk)).toMatch(/^FPU40[1-5]$/);
      }),
      300,
    );
  });

  it('is refused behind a good header', () => {
    const header = Buffer.from(`${lines[0]}\n`);
    holds(
      fc.property(fc.uint8Array({ maxLength: 300 }), (junk) => {
        expect(codeFor(Buffer.concat([header, junk]))).toMatch(/^FPU40[234]$/);
      }),
      300,
    );
  });

  it('is refused as any JSON on any line, under a good checksum', () => {
    holds(
      fc.property(fc.nat(lines.length - 2), fc.json({ maxDepth: 4 }), (index, json) => {
        expect(fpuErrorOf(() => read(sealed(replaceAt(lines, index, json)))).code).toMatch(/^FPU40[134]$/);
      }),
      300,
    );
  });

  it('may nest as deep as it likes', () => {
    for (const open of ['[', '{"a":']) {
      const deep = open.repeat(200_000);
      expect(codeFor(Buffer.from(`${deep}\n`))).toBe('FPU401');
      expect(codeFor(Buffer.from(`${lines[0]}\n${deep}\n`))).toBe('FPU403');
    }
    const closed = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    expect(codeFor(Buffer.from(`${closed}\n`))).toBe('FPU401');
    expect(fpuErrorOf(() => read(sealed(replaceAt(lines, 2, closed)))).code).toBe('FPU403');
    const data = lines[2].replace(/"data":\{/, `"data":{"x":${closed},`);
    expect(fpuErrorOf(() => read(sealed(replaceAt(lines, 2, data)))).code).toBe('FPU403');
  });
});

describe('a forged log under a good checksum', () => {
  /** Any member of any line, replaced by something of the same or another kind. */
  const forgery = fc.record({
    line: fc.nat(lines.length - 1),
    member: fc.nat(30),
    value: fc.oneof(
      fc.integer({ min: -3, max: 40 }),
      fc.integer(),
      fc.double(),
      fc.constantFrom<unknown>(null, true, [], {}, '', '0x0', '0xffffffff', 'return', '__proto__', -0),
      fc.string(),
    ),
    inData: fc.boolean(),
  });

  it('is refused by the reader or by the replay, or folds to what it says', () => {
    holds(
      fc.property(forgery, ({ line, member, value, inData }) => {
        const json: Record<string, unknown> = JSON.parse(lines[line]);
        const target = inData && typeof json.data === 'object' ? (json.data as Record<string, unknown>) : json;
        const keys = Object.keys(target);
        if (keys.length === 0) return;
        target[keys[member % keys.length]] = value;
        const forged = sealed(replaceAt(lines, line, JSON.stringify(json)));
        let code: string;
        try {
          code = fpuErrorOf(() => replayLog(read(forged))).code;
        } catch (error) {
          if (!(error instanceof Error) || !error.message.startsWith('expected an FpuError')) throw error;
          code = 'accepted';
        }
        expect(code).toMatch(/^FPU40[1-7]$|^accepted$/);
      }),
      500,
    );
  });
});
