/** Every reason that a fault can have is raised by code, here; or it is said why it is not. */
import { FAULT_REASONS, TILECFG, X87_INIT, type FaultReason } from '@fpulab/core';
import { CODE } from '../../support/machine-code';
import { AREA, COMPACTED, OPERAND, fill, header, hex, run, type RunOptions } from '../../support/processor';

const { cr0, cr4 } = run({ code: '' }).state.control;
const kernel = { cpl: 0 } as const;
const toControl = (code: string, value: number | bigint): RunOptions => ({
  ...kernel,
  code,
  registers: { rax: BigInt(value) },
});
const toCr0 = (value: number | bigint): RunOptions => toControl(CODE.MOV_CR0_RAX, value);
const toCr4 = (value: number | bigint): RunOptions => toControl(CODE.MOV_CR4_RAX, value);
const xsetbv = (rax: bigint, cpu = 'sapphire-rapids'): RunOptions => ({
  ...kernel,
  cpu,
  code: CODE.XSETBV,
  registers: { rax },
});
const wrmsr = (rcx: bigint, rax: bigint): RunOptions => ({ ...kernel, code: CODE.WRMSR, registers: { rcx, rax } });
const xrstor = (xstateBv: bigint, xcompBv: bigint, options: Partial<RunOptions> = {}): RunOptions => ({
  code: CODE.XRSTOR,
  bytes: [header(xstateBv, xcompBv)],
  ...options,
});
const xrstors = (xstateBv: bigint, xcompBv: bigint): RunOptions =>
  xrstor(xstateBv, xcompBv, { ...kernel, code: CODE.XRSTORS });
const ldtilecfg = (config: string): RunOptions => ({ code: CODE.LDTILECFG, bytes: [[AREA, hex(config)]] });
const reserved = [AREA + 528n, Uint8Array.of(1)] as const;
const pke = { cr4: cr4 | (1 << 22) };

const RAISED: Readonly<Partial<Record<FaultReason, RunOptions>>> = {
  'invalid-opcode': { code: '0f0b' },
  'instruction-too-long': { code: '66'.repeat(15) + '90' },
  'lock-prefix': { code: `f0${CODE.XSAVE}` },
  'no-such-feature': { code: CODE.XSAVE, cpu: 'nehalem' },
  'em-set': { code: CODE.FLD1, control: { cr0: cr0 | 4 } },
  'ts-set': { code: CODE.FLD1, control: { cr0: cr0 | 8 } },
  'osfxsr-clear': { code: CODE.ONES_XMM0, control: { cr4: 0x20 } },
  'osxsave-clear': { code: CODE.XSAVE, control: { cr4: 0x20 } },
  'osxmmexcpt-clear': { code: CODE.DIVPS, control: { cr4: cr4 & ~0x400 }, state: unmaskSse },
  'pke-clear': { code: CODE.RDPKRU },
  'xcr0-lacks-component': { code: CODE.ONES_YMM0, control: { xcr0: 1 } },
  'xfd-armed': xrstor(1n << 18n, 0n, { control: { xfd: 1 << 18 } }),
  'x87-exception-pending': { code: CODE.FWAIT, state: pendX87 },
  'simd-exception': { code: CODE.DIVPS, state: unmaskSse },
  'not-privileged': { code: CODE.CLTS },
  'non-canonical': { code: CODE.XSAVE, registers: { rdi: 1n << 63n } },
  misaligned: { code: CODE.XSAVE, registers: { rdi: AREA + 32n } },
  'alignment-check': { code: CODE.LDMXCSR, registers: { rsi: OPERAND + 1n }, rflags: 0x4_0002n },
  'page-not-present': { code: CODE.XSAVE, memory: [] },
  'page-read-only': { code: CODE.XSAVE, memory: [{ base: AREA, bytes: new Uint8Array(0x4000), writable: false }] },
  'mxcsr-reserved': { code: CODE.LDMXCSR, bytes: [[OPERAND, hex('00000100')]] },
  'xstate-bv-not-enabled': xrstor(1n << 40n, 0n),
  'standard-header-reserved': { code: CODE.XRSTOR, bytes: [reserved] },
  'xcomp-bv-not-compacted': xrstors(0n, 0n),
  'xcomp-bv-not-enabled': xrstor(0n, COMPACTED | (1n << 40n)),
  'xstate-bv-outside-xcomp-bv': xrstor(1n, COMPACTED),
  'compacted-header-reserved': { code: CODE.XRSTOR, bytes: [header(0n, COMPACTED), reserved] },
  'compacted-unsupported': xrstor(0n, COMPACTED, { cpu: 'haswell' }),
  'supervisor-state-reserved': {
    ...xrstors(1n << 10n, COMPACTED | (1n << 10n)),
    bytes: [header(1n << 10n, COMPACTED | (1n << 10n)), [AREA + 576n, hex('ffffffffffffffff')]],
  },
  'uinv-not-zero': { ...xrstors(1n << 14n, COMPACTED | (1n << 14n)), state: (state) => fill(state, 14, 1) },
  'xcr-index': { code: CODE.XGETBV, registers: { rcx: 2n } },
  'x87-clear': xsetbv(6n),
  'not-enumerated': xsetbv(0x19n),
  'supervisor-in-xcr0': xsetbv(0x401n),
  'avx-without-sse': xsetbv(5n),
  'mpx-incomplete': xsetbv(9n, 'skylake-x'),
  'avx512-incomplete': xsetbv(0x27n),
  'avx512-without-avx': xsetbv(0xe3n),
  'amx-incomplete': xsetbv(0x2_0001n),
  'user-in-xss': wrmsr(0xda0n, 4n),
  'xfd-not-supported': wrmsr(0x1c4n, 4n),
  'pkru-ecx': { code: CODE.RDPKRU, control: pke, registers: { rcx: 1n } },
  'pkru-edx': { code: CODE.WRPKRU, control: pke, registers: { rdx: 1n } },
  'cr0-reserved': toCr0(1n << 32n),
  'cr0-pg-without-pe': toCr0(0x8000_0000),
  'cr0-nw-without-cd': toCr0(cr0 + 2 ** 29),
  'cr0-wp-with-cet': { ...toCr0(cr0 - 0x1_0000), control: { cr4: cr4 | (1 << 23) } },
  'cr0-pg-in-long-mode': toCr0(cr0 - 2 ** 31),
  'cr4-reserved': toCr4(cr4 | (1 << 15)),
  'cr4-pae-in-long-mode': toCr4(cr4 & ~0x20),
  'cr4-la57-in-long-mode': toCr4(cr4 | (1 << 12)),
  'cr4-pcide': { ...toCr4(cr4 | (1 << 17)), control: { efer: 0 } },
  'cr4-cet-without-wp': { ...toCr4(cr4 | (1 << 23)), control: { cr0: cr0 - 0x1_0000 } },
  'umip-set': { code: CODE.SMSW_EAX, control: { cr4: cr4 | (1 << 11) } },
  'no-such-msr': { ...wrmsr(0xd93n, 0n), cpu: 'skylake-x' },
  'msr-reserved': wrmsr(0xd93n, 1n << 20n),
  'tile-palette': ldtilecfg('02'),
  'tile-reserved': ldtilecfg('010001'),
  'tile-shape': ldtilecfg(`01${'00'.repeat(15)}04`),
  'tiles-not-configured': { code: CODE.TILEZERO_0 },
  'tile-shapes-differ': {
    code: CODE.LDTILECFG + CODE.TDPBSSD,
    // Three tiles, of 1, 2 and 3 rows of 4 bytes.
    bytes: [
      [AREA, hex(`01${'00'.repeat(15)}040004000400`)],
      [AREA + 48n, hex('010203')],
    ],
  },
  'tile-not-in-palette': { code: CODE.TILELOADD_0, state: (state) => fill(state, TILECFG, 1) },
};

/** Reasons that no instruction gives. */
const NOT_RAISED: Readonly<Partial<Record<FaultReason, string>>> = {
  'no-xsave': 'explainXcr0() of a processor on which XSETBV is #UD',
  'no-xsaves': 'explainXss() of a processor that has no IA32_XSS: WRMSR says no-such-msr',
  'no-compacted-form': 'explainMask() of an area; XRSTOR says compacted-unsupported',
  'supervisor-in-standard-form': 'explainMask() of an area; XRSTOR says xstate-bv-not-enabled',
  overlap: 'explainMask() of an area',
};

function unmaskSse(state: Parameters<NonNullable<RunOptions['state']>>[0]): void {
  state.mxcsr = 0;
}

function pendX87(state: Parameters<NonNullable<RunOptions['state']>>[0]): void {
  state.x87 = { ...X87_INIT, fcw: 0x37e, fsw: 0x8081 };
}

describe('fault reasons', () => {
  it.each(Object.keys(RAISED) as FaultReason[])('%s', (reason) => {
    const ran = run(RAISED[reason] ?? { code: '' });
    expect(ran.reason).toBe(reason);
    expect(ran.events.at(-1)).toMatchObject({ type: 'fault-raised', fault: { reason } });
  });

  it('are these and no others', () => {
    const known = [...Object.keys(RAISED), ...Object.keys(NOT_RAISED)];
    expect(known.sort()).toEqual(Object.keys(FAULT_REASONS).sort());
  });
});
