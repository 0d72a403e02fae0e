import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { readLog } from '@fpulab/eventlog';
import {
  faultOf,
  fpuErrorOf,
  insertAt,
  linesOf,
  read,
  record,
  removeAt,
  replaceAt,
  sealed,
  swapWithNext,
} from './helpers';

const { text, live } = record({ stepsMax: 20 });
const lines = linesOf(text);
const LAST = lines[lines.length - 1];
const EVENT = 4;

/** The log with one line rewritten, and a checksum that fits. */
function withLine(index: number, change: (line: string) => string): string {
  return sealed(replaceAt(lines, index, change(lines[index])));
}

/** The log with one member of a line's JSON changed. */
function withMember(index: number, change: (value: Record<string, unknown>) => object): string {
  return withLine(index, (line) => JSON.stringify(change(JSON.parse(line))));
}

const faultIn = (log: string | Uint8Array): string => faultOf(() => read(log));

describe('readLog', () => {
  it('returns header, events and footer of an intact log', () => {
    const log = read(text);
    expect(log.events).toEqual(live);
    expect(log.header).toEqual(JSON.parse(lines[0]));
    expect(log.footer).toEqual(JSON.parse(LAST));
  });

  it('reads plain and gzip data by their bytes', () => {
    expect(read(gzipSync(text))).toEqual(read(text));
  });

  it('accepts a view into a larger buffer', () => {
    const bytes = Buffer.from(`junk${text}junk`);
    expect(read(bytes.subarray(4, -4))).toEqual(read(text));
  });
});

describe('what is no log (FPU401)', () => {
  it.each([
    ['an empty file', '', 'FPU401 1:1'],
    ['one line end', '\n', 'FPU401 1:1'],
    ['text', 'hello\nworld\n', 'FPU401 1:1'],
    ['another kind of JSON lines', '{"a":1}\n', 'FPU401 1:1'],
    ['null', 'null\n', 'FPU401 1:1'],
    ['an event', `${lines[1]}\n`, 'FPU401 1:1'],
    ['a byte order mark', `\ufeff${text}`, 'FPU401 1:1'],
    ['another format', text.replace('fpulab-events', 'other-events'), 'FPU401 1:1'],
  ])('%s', (_what, log, fault) => {
    expect(faultIn(log)).toBe(fault);
  });

  it('binary junk', () => {
    expect(faultIn(Uint8Array.from({ length: 4096 }, (_, index) => (index * 167 + 200) & 0xff))).toBe('FPU401 1:1');
  });
});

describe('another version (FPU406)', () => {
  it('names both versions', () => {
    const error = fpuErrorOf(() => read(withLine(0, (line) => line.replace('"version":3', '"version":4'))));
    expect(error.code).toBe('FPU406');
    expect(error.detail).toEqual({ file: '(memory)', line: 1, column: 43, expected: 3, found: 4 });
  });

  it('comes before anything else that is different there', () => {
    expect(faultIn('{"kind":"header","format":"fpulab-events","version":7,"new":true}\nsomething\n')).toBe(
      'FPU406 1:43',
    );
  });

  it('is malformed when it is no number', () => {
    expect(faultIn(withLine(0, (line) => line.replace('"version":3', '"version":"3"')))).toBe('FPU403 1:43');
  });
});

describe('a truncated log (FPU402)', () => {
  it.each([
    ['in its header', text.slice(0, 100), 'FPU402 1:101'],
    ['before its first event', `${lines[0]}\n`, 'FPU402 2:1'],
    ['in an event', text.slice(0, lines[0].length + 11), 'FPU402 2:11'],
    ['before its footer', `${lines.slice(0, -1).join('\n')}\n`, `FPU402 ${lines.length}:1`],
    ['by its last LF', text.slice(0, -1), `FPU402 ${lines.length}:${LAST.length + 1}`],
  ])('%s', (_where, log, fault) => {
    expect(faultIn(log)).toBe(fault);
  });

  it('in compressed data', () => {
    const packed = gzipSync(text);
    expect(faultIn(packed.subarray(0, packed.length - 1))).toBe('FPU402 1:1');
    expect(faultIn(packed.subarray(0, 3))).toBe('FPU402 1:1');
  });
});

describe('a malformed line (FPU403)', () => {
  it.each([
    ['a blank line', [...lines.slice(0, 3), '', ...lines.slice(3)].join('\n') + '\n', 'FPU403 4:1'],
    ['CR LF', `${lines.join('\r\n')}\r\n`, `FPU403 1:${lines[0].length + 1}`],
    ['CR LF in the middle', withLine(EVENT, (line) => `${line}\r`), `FPU403 5:${lines[EVENT].length + 1}`],
    ['malformed JSON', withLine(EVENT, (line) => line.replace('"t":', '"t";')), 'FPU403 5:13'],
    ['a line that is an array', withLine(EVENT, () => '[1]'), 'FPU403 5:1'],
    ['a line that is null', withLine(EVENT, () => 'null'), 'FPU403 5:1'],
    ['two objects on a line', withLine(EVENT, (line) => `${line}{}`), `FPU403 5:${lines[EVENT].length + 1}`],
    ['data after the footer', `${text}{}\n`, `FPU403 ${lines.length + 1}:1`],
    ['a blank line after the footer', `${text}\n`, `FPU403 ${lines.length + 1}:1`],
    ['a second header', sealed([lines[0], ...lines]), 'FPU403 2:1'],
  ])('%s', (_what, log, fault) => {
    expect(faultIn(log).replace(/^(FPU403 2):\d+$/, '$1:1')).toBe(fault);
  });

  it('bytes that are not UTF-8', () => {
    const bytes = Buffer.from(text);
    bytes[lines[0].length + 1 + 9] = 0xff;
    expect(faultIn(bytes)).toBe('FPU403 2:10');
  });

  it.each<[string, (event: Record<string, unknown>) => object, string]>([
    ['a key that no event has', (event) => ({ ...event, extra: 1 }), 'extra'],
    ['a missing key', ({ by: _, ...event }) => event, 'Invalid input'],
    ['a wrong type of value', (event) => ({ ...event, by: 5 }), 'by'],
    ['an unknown event type', (event) => ({ ...event, type: 'task.teleported' }), 'task.teleported'],
    ['an event type from Object.prototype', (event) => ({ ...event, type: 'constructor' }), 'constructor'],
    ['another version of the event type', (event) => ({ ...event, v: 2 }), 'v: '],
    ['another stream', (event) => ({ ...event, stream: 'cpu/7' }), 'the stream'],
    ['another time', (event) => ({ ...event, t: '99' }), 'the t '],
    ['a cause in the future', (event) => ({ ...event, cause: 3 }), 'cannot be caused by event 3'],
    ['a task that does not exist', (event) => ({ ...event, task: 4 }), 'a task from 0 to 3'],
    ['a task that is half one', (event) => ({ ...event, task: 0.5 }), 'task'],
    ['a CPU for an event without one', (event) => ({ ...event, cpu: 0 }), 'has no "cpu"'],
    ['no data', (event) => ({ ...event, data: {} }), "needs 'at'"],
    ['too much data', (event) => ({ ...event, data: { ...(event.data as object), x: 1 } }), 'has no "x"'],
    [
      'a step that does not exist',
      (event) => ({ ...event, data: { ...(event.data as object), at: 'nowhere' } }),
      'a step',
    ],
    ['a mask that is no hex', (event) => ({ ...event, data: { ...(event.data as object), status: '17' } }), '32 bits'],
    [
      'a mask of 33 bits',
      (event) => ({ ...event, data: { ...(event.data as object), status: '0x100000000' } }),
      '32 bits',
    ],
    [
      'a number that is not 32 bits',
      (event) => ({ ...event, data: { ...(event.data as object), user: 2 ** 31 } }),
      '32-bit',
    ],
    ['data that is nested', (event) => ({ ...event, data: { at: {} } }), 'data.at'],
  ])('%s', (_what, change, message) => {
    const error = fpuErrorOf(() => read(withMember(EVENT, change)));
    expect(error.code).toBe('FPU403');
    expect(error.detail.line).toBe(EVENT + 1);
    expect(error.message).toContain(message);
  });

  it.each<[string, (header: Record<string, unknown>) => object]>([
    ['an unknown key', (header) => ({ ...header, extra: 1 })],
    ['fewer tasks than sizes say', (header) => ({ ...header, tasks: ['A'] })],
    ['more CPUs than sizes say', (header) => ({ ...header, cpus: 2 })],
    ['sizes without bound', (header) => ({ ...header, sizes: { ...(header.sizes as object), fpstate: 1e9 } })],
    ['steps that are not unique', (header) => ({ ...header, steps: ['a/b', 'a/b'] })],
    ['a step called return', (header) => ({ ...header, steps: ['return'] })],
    ['components out of order', (header) => ({ ...header, componentBits: [1, 0] })],
    ['components that its processor lacks', (header) => ({ ...header, componentBits: [0, 1, 2, 9] })],
    ['no CPU model', ({ cpu: _, ...header }) => header],
    ['a CPU model of version 1', (header) => ({ ...header, cpu: { id: 'haswell', title: 'Haswell', features: [] } })],
    ['a malformed CPU model', (header) => ({ ...header, cpu: { ...(header.cpu as object), xcr0: '0x207' } })],
    ['fewer programs than tasks', (header) => ({ ...header, programs: [] })],
    ['a role that is no slot', (header) => ({ ...header, roles: { owner: 'nobody.knows' } })],
    [
      'fewer images than tasks and CPUs',
      (header) => ({ ...header, sizes: { ...(header.sizes as object), fpstate: 4 } }),
    ],
    [
      'a slot twice',
      (header) => ({ ...header, slots: [...(header.slots as object[]), ...(header.slots as object[])] }),
    ],
    ['an oracle that does not exist', (header) => ({ ...header, oracles: ['gut-feeling'] })],
    ['a seed of 65 bits', (header) => ({ ...header, seed: '0x10000000000000000' })],
  ])('a header with %s', (_what, change) => {
    expect(faultIn(withMember(0, change))).toMatch(/^FPU403 1:/);
  });

  it('a footer whose checksum is not its last word', () => {
    const { sha256, ...footer } = JSON.parse(LAST);
    const moved = [...lines.slice(0, -1), JSON.stringify({ sha256, ...footer })];
    expect(faultIn(`${moved.join('\n')}\n`)).toMatch(/^FPU403/);
  });
});

describe('events out of order (FPU404)', () => {
  it.each([
    ['missing', removeAt(lines, EVENT), 3, 4],
    ['doubled', insertAt(lines, EVENT, lines[EVENT]), 4, 3],
    ['swapped', swapWithNext(lines, EVENT), 3, 4],
  ])('%s', (_what, changed, expected, found) => {
    const error = fpuErrorOf(() => read(sealed(changed)));
    expect(error.code).toBe('FPU404');
    expect(error.detail).toMatchObject({ expected, found });
  });

  it('another position in its stream', () => {
    const error = fpuErrorOf(() => read(withMember(EVENT, (event) => ({ ...event, pos: 9 }))));
    expect(error.code).toBe('FPU404');
    expect(error.detail).toMatchObject({ line: EVENT + 1, expected: 0, found: 9 });
  });

  it('fewer events than the footer counts', () => {
    expect(faultIn(sealed(removeAt(lines, lines.length - 2)))).toMatch(/^FPU404/);
  });
});

describe('a checksum that does not match (FPU405)', () => {
  it('finds a change that is well formed', () => {
    expect(faultIn(text.replace('"scenario":"xen-pv-leak"', '"scenario":"xen-pv-lean"'))).toBe(
      `FPU405 ${lines.length}:${LAST.indexOf('"sha256"') + 1}`,
    );
  });

  it('finds damage in compressed data', () => {
    const packed = Buffer.from(gzipSync(text));
    packed[packed.length - 6] ^= 1;
    expect(faultIn(packed)).toBe('FPU405 1:1');
  });
});

describe('files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fpulab-read-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('reports a missing file, a bad path and a folder', () => {
    expect(fpuErrorOf(() => readLog(join(folder, 'none'))).code).toBe('FPU502');
    expect(fpuErrorOf(() => readLog('\0')).code).toBe('FPU502');
    expect(fpuErrorOf(() => readLog(folder)).code).toBe('FPU503');
  });

  it('names the file in errors', () => {
    const path = join(folder, 'cut.events.jsonl');
    writeFileSync(path, text.slice(0, -1));
    expect(fpuErrorOf(() => readLog(path)).detail.file).toBe(path);
    expect(fpuErrorOf(() => readLog(Buffer.from('x'), { file: '<stdin>' })).detail.file).toBe('<stdin>');
  });

  it('reports a .gz that is not compressed', () => {
    const path = join(folder, 'plain.events.jsonl.gz');
    writeFileSync(path, text);
    expect(fpuErrorOf(() => readLog(path)).code).toBe('FPU401');
  });
});
