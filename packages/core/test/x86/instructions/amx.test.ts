/**
 * AMX: Intel SDM Vol. 2 "LDTILECFG", "STTILECFG", "TILERELEASE", "TILEZERO", "TILELOADD", "TILESTORED", "Intel AMX
 * Instruction Exception Classes" (2.10). IA32_XFD: xfd.test.ts.
 */
import { CR0_EM, CR0_TS, TILECFG, TILEDATA, isInitial } from '@fpulab/core';
import { CODE } from '../../support/machine-code';
import {
  AREA,
  OPERAND,
  eventTypes,
  fill,
  filled,
  run,
  toHex,
  zeros,
  type Ran,
  type RunOptions,
} from '../../support/processor';

const START_ROW = 1;
const BYTES_PER_ROW = 16;
const ROWS = 48;
/** With CR0.AM, which is set after boot, and CPL 3: alignment is checked. */
const EFLAGS_AC = 0x4_0002n;

/** A configuration of palette 1: tile 0 of 3 rows of 8 bytes, tile 3 of 16 rows of 64, changed byte by byte. */
function config(changes: Readonly<Record<number, number>> = {}): Uint8Array {
  const bytes = new Uint8Array(64);
  const set = { 0: 1, [BYTES_PER_ROW]: 8, [ROWS]: 3, [BYTES_PER_ROW + 6]: 64, [ROWS + 3]: 16, ...changes };
  for (const [at, value] of Object.entries(set)) bytes[Number(at)] = value;
  return bytes;
}

function ldtilecfg(bytes: Uint8Array, code: string = CODE.LDTILECFG, options: Partial<RunOptions> = {}): Ran {
  return run({ code, bytes: [[AREA, bytes]], state: (state) => fill(state, TILEDATA, 0x11), ...options });
}

/** With tiles configured and full of 11H; memory at [RSI] is 22H and the stride 16. */
function tiled(code: string, cfg = config(), options: Partial<RunOptions> = {}): Ran {
  return run({
    code,
    registers: { rcx: 16n },
    memory: [zeros(AREA, 0x1000), filled(OPERAND, 0x1000, 0x22)],
    state: (state) => {
      state.components[TILECFG] = cfg;
      state.inUse |= 1 << TILECFG;
      fill(state, TILEDATA, 0x11);
    },
    ...options,
  });
}

const tile = ({ state }: Ran, number: number): Uint8Array =>
  state.components[TILEDATA].subarray(1024 * number, 1024 * (number + 1));
const row = (ran: Ran, number: number, index: number): string =>
  toHex(tile(ran, number).subarray(64 * index, 64 * (index + 1)));
const startRow = ({ state }: Ran): number => state.components[TILECFG][START_ROW];

describe('LDTILECFG', () => {
  it('loads the configuration and clears all tiles', () => {
    const ran = ldtilecfg(config());
    expect(ran.fault).toBeUndefined();
    expect(ran.state.components[TILECFG]).toEqual(config());
    expect(isInitial(TILEDATA, ran.state.components[TILEDATA])).toBe(true);
    expect(ran.state.inUse).toBe(1 << TILECFG);
  });

  it('takes any start row, and rows whose bytes are no multiple of four', () => {
    const odd = config({ [START_ROW]: 200, [BYTES_PER_ROW]: 7 });
    expect(ldtilecfg(odd).state.components[TILECFG]).toEqual(odd);
  });

  it.each([
    ['palette 2', { 0: 2 }, 'tile-palette'],
    ['palette 255', { 0: 255 }, 'tile-palette'],
    ['byte 2', { 2: 1 }, 'tile-reserved'],
    ['byte 15', { 15: 1 }, 'tile-reserved'],
    ['byte 32, colsb of a ninth tile', { 32: 1 }, 'tile-reserved'],
    ['byte 47', { 47: 1 }, 'tile-reserved'],
    ['byte 56, rows of a ninth tile', { 56: 1 }, 'tile-reserved'],
    ['byte 63', { 63: 1 }, 'tile-reserved'],
    ['65 bytes per row', { [BYTES_PER_ROW]: 65 }, 'tile-shape'],
    ['264 bytes per row', { [BYTES_PER_ROW + 1]: 1 }, 'tile-shape'],
    ['17 rows', { [ROWS]: 17 }, 'tile-shape'],
    ['rows without bytes', { [BYTES_PER_ROW]: 0 }, 'tile-shape'],
    ['bytes without rows', { [ROWS]: 0 }, 'tile-shape'],
    ['the last tile, rows without bytes', { [ROWS + 7]: 1 }, 'tile-shape'],
  ])('refuses %s with #GP(0), and changes nothing', (_, changes, reason) => {
    const ran = ldtilecfg(config(changes));
    expect([ran.fault, ran.errorCode, ran.reason]).toEqual(['#GP', 0, reason]);
    expect(eventTypes(ran)).toEqual(['fault-raised']);
  });

  it('palette 0 releases the tiles, and nothing else of the operand is looked at', () => {
    const ran = ldtilecfg(new Uint8Array(64).fill(0xff).fill(0, 0, 1), CODE.LDTILECFG, {
      state: (state) => {
        state.components[TILECFG] = config();
        fill(state, TILEDATA, 0x11);
      },
    });
    expect(ran.fault).toBeUndefined();
    expect([TILECFG, TILEDATA].every((bit) => isInitial(bit, ran.state.components[bit]))).toBe(true);
    expect(ran.state.inUse).toBe(0);
  });

  it('reads 64 bytes: a missing page is a page fault, and no alignment is asked for', () => {
    expect(ldtilecfg(config(), CODE.LDTILECFG, { registers: { rdi: AREA + 0x3fe0n } })).toMatchObject({
      ...{ fault: '#PF', errorCode: 4, faultAddress: AREA + 0x4000n },
    });
    const checked = { rflags: EFLAGS_AC, registers: { rdi: AREA + 1n } };
    expect(run({ code: CODE.STTILECFG, ...checked }).fault).toBeUndefined();
  });
});

describe('STTILECFG and TILERELEASE', () => {
  it('STTILECFG stores what LDTILECFG loaded', () => {
    const ran = ldtilecfg(config({ [START_ROW]: 2 }), CODE.LDTILECFG + 'c4e2794906'); // sttilecfg [rsi]
    expect(ran.read(OPERAND, 64)).toEqual(config({ [START_ROW]: 2 }));
  });

  it('STTILECFG without tiles stores 64 zeros', () => {
    const ran = run({ code: CODE.STTILECFG, memory: [filled(AREA, 0x1000, 0xa5)] });
    expect(toHex(ran.read(AREA, 68))).toBe('00'.repeat(64) + 'a5a5a5a5');
  });

  it('TILERELEASE initialises both components', () => {
    const ran = tiled(CODE.TILERELEASE);
    expect([TILECFG, TILEDATA].every((bit) => isInitial(bit, ran.state.components[bit]))).toBe(true);
    expect(ran.state.inUse).toBe(0);
  });
});

describe('TILELOADD', () => {
  it('loads the rows of the shape from a base and a stride; the rest of the tile is zero, other tiles stay', () => {
    const ran = tiled(CODE.TILELOADD_0, config(), {
      bytes: [
        [OPERAND, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9)],
        [OPERAND + 16n, Uint8Array.of(0x31)],
        [OPERAND + 32n, Uint8Array.of(0x41)],
      ],
    });
    expect(row(ran, 0, 0)).toBe('0102030405060708' + '00'.repeat(56));
    expect(row(ran, 0, 1)).toBe('3122222222222222' + '00'.repeat(56));
    expect(row(ran, 0, 2)).toBe('4122222222222222' + '00'.repeat(56));
    expect(new Set(tile(ran, 0).subarray(3 * 64))).toEqual(new Set([0]));
    expect(new Set(tile(ran, 1))).toEqual(new Set([0x11]));
  });

  it('from a start row on: rows before it stay, what lies behind is zero', () => {
    const ran = tiled(CODE.TILELOADD_0, config({ [START_ROW]: 1, [ROWS]: 2 }));
    expect([row(ran, 0, 0), row(ran, 0, 1), row(ran, 0, 2), startRow(ran)]).toEqual([
      ...['11'.repeat(64), '22'.repeat(8) + '00'.repeat(56), '00'.repeat(64), 0],
    ]);
  });

  it('a scaled and a negative stride', () => {
    const at = (code: string, rcx: bigint, address: bigint): string => {
      const bytes = [[address, Uint8Array.of(0x77)]] as const;
      return row(tiled(code, config(), { registers: { rcx, rsi: OPERAND + 64n }, bytes }), 0, 2).slice(0, 2);
    };
    expect(at(CODE.TILELOADDT1_0, 16n, OPERAND + 64n + 2n * 32n)).toBe('77');
    expect(at(CODE.TILELOADD_0, 0xffff_ffff_ffff_fff0n, OPERAND + 64n - 32n)).toBe('77');
  });

  it('a page fault in the middle leaves the rows before it loaded and the row in TILECFG; executed again it goes on', () => {
    const rsi = OPERAND + 0xfe0n;
    const ran = tiled(CODE.TILELOADD_0, config(), { registers: { rcx: 16n, rsi } });
    expect(ran).toMatchObject({ fault: '#PF', errorCode: 4, faultAddress: OPERAND + 0x1000n });
    expect([startRow(ran), row(ran, 0, 1).slice(0, 18)]).toEqual([2, '222222222222222200']);
    const again = run({ after: ran, code: CODE.TILELOADD_0, registers: { rsi: OPERAND } });
    expect(again.fault).toBeUndefined();
    expect([startRow(again), row(again, 0, 0).slice(0, 16), row(again, 0, 2).slice(0, 18)]).toEqual([
      ...[0, '22'.repeat(8), '222222222222222200'],
    ]);
  });

  it('a page fault at the first row leaves start row 0', () => {
    const ran = tiled(CODE.TILELOADD_0, config(), { registers: { rsi: 0x7000_0000n } });
    expect([ran.fault, startRow(ran)]).toEqual(['#PF', 0]);
  });

  it('an address that is not canonical is #GP(0), in a later row too', () => {
    const ran = tiled(CODE.TILELOADD_0, config(), { registers: { rcx: 1n << 62n } });
    expect([ran.fault, ran.reason, startRow(ran)]).toEqual(['#GP', 'non-canonical', 1]);
  });
});

describe('TILESTORED', () => {
  it('stores the bytes of each row and leaves memory between them alone', () => {
    const ran = tiled(CODE.TILESTORED_0);
    const line = '11'.repeat(8) + '22'.repeat(8);
    expect(toHex(ran.read(OPERAND, 64))).toBe(line.repeat(3) + '22'.repeat(16));
  });

  it('starts at the start row and clears it', () => {
    const ran = tiled(CODE.TILESTORED_0, config({ [START_ROW]: 2 }));
    expect([toHex(ran.read(OPERAND, 16)), toHex(ran.read(OPERAND + 32n, 8)), startRow(ran)]).toEqual([
      ...['22'.repeat(16), '11'.repeat(8), 0],
    ]);
  });

  it('a page fault leaves the row in TILECFG', () => {
    const ran = tiled(CODE.TILESTORED_0, config(), { registers: { rcx: 16n, rsi: OPERAND + 0xff0n } });
    expect([ran.fault, ran.errorCode, startRow(ran)]).toEqual(['#PF', 6, 1]);
  });
});

describe('TILEZERO', () => {
  it('clears one tile, all of it, and the start row', () => {
    const ran = tiled(CODE.TILEZERO_3, config({ [START_ROW]: 5 }));
    expect([new Set(tile(ran, 3)), new Set(tile(ran, 2)), startRow(ran)]).toEqual([new Set([0]), new Set([0x11]), 0]);
    expect(ran.state.inUse & (1 << TILEDATA)).toBe(1 << TILEDATA);
  });
});

describe('#UD', () => {
  it.each(['TILEZERO_0', 'TILELOADD_0', 'TILESTORED_0', 'TDPBSSD'] as const)('%s without a configuration', (name) => {
    const ran = run({ code: CODE[name] });
    expect([ran.fault, ran.reason]).toEqual(['#UD', 'tiles-not-configured']);
  });

  it.each([
    ['a tile that has no rows', config({ [ROWS]: 0, [BYTES_PER_ROW]: 0 })],
    ['rows whose bytes are no multiple of four', config({ [BYTES_PER_ROW]: 6 })],
    ['a start row behind the last', config({ [START_ROW]: 3 })],
  ])('TILELOADD and TILESTORED of %s', (_, cfg) => {
    expect(tiled(CODE.TILELOADD_0, cfg)).toMatchObject({ fault: '#UD', reason: 'tile-not-in-palette' });
    expect(tiled(CODE.TILESTORED_0, cfg)).toMatchObject({ fault: '#UD', reason: 'tile-not-in-palette' });
  });

  it.each([
    ['CR4.OSXSAVE clear', { cr4: 0x620 }, 'osxsave-clear'],
    ['XCR0[18:17] clear', { xcr0: 7 }, 'xcr0-lacks-component'],
  ])('every one of them with %s', (_, control, reason) => {
    for (const name of ['LDTILECFG', 'STTILECFG', 'TILERELEASE', 'TILEZERO_0', 'TILELOADD_0', 'TDPBSSD'] as const) {
      expect(tiled(CODE[name], config(), { control })).toMatchObject({ fault: '#UD', reason });
    }
  });

  it('on a processor without AMX, outside 64-bit mode, without SIB, and TDPBSSD of equal tiles', () => {
    expect(run({ cpu: 'zen4', code: CODE.TILERELEASE })).toMatchObject({ fault: '#UD', reason: 'no-such-feature' });
    expect(tiled(CODE.TILERELEASE, config(), { mode: 32 })).toMatchObject({ fault: '#UD', reason: 'invalid-opcode' });
    expect(tiled('c4e27b4b06')).toMatchObject({ fault: '#UD', reason: 'invalid-opcode' }); // tileloadd tmm0, [rsi]
    expect(tiled('c4e26b5ec2')).toMatchObject({ fault: '#UD', reason: 'invalid-opcode' }); // tdpbssd tmm0, tmm2, tmm2
  });

  it('CR0.TS and CR0.EM do not matter to AMX', () => {
    const cr0 = run({ code: '' }).state.control.cr0 | CR0_TS | CR0_EM;
    expect(tiled(CODE.LDTILECFG + CODE.TILERELEASE, config(), { control: { cr0 } }).fault).toBeUndefined();
  });
});

describe('TDPBSSD of tmm0 (3 rows of 8 bytes), tmm1 and tmm2', () => {
  /** Tile 1 has 3 rows of 8 bytes, tile 2 has 2 rows of 8 bytes. */
  const fitting = { 18: 8, 20: 8, 49: 3, 50: 2 };

  it('computes what is not modelled: TILEDATA is in use and not known; the start row becomes 0', () => {
    const ran = tiled(CODE.TDPBSSD, config({ ...fitting, [START_ROW]: 1 }));
    expect([ran.fault, ran.state.undetermined.components, startRow(ran)]).toEqual([undefined, 1 << TILEDATA, 0]);
  });

  it.each([
    ['rows of the sum and of the left one', { 49: 4 }],
    ['bytes per row of the sum and of the right one', { 20: 12 }],
    ['bytes per row of the left one and rows of the right one', { 50: 3 }],
    ['bytes per row that are no multiple of four', { 18: 6 }],
    ['no rows', { 18: 0, 49: 0 }],
  ])('is #UD where these do not fit: %s', (_, changes) => {
    const ran = tiled(CODE.TDPBSSD, config({ ...fitting, ...changes }));
    expect([ran.fault, ran.reason?.startsWith('tile-')]).toEqual(['#UD', true]);
    expect(eventTypes(ran)).toEqual(['fault-raised']);
  });
});
