import {
  fpregsGet,
  fpregsSet,
  xfpregsGet,
  xfpregsSet,
  xstateRegsetBytes,
  xstateregsGet,
  xstateregsSet,
} from '../../src/kernel/regset';
import { uabiContext } from '../../src/kernel/uabi-xstate';
import { cpuModel } from '../../src/x86/cpu-model';
import { kernelBuffer } from '../support/kernel-buffers';

const sapphireRapids = cpuModel('sapphire-rapids');
const context = uabiContext(sapphireRapids);
const contents = { form: 'compacted', mask: 0x20ee7, xstateBv: 0xc05, poison: 0xa5, seed: 1 } as const;
const kernel = kernelBuffer(sapphireRapids, contents);
const KERNEL_64 = { bits: 64, cs: 0x23, ds: 0x2b } as const;

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const ok = <T extends { readonly ok: boolean }>(result: T): Extract<T, { readonly ok: true }> => {
  expect(result).toMatchObject({ ok: true });
  return result as Extract<T, { readonly ok: true }>;
};
const xstateBv = (area: Uint8Array): bigint => view(area).getBigUint64(512, true);

describe('NT_X86_XSTATE', () => {
  it('has the maximum size for every task, TILEDATA or not', () => {
    expect(xstateRegsetBytes(context)).toBe(11008);
    expect(ok(xstateregsGet(kernel, context, 0)).bytes).toHaveLength(11008);
    expect(xstateRegsetBytes(uabiContext(cpuModel('skylake-x')))).toBe(2696);
  });

  it('can be read and written back', () => {
    const { bytes } = ok(xstateregsGet(kernel, context, 0x55555554));
    const result = ok(xstateregsSet(kernel, context, bytes));
    // PKRU was not marked in the buffer: the write makes it 0, whatever the task had.
    expect(result.pkru).toBe(0);
    expect(xstateBv(result.kernel)).toBe(0xc05n);
  });

  it.each([[0], [576], [2816], [11007], [11009]])('a write of %i bytes is refused with EFAULT', (length) => {
    const image = new Uint8Array(length);
    expect(xstateregsSet(kernel, context, image)).toMatchObject({ code: 'xstate-not-whole', errno: 'EFAULT' });
  });

  it('does not exist without XSAVE', () => {
    const nehalem = uabiContext(cpuModel('nehalem'));
    expect(xstateregsGet(new Uint8Array(512), nehalem, 0)).toMatchObject({ errno: 'ENODEV' });
    expect(xstateregsSet(new Uint8Array(512), nehalem, new Uint8Array(576))).toMatchObject({ errno: 'ENODEV' });
  });
});

describe('NT_PRXFPREG', () => {
  it('shows x87 from the buffer, SSE and MXCSR as INIT where they are not marked', () => {
    const { bytes } = ok(xfpregsGet(kernel, context));
    expect(bytes.subarray(0, 24)).toEqual(kernel.subarray(0, 24));
    expect(view(bytes).getUint32(24, true)).toBe(0x1f80);
    expect(bytes.subarray(160)).toEqual(new Uint8Array(352));
  });

  it('a write marks x87 and SSE and keeps the other components', () => {
    const image = new Uint8Array(512).fill(0x11);
    view(image).setUint32(24, 0x1f80, true);
    const result = ok(xfpregsSet(kernel, context, image));
    expect(result.kernel.subarray(0, 512)).toEqual(image);
    expect(result.kernel.subarray(576)).toEqual(kernel.subarray(576));
    expect(xstateBv(result.kernel)).toBe(0xc07n);
    expect(result.pkru).toBeUndefined();
  });

  it('a 32-bit program clears XMM8 to XMM15', () => {
    const image = new Uint8Array(512).fill(0x11);
    view(image).setUint32(24, 0x1f80, true);
    const { kernel: after } = ok(xfpregsSet(kernel, context, image, { ia32Caller: true }));
    expect(after.subarray(160, 288)).toEqual(image.subarray(160, 288));
    expect(after.subarray(288, 416)).toEqual(new Uint8Array(128));
    expect(after.subarray(416, 512)).toEqual(image.subarray(416, 512));
  });

  it('refuses another size and reserved bits of MXCSR with EINVAL', () => {
    expect(xfpregsSet(kernel, context, new Uint8Array(511))).toMatchObject({
      code: 'fpregs-not-whole',
      errno: 'EINVAL',
    });
    const wild = new Uint8Array(512).fill(0xff);
    expect(xfpregsSet(kernel, context, wild)).toMatchObject({ code: 'mxcsr-reserved', errno: 'EINVAL' });
  });

  it('without XSAVE it is the buffer; without FXSR it does not exist', () => {
    const raw = new Uint8Array(512).fill(0x5c);
    expect(ok(xfpregsGet(raw, uabiContext(cpuModel('nehalem')))).bytes).toEqual(raw);
    const old = uabiContext(cpuModel('pentium-mmx'));
    expect(xfpregsGet(raw, old)).toMatchObject({ code: 'no-fxsr', errno: 'ENODEV' });
    expect(xfpregsSet(raw, old, raw)).toMatchObject({ code: 'no-fxsr', errno: 'ENODEV' });
  });
});

describe('NT_PRFPREG of 32-bit programs', () => {
  it('shows INIT where x87 is not marked', () => {
    const idle = kernelBuffer(sapphireRapids, { ...contents, xstateBv: 4 });
    const { bytes } = ok(fpregsGet(idle, context, KERNEL_64));
    expect([0, 4, 8, 12, 16, 20, 24].map((offset) => view(bytes).getUint32(offset, true))).toEqual([
      ...[0xffff037f, 0xffff0000, 0xffffffff],
      ...[0, 0x23, 0, 0xffff002b],
    ]);
    expect(bytes.subarray(28)).toEqual(new Uint8Array(80));
  });

  it('a write marks x87 and leaves MXCSR and XMM alone', () => {
    const idle = kernelBuffer(sapphireRapids, { ...contents, xstateBv: 4 });
    const env = ok(fpregsGet(kernel, context, KERNEL_64)).bytes;
    const result = ok(fpregsSet(idle, context, env));
    expect(xstateBv(result.kernel)).toBe(5n);
    expect(result.kernel.subarray(24, 32)).toEqual(idle.subarray(24, 32));
    expect(result.kernel.subarray(160, 512)).toEqual(idle.subarray(160, 512));
    const again = ok(fpregsGet(result.kernel, context, KERNEL_64)).bytes;
    expect(again).toEqual(env);
  });

  it('refuses another size with EINVAL', () => {
    expect(fpregsSet(kernel, context, new Uint8Array(107))).toMatchObject({ errno: 'EINVAL' });
  });

  it('without FXSR it is the FSAVE buffer', () => {
    const old = uabiContext(cpuModel('pentium-mmx'));
    const fsave = new Uint8Array(112).fill(0x5c);
    expect(ok(fpregsGet(fsave, old, { bits: 32 })).bytes).toEqual(fsave.subarray(0, 108));
    const result = ok(fpregsSet(fsave, old, new Uint8Array(108).fill(1)));
    expect([...result.kernel.subarray(107)]).toEqual([1, 0x5c, 0x5c, 0x5c, 0x5c]);
  });
});
