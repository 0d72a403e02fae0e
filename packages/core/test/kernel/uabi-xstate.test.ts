import fc from 'fast-check';
import { UABI_REFUSALS } from '../../src/kernel/uabi-refusal';
import {
  copyUabiToXstate,
  copyXstateToUabiBuf,
  uabiContext,
  type UabiContext,
  type UabiWrite,
} from '../../src/kernel/uabi-xstate';
import { initialLegacyRegion } from '../../src/kernel/xstate-buffer';
import { AVX, CET_U, OPMASK, PASID, PKRU, SSE, TILEDATA, X87, bitsOf } from '../../src/x86/components';
import { cpuModel } from '../../src/x86/cpu-model';
import { areaLayout } from '../../src/x86/layout';
import { anyCase, bytesOf, contentByte, kernelBuffer, type Case } from '../support/kernel-buffers';

const skylake = cpuModel('skylake-x');
const sapphireRapids = cpuModel('sapphire-rapids');
const AMX = { acquired: 1 << TILEDATA };

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const xstateBv = (area: Uint8Array): number => Number(view(area).getBigUint64(512, true));
const userLayout = ({ model, userXfeatures }: UabiContext) => areaLayout(model, userXfeatures, 'standard');
const userImage = ({ context, contents }: Case, pkru = 0, bytes = 11008): Uint8Array =>
  copyXstateToUabiBuf(kernelBuffer(context.model, contents), context, { mode: 'xsave', pkru, bytes });
const done = (result: ReturnType<typeof copyUabiToXstate>): UabiWrite => {
  if (!result.ok) throw new Error(result.text);
  return result;
};

describe('copy_xstate_to_uabi_buf(): kernel to user', () => {
  const contents = { form: 'compacted', mask: 0x2ff, xstateBv: 0x221, poison: 0xa5, seed: 0 } as const;
  const kernel = kernelBuffer(skylake, contents);
  const context = uabiContext(skylake);

  it('moves components from their compacted to their standard offsets, and PKRU from the task', () => {
    const image = copyXstateToUabiBuf(kernel, context, { mode: 'xsave', pkru: 0x55555554, bytes: 2696 });
    expect(kernel).toHaveLength(2568);
    expect(image.subarray(1088, 1152)).toEqual(kernel.subarray(960, 1024));
    expect(view(image).getUint32(2688, true)).toBe(0x55555554);
    expect(view(image).getUint32(2692, true)).toBe(0);
  });

  it('has header and software bytes of its own, and zeros elsewhere', () => {
    const image = copyXstateToUabiBuf(kernel, context, { mode: 'xsave', pkru: 1, bytes: 2700 });
    expect(view(image).getBigUint64(464, true)).toBe(0x2ffn);
    expect(view(image).getBigUint64(512, true)).toBe(0x221n);
    const zero = [...image.keys()].filter((offset) => image[offset] === 0);
    for (const [from, to] of [
      [416, 464],
      [472, 512],
      [520, 1088],
      [1152, 2688],
      [2689, 2700],
    ]) {
      expect(zero.filter((offset) => offset >= from && offset < to)).toHaveLength(to - from);
    }
  });

  it('takes the x87 registers from the buffer, MXCSR and XMM from init_fpstate', () => {
    const image = copyXstateToUabiBuf(kernel, context, { mode: 'xsave', pkru: 0, bytes: 2696 });
    expect(image.subarray(0, 24)).toEqual(kernel.subarray(0, 24));
    expect([...image.subarray(24, 32)]).toEqual([0x80, 0x1f, 0, 0, 0xff, 0xff, 0, 0]);
    expect(image.subarray(32, 160)).toEqual(kernel.subarray(32, 160));
    expect(image.subarray(160, 416)).toEqual(new Uint8Array(256));
  });

  it('shows MXCSR with AVX alone', () => {
    const avx = kernelBuffer(skylake, { ...contents, xstateBv: 1 << AVX, seed: 5 });
    const image = copyXstateToUabiBuf(avx, context, { mode: 'xsave', pkru: 0, bytes: 2696 });
    expect(view(image).getUint32(24, true)).toBe(0x1f85);
    const fx = copyXstateToUabiBuf(avx, context, { mode: 'fx', pkru: 0, bytes: 512 });
    expect(view(fx).getUint32(24, true)).toBe(0x1f80);
  });

  it('mode fp: x87, everything else INIT, nothing behind byte 160', () => {
    const all = kernelBuffer(skylake, { ...contents, xstateBv: 0x2ff, seed: 5 });
    const image = copyXstateToUabiBuf(all, context, { mode: 'fp', pkru: 7, bytes: 512 });
    expect(image.subarray(0, 24)).toEqual(all.subarray(0, 24));
    expect(view(image).getUint32(24, true)).toBe(0x1f80);
    expect(image.subarray(160)).toEqual(new Uint8Array(352));
  });

  it('mode fx: x87 and SSE as FXSAVE has them, no header, no software bytes', () => {
    const all = kernelBuffer(skylake, { ...contents, xstateBv: 0x2ff, seed: 5 });
    const image = copyXstateToUabiBuf(all, context, { mode: 'fx', pkru: 7, bytes: 600 });
    expect(image.subarray(0, 416)).toEqual(all.subarray(0, 416));
    expect(image.subarray(416)).toEqual(new Uint8Array(184));
  });

  it('cuts off what does not fit', () => {
    const whole = copyXstateToUabiBuf(kernel, context, { mode: 'xsave', pkru: 7, bytes: 2696 });
    const part = copyXstateToUabiBuf(kernel, context, { mode: 'xsave', pkru: 7, bytes: 1100 });
    expect(part).toEqual(whole.subarray(0, 1100));
  });

  it('PKRU that the buffer does not mark is zero, whatever the task has', () => {
    const without = kernelBuffer(skylake, { ...contents, xstateBv: 0x21 });
    const image = copyXstateToUabiBuf(without, context, { mode: 'xsave', pkru: 0x55555554, bytes: 2696 });
    expect(view(image).getBigUint64(2688, true)).toBe(0n);
    expect(xstateBv(image)).toBe(0x21);
  });

  it('a caller can restrict the features further (6.6)', () => {
    const image = copyXstateToUabiBuf(kernel, context, { mode: 'xsave', pkru: 7, bytes: 2696, xfeatures: 0x7 });
    expect(xstateBv(image)).toBe(1);
    expect(image.subarray(576)).toEqual(new Uint8Array(2120));
  });

  it('supervisor components are never shown', () => {
    const supervisor = { form: 'compacted', mask: 0x20ee7, xstateBv: 0xc01, poison: 0xa5, seed: 9 } as const;
    const image = userImage({ context: uabiContext(sapphireRapids), contents: supervisor });
    expect(xstateBv(image)).toBe(1);
    expect(image.subarray(576)).toEqual(new Uint8Array(11008 - 576));
  });

  it('TILEDATA is at 2816 for a task that has it, and zero for one that has not', () => {
    const has = { form: 'compacted', mask: 0x60ee7, xstateBv: 0x40000, poison: 0xa5, seed: 3 } as const;
    const image = userImage({ context: uabiContext(sapphireRapids, AMX), contents: has });
    expect(image[2816]).toBe(contentByte(3, TILEDATA, 0));
    expect(image[11007]).toBe(contentByte(3, TILEDATA, 8191));
    const hasNot = { ...has, mask: 0x20ee7, xstateBv: 0x20000 };
    expect(userImage({ context: uabiContext(sapphireRapids), contents: hasNot }).subarray(2816)).toEqual(
      new Uint8Array(8192),
    );
    expect(uabiContext(sapphireRapids)).toMatchObject({ userXfeatures: 0x202e7, userMaxFeatures: 0x602e7 });
  });

  it('refuses a buffer that is too small with FPU103', () => {
    expect(() => copyXstateToUabiBuf(kernel.subarray(0, 2567), context, { mode: 'fx', pkru: 0, bytes: 512 })).toThrow(
      expect.objectContaining({ code: 'FPU103' }),
    );
  });

  it('refuses a compacted buffer that marks a component without a place with FPU103', () => {
    const odd = kernelBuffer(skylake, { ...contents, mask: 0x7, xstateBv: 0x20 });
    const request = { mode: 'xsave', pkru: 0, bytes: 2696 } as const;
    const code = expect.objectContaining({ code: 'FPU103' });
    expect(() => copyXstateToUabiBuf(odd, context, request)).toThrow(code);
    expect(() => copyXstateToUabiBuf(odd.subarray(0, 575), context, request)).toThrow(code);
  });

  it('no stale byte is in any image, in no mode', () => {
    fc.assert(
      fc.property(anyCase, fc.constantFrom('fp', 'fx', 'xsave'), ({ context, contents }, mode) => {
        const kernelBytes = kernelBuffer(context.model, contents);
        const image = copyXstateToUabiBuf(kernelBytes, context, { mode, pkru: 0x11223344, bytes: 11008 });
        image.fill(0, 464, 520);
        expect(image.includes(0xa5)).toBe(false);
      }),
    );
  });

  it('an image depends on nothing but the components that XSTATE_BV marks', () => {
    fc.assert(
      fc.property(anyCase, ({ context, contents }) => {
        const other = { context, contents: { ...contents, poison: 0x3c } };
        expect(Buffer.compare(userImage({ context, contents }), userImage(other))).toBe(0);
      }),
    );
  });

  it('what is not marked is INIT', () => {
    fc.assert(
      fc.property(anyCase, ({ context, contents }) => {
        const image = userImage({ context, contents });
        const init = new Uint8Array(image.length);
        init.set(initialLegacyRegion(context.model));
        const layout = userLayout(context);
        for (const bit of bitsOf(context.userXfeatures & ~contents.xstateBv)) {
          const expected = bytesOf(init, layout, bit).slice();
          const found = bytesOf(image, layout, bit).slice();
          if (bit === X87) for (const bytes of [expected, found]) bytes.fill(0, 24, 32);
          expect(found).toEqual(expected);
        }
      }),
    );
  });

  it('writes to no input', () => {
    const before = kernel.slice();
    copyXstateToUabiBuf(kernel, context, { mode: 'xsave', pkru: 7, bytes: 2696 }).fill(0xff);
    expect(kernel).toEqual(before);
  });
});

describe('copy_uabi_to_xstate(): user to kernel', () => {
  const contents = { form: 'compacted', mask: 0x20ee7, xstateBv: 0xcff & 0x20ee7, poison: 0xa5, seed: 1 } as const;
  const context = uabiContext(sapphireRapids);
  const kernel = kernelBuffer(sapphireRapids, contents);
  const image = (...changes: readonly ((bytes: DataView) => void)[]): Uint8Array => {
    const bytes = userImage({ context, contents: { ...contents, seed: 2 } }, 0x55555554, 2816);
    changes.forEach((change) => change(view(bytes)));
    return bytes;
  };
  const mark = (mask: bigint) => (bytes: DataView) => bytes.setBigUint64(512, mask, true);

  it.each([
    ['a component that the task has not acquired', mark(1n << 18n), 'xfeatures-not-allowed'],
    ['a supervisor component', mark(1n << 11n), 'xfeatures-not-allowed'],
    ['a component that the processor lacks', mark(1n << 3n), 'xfeatures-not-allowed'],
    ['bit 62 of XSTATE_BV', mark(1n << 62n), 'xfeatures-not-allowed'],
    ['bit 63 of XSTATE_BV', mark(1n << 63n), 'xfeatures-not-allowed'],
    ['the compacted format', (bytes: DataView) => bytes.setBigUint64(520, 1n << 63n, true), 'xcomp-bv-set'],
    ['any bit in XCOMP_BV', (bytes: DataView) => bytes.setUint8(520, 1), 'xcomp-bv-set'],
    ['a reserved bit of MXCSR', (bytes: DataView) => bytes.setUint32(24, 0x11f80, true), 'mxcsr-reserved'],
  ] as const)('refuses %s', (_what, change, code) => {
    const { errno, text } = UABI_REFUSALS[code];
    expect(copyUabiToXstate(kernel, context, image(change))).toEqual({ ok: false, code, errno, text });
    expect(errno).toBe('EINVAL');
  });

  it('refuses every one of the 48 reserved bytes of the header', () => {
    for (let offset = 528; offset < 576; offset++) {
      const result = copyUabiToXstate(
        kernel,
        context,
        image((bytes) => bytes.setUint8(offset, 0x80)),
      );
      expect(result).toMatchObject({ ok: false, code: 'header-reserved', errno: 'EINVAL' });
    }
  });

  it('refuses with EFAULT what it cannot read: the header, or a component that is marked', () => {
    expect(copyUabiToXstate(kernel, context, image().subarray(0, 575))).toMatchObject({ errno: 'EFAULT' });
    expect(copyUabiToXstate(kernel, context, image().subarray(0, 2687))).toMatchObject({ errno: 'EFAULT' });
    expect(copyUabiToXstate(kernel, context, image(mark(7n)).subarray(0, 832))).toMatchObject({ ok: true });
  });

  it('checks MXCSR before it reads the components', () => {
    const short = image((bytes) => bytes.setUint32(24, 0x10000, true)).subarray(0, 600);
    expect(copyUabiToXstate(kernel, context, short)).toMatchObject({ code: 'mxcsr-reserved' });
  });

  it('does not look at MXCSR when neither x87 nor SSE nor AVX is marked', () => {
    const wild = image(mark(1n << 9n), (bytes) => bytes.setUint32(24, 0xffffffff, true));
    const result = done(copyUabiToXstate(kernel, context, wild));
    expect(result.kernel.subarray(24, 32)).toEqual(kernel.subarray(24, 32));
  });

  it.each([[X87], [SSE], [AVX]])('takes MXCSR and MXCSR_MASK with component %i', (bit) => {
    const changed = image(
      mark(1n << BigInt(bit)),
      (bytes) => bytes.setUint32(24, 0x1f9f, true),
      (bytes) => bytes.setUint32(28, 0x12345678, true),
    );
    const result = done(copyUabiToXstate(kernel, context, changed));
    expect(view(result.kernel).getUint32(24, true)).toBe(0x1f9f);
    expect(view(result.kernel).getUint32(28, true)).toBe(0x12345678);
  });

  it('MXCSR bit 17 is valid on Zen 4', () => {
    const zen4 = cpuModel('zen4');
    const zen4Contents = { form: 'compacted', mask: 0xae7, xstateBv: 3, poison: 0, seed: 1 } as const;
    const zen4Context = uabiContext(zen4);
    const bytes = userImage({ context: zen4Context, contents: zen4Contents }, 0, 2440);
    view(bytes).setUint32(24, 0x21f80, true);
    const buffer = kernelBuffer(zen4, zen4Contents);
    expect(copyUabiToXstate(buffer, zen4Context, bytes)).toMatchObject({ ok: true });
  });

  it('leaves supervisor components, their bits and XCOMP_BV alone', () => {
    const result = done(copyUabiToXstate(kernel, context, image(mark(1n << BigInt(OPMASK)))));
    expect(xstateBv(result.kernel)).toBe((1 << OPMASK) | (1 << PASID) | (1 << CET_U));
    expect(view(result.kernel).getBigUint64(520, true)).toBe((1n << 63n) | 0x20ee7n);
    const layout = areaLayout(sapphireRapids, 0x20ee7, 'compacted');
    for (const bit of [PASID, CET_U]) {
      expect(bytesOf(result.kernel, layout, bit)).toEqual(bytesOf(kernel, layout, bit));
    }
  });

  it('PKRU: the value of the image, 0 for a task without it, unchanged for a vCPU without it', () => {
    const marked = image(mark(1n << BigInt(PKRU)), (bytes) => bytes.setUint32(2688, 0x55555550, true));
    expect(copyUabiToXstate(kernel, context, marked)).toMatchObject({ pkru: 0x55555550 });
    expect(copyUabiToXstate(kernel, context, marked, 'vcpu')).toMatchObject({ pkru: 0x55555550 });
    expect(copyUabiToXstate(kernel, context, image(mark(1n)))).toMatchObject({ pkru: 0 });
    expect(copyUabiToXstate(kernel, context, image(mark(1n)), 'vcpu')).toMatchObject({ pkru: undefined });
  });

  it('TILEDATA: 8192 bytes more for a task that has acquired it', () => {
    const acquired = uabiContext(sapphireRapids, AMX);
    const big = { ...contents, mask: 0x60ee7, xstateBv: 0x60000, poison: 0x3c } as const;
    const bytes = userImage({ context: acquired, contents: big });
    expect(copyUabiToXstate(kernelBuffer(sapphireRapids, big), acquired, bytes)).toMatchObject({ ok: true });
    expect(copyUabiToXstate(kernelBuffer(sapphireRapids, big), acquired, bytes.subarray(0, 11007))).toMatchObject({
      errno: 'EFAULT',
    });
    expect(() => copyUabiToXstate(kernel, acquired, bytes)).toThrow(expect.objectContaining({ code: 'FPU103' }));
  });

  it('kernel, user, kernel: the same in every user component that XSTATE_BV marks, the rest of the buffer untouched', () => {
    fc.assert(
      fc.property(anyCase, fc.nat(0xffff), ({ context: task, contents: first }, pkru) => {
        const before = kernelBuffer(task.model, first);
        const target = kernelBuffer(task.model, { ...first, xstateBv: first.mask, poison: 0x3c, seed: first.seed + 1 });
        const result = done(copyUabiToXstate(target, task, userImage({ context: task, contents: first }, pkru)));
        const layout = areaLayout(task.model, first.mask, first.form);
        for (const { bit } of layout.components) {
          const source = first.xstateBv & task.userXfeatures & (1 << bit) ? before : target;
          const expected = bytesOf(source, layout, bit).slice();
          const found = bytesOf(result.kernel, layout, bit).slice();
          if (bit === X87) for (const bytes of [expected, found]) bytes.fill(0, 24, 32);
          if (source === before && bit === PKRU) expected.set([pkru & 0xff, pkru >> 8, 0, 0, 0, 0, 0, 0]);
          expect(found).toEqual(expected);
        }
        if (first.xstateBv & 0b110) expect(result.kernel.subarray(24, 32)).toEqual(before.subarray(24, 32));
        const supervisor = first.mask & ~task.userXfeatures;
        expect(xstateBv(result.kernel)).toBe((first.xstateBv & task.userXfeatures) | supervisor);
      }),
    );
  });

  it('writes to no input', () => {
    const [before, bytes] = [kernel.slice(), image()];
    const sent = bytes.slice();
    done(copyUabiToXstate(kernel, context, bytes)).kernel.fill(0xff);
    expect([kernel, bytes]).toEqual([before, sent]);
  });
});
