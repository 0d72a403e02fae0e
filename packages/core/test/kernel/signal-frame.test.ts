import fc from 'fast-check';
import { convertFromFxsr } from '../../src/kernel/ia32-fsave';
import {
  FP_XSTATE_MAGIC1,
  FP_XSTATE_MAGIC2,
  allocMathframe,
  copyFpstateToSigframe,
  sigframeXsaveMask,
  swReserved,
  type SavedRegisters,
  type SignalContext,
} from '../../src/kernel/signal-frame';
import { checkXstateInSigframe, restoreIa32Sigframe, sigreturnPlan } from '../../src/kernel/sigreturn';
import { uabiContext } from '../../src/kernel/uabi-xstate';
import { PKRU, SSE, TILEDATA, bitsOf } from '../../src/x86/components';
import { cpuModel } from '../../src/x86/cpu-model';
import type { XsaveImage } from '../../src/x86/image/image';
import { areaLayout } from '../../src/x86/layout';
import { X87_INIT } from '../../src/x86/x87-state';
import { kernelBuffer } from '../support/kernel-buffers';

const KERNEL_64 = { bits: 64, cs: 0x23, ds: 0x2b } as const;
const AMX = { acquired: 1 << TILEDATA };
const task = (id: string, ia32 = false, options = {}): SignalContext => ({
  ...uabiContext(cpuModel(id), options),
  ia32,
});
const skylake = task('skylake-x');
const skylake32 = task('skylake-x', true);

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const u32 = (bytes: Uint8Array, offset: number): number => view(bytes).getUint32(offset, true);
const xstateBv = (fx: Uint8Array): bigint => view(fx).getBigUint64(512, true);

/** What XSAVE stores: every component of `mask` full of ones, `marked` in XSTATE_BV. */
function xsaveImage({ model }: SignalContext, mask: number, marked = mask): XsaveImage {
  const layout = areaLayout(model, mask, 'standard');
  const components = new Map(
    layout.components.filter(({ bit }) => bit > 0).map(({ bit, size }) => [bit, new Uint8Array(size).fill(1)]),
  );
  const x87 = { ...X87_INIT, fsw: 0x3800, ftw: 0x80, fop: 0x123, fip: 0x401000n };
  const mxcsr = { value: 0x1f80, mask: model.mxcsrMask };
  return { form: 'standard', layout, wide: true, xstateBv: BigInt(marked), xcompBv: 0n, mxcsr, x87, components };
}

function frameOf(context: SignalContext, registers: Partial<SavedRegisters> = {}): Uint8Array {
  const stack = new Uint8Array(allocMathframe(0x10000n, context).size).fill(0xa5);
  const image = xsaveImage(context, context.userXfeatures);
  return copyFpstateToSigframe(stack, context, { image, kernel: KERNEL_64, ...registers });
}

describe('fpu__alloc_mathframe()', () => {
  it.each([
    ['haswell', false, {}, 832 + 4, 0],
    ['haswell', true, {}, 832 + 4 + 112, 112],
    ['skylake-x', false, {}, 2696 + 4, 0],
    ['sapphire-rapids', false, {}, 2816 + 4, 0],
    ['sapphire-rapids', false, AMX, 11008 + 4, 0],
    ['zen4', false, {}, 2440 + 4, 0],
    ['nehalem', false, {}, 512, 0],
    ['nehalem', true, {}, 512 + 112, 112],
    ['pentium-mmx', true, {}, 112, 0],
  ])('%s, ia32 %s, %j: %i bytes', (id, ia32, options, size, header) => {
    const context = task(id, ia32, options);
    const sp = 0x7ffd_1234_5678n;
    const place = allocMathframe(sp, context);
    expect(place.size).toBe(size);
    expect(place.bufFx % 64n).toBe(0n);
    expect(place.bufFx - place.buf).toBe(BigInt(header));
    const slack = sp - (place.buf + BigInt(size));
    expect(slack >= 0n && slack < 64n).toBe(true);
  });
});

describe('copy_fpstate_to_sigframe(), 64-bit', () => {
  it('describes itself in bytes 464 to 511', () => {
    const frame = frameOf(skylake);
    expect(frame.subarray(464, 512)).toEqual(swReserved(skylake));
    expect([...frame.subarray(464, 484)]).toEqual([
      ...[0x53, 0x58, 0x50, 0x46],
      ...[0x8c, 0x0a, 0, 0],
      ...[0xff, 0x02, 0, 0, 0, 0, 0, 0],
      ...[0x88, 0x0a, 0, 0],
    ]);
    expect(frame.subarray(484, 512)).toEqual(new Uint8Array(28));
  });

  it('has magic2 behind the extended state', () => {
    expect(FP_XSTATE_MAGIC1).toBe(0x46505853);
    expect(u32(frameOf(skylake), 2696)).toBe(FP_XSTATE_MAGIC2);
    expect(u32(frameOf(task('sapphire-rapids', false, AMX)), 11008)).toBe(FP_XSTATE_MAGIC2);
  });

  it('clears the header before XSAVE, which writes XSTATE_BV alone', () => {
    const frame = frameOf(skylake, { image: xsaveImage(skylake, 0x2ff, 0x205) });
    expect(frame.subarray(520, 576)).toEqual(new Uint8Array(56));
  });

  it('marks x87 and SSE always', () => {
    expect(xstateBv(frameOf(skylake, { image: xsaveImage(skylake, 0x2ff, 0x204) }))).toBe(0x207n);
  });

  it('leaves what XSAVE does not write as it was on the stack', () => {
    const frame = frameOf(skylake);
    expect(frame.subarray(416, 464)).toEqual(new Uint8Array(48).fill(0xa5));
    expect(frame.subarray(832, 960)).toEqual(new Uint8Array(128).fill(0xa5));
  });

  it('TILEDATA that is not in use is not written', () => {
    const context = task('sapphire-rapids', false, AMX);
    expect(sigframeXsaveMask(context, 0x207)).toBe(0x2e7);
    expect(sigframeXsaveMask(context, 0x60007)).toBe(0x602e7);
    expect(sigframeXsaveMask(task('sapphire-rapids'), 0x20007)).toBe(0x202e7);
    expect(sigframeXsaveMask(skylake, 0)).toBe(0x2ff);
    const frame = frameOf(context, { image: xsaveImage(context, sigframeXsaveMask(context, 0x207)) });
    expect(frame.subarray(2752, 11008)).toEqual(new Uint8Array(8256).fill(0xa5));
  });

  it.each([
    ['as-saved', 0x01010101, 0x007n],
    ['value', 0x55555554, 0x007n],
    ['value-and-bit', 0x55555554, 0x207n],
  ] as const)('PKRU %s', (update, value, bv) => {
    const image = xsaveImage(skylake, 0x2ff, 0x007);
    const frame = frameOf(skylake, { image, pkru: { value: 0x55555554, update } });
    expect(u32(frame, 2688)).toBe(value);
    expect(xstateBv(frame)).toBe(bv);
  });

  it('PKRU: nothing on a processor that has none', () => {
    const haswell = task('haswell');
    const pkru = { value: 0x55555554, update: 'value-and-bit' } as const;
    expect(frameOf(haswell, { pkru })).toEqual(frameOf(haswell));
  });

  it('refuses a stack that is too small, and writes to no input', () => {
    const registers = { image: xsaveImage(skylake, 0x2ff), kernel: KERNEL_64 };
    expect(() => copyFpstateToSigframe(new Uint8Array(2699), skylake, registers)).toThrow(
      expect.objectContaining({ code: 'FPU103' }),
    );
    const stack = new Uint8Array(2700);
    copyFpstateToSigframe(stack, skylake, registers);
    expect(stack).toEqual(new Uint8Array(2700));
  });
});

describe('copy_fpstate_to_sigframe(), ia32 and older processors', () => {
  it('puts the FSAVE header before the image: 108 bytes, status, X86_FXSR_MAGIC', () => {
    const frame = frameOf(skylake32);
    const fx = frame.subarray(112);
    expect(frame.subarray(0, 108)).toEqual(convertFromFxsr(fx, KERNEL_64));
    expect(u32(frame, 108)).toBe(0x3800);
    expect(u32(fx, 468)).toBe(2696 + 4 + 112);
    expect(u32(fx, 480)).toBe(2696);
    expect(fx).toEqual(((bytes) => (view(bytes).setUint32(468, 2812, true), bytes))(frameOf(skylake)));
  });

  it('FXSR without XSAVE: magic1 with sizes, no magic2, no header', () => {
    const context = task('nehalem');
    const x87 = { ...X87_INIT, fcw: 0x27f };
    const mxcsr = { value: 0x1f80, mask: 0xffff };
    const image = { form: 'fxsave', wide: true, x87, mxcsr, xmm: new Uint8Array(256) } as const;
    const frame = frameOf(context, { image });
    expect(frame).toHaveLength(512);
    expect([464, 468, 472, 476, 480].map((offset) => u32(frame, offset))).toEqual([FP_XSTATE_MAGIC1, 516, 0, 0, 512]);
  });

  it('FSAVE alone: 108 bytes and the status word', () => {
    const x87 = { ...X87_INIT, fsw: 0x3841 };
    const image = { form: 'fnsave', operandBits: 32, x87 } as const;
    const frame = frameOf(task('pentium-mmx', true), { image, kernel: { bits: 32 } });
    expect([...frame.subarray(104)]).toEqual([0, 0, 0, 0, 0x41, 0x38, 0xa5, 0xa5]);
  });
});

describe('check_xstate_in_sigframe()', () => {
  const changed = (change: (bytes: DataView) => void): Uint8Array => {
    const frame = frameOf(skylake);
    change(view(frame));
    return frame;
  };
  const put = (offset: number, value: number) => (bytes: DataView) => bytes.setUint32(offset, value, true);

  it('takes the frame that the kernel made', () => {
    const contents = { ok: true, fxOnly: undefined, xfeatures: 0x2ffn, xstateSize: 2696 };
    expect(checkXstateInSigframe(frameOf(skylake), skylake)).toEqual(contents);
    expect(checkXstateInSigframe(frameOf(skylake), skylake, 'kernel')).toEqual(contents);
  });

  it.each([
    ['magic1', put(464, 0)],
    ['xstate-size-below-576', put(480, 575)],
    ['xstate-size-above-user-size', put(480, 2697)],
    ['xstate-size-above-extended-size', put(468, 2695)],
    ['magic2', put(2696, 0)],
  ] as const)('%s: x87 and SSE only', (reason, change) => {
    expect(checkXstateInSigframe(changed(change), skylake)).toEqual({
      ok: true,
      fxOnly: reason,
      xfeatures: 3n,
      xstateSize: 512,
    });
  });

  it('a smaller frame: taken by its own size, x87 and SSE only in 6.15 to 7.0', () => {
    const small = changed((bytes) => {
      bytes.setUint32(480, 832, true);
      bytes.setUint32(832, FP_XSTATE_MAGIC2, true);
      bytes.setUint32(2696, 0, true);
    });
    expect(checkXstateInSigframe(small, skylake)).toMatchObject({ fxOnly: undefined, xstateSize: 832 });
    expect(checkXstateInSigframe(small, skylake, 'kernel')).toMatchObject({ fxOnly: 'magic2' });
  });

  it('6.15 to 7.0 does not look at the sizes', () => {
    const wild = changed((bytes) => (put(468, 0)(bytes), put(480, 0xffffffff)(bytes)));
    expect(checkXstateInSigframe(wild, skylake, 'kernel')).toMatchObject({ fxOnly: undefined });
  });

  it('memory that ends too early: EFAULT', () => {
    expect(checkXstateInSigframe(frameOf(skylake).subarray(0, 511), skylake)).toMatchObject({ errno: 'EFAULT' });
    expect(checkXstateInSigframe(frameOf(skylake).subarray(0, 2699), skylake)).toMatchObject({ errno: 'EFAULT' });
  });

  it('a frame without extended state may be 512 bytes', () => {
    expect(checkXstateInSigframe(changed(put(464, 0)).subarray(0, 512), skylake)).toMatchObject({ fxOnly: 'magic1' });
  });

  it('makes sense of any 48 bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 48, maxLength: 48 }),
        fc.boolean(),
        fc.boolean(),
        (bytes, magic, kernel) => {
          const frame = frameOf(skylake);
          frame.set(bytes, 464);
          if (magic) view(frame).setUint32(464, FP_XSTATE_MAGIC1, true);
          const found = checkXstateInSigframe(frame, skylake, kernel ? 'kernel' : 'frame');
          expect(found.ok).toBe(true);
        },
      ),
    );
  });
});

describe('sigreturn, 64-bit', () => {
  it('restores what the frame names and initialises the rest', () => {
    const frame = frameOf(skylake);
    view(frame).setBigUint64(472, 0xffff_ffff_ffff_fd07n, true);
    expect(sigreturnPlan(frame, skylake)).toEqual({
      ok: true,
      instruction: 'XRSTOR',
      restored: 0x007,
      initialised: 0x2f8,
    });
  });

  it('x87 and SSE only: FXRSTOR, the rest INIT', () => {
    const frame = frameOf(skylake);
    view(frame).setUint32(464, 0, true);
    expect(sigreturnPlan(frame, skylake)).toEqual({
      ok: true,
      instruction: 'FXRSTOR',
      restored: 3,
      initialised: 0x2fc,
    });
  });

  it('older processors', () => {
    expect(sigreturnPlan(new Uint8Array(512), task('nehalem'))).toMatchObject({ instruction: 'FXRSTOR', restored: 3 });
    expect(sigreturnPlan(new Uint8Array(112), task('pentium-mmx'))).toMatchObject({
      instruction: 'FRSTOR',
      restored: 1,
    });
    expect(sigreturnPlan(new Uint8Array(0), skylake)).toMatchObject({ ok: false, errno: 'EFAULT' });
  });
});

describe('sigreturn, ia32', () => {
  const contents = { form: 'compacted', mask: 0x20ee7, xstateBv: 0xc01, poison: 0xa5, seed: 1 } as const;
  const context = task('sapphire-rapids', true);
  const kernel = kernelBuffer(context.model, contents);
  const frame = (change: (frame: DataView, fx: DataView) => void = () => {}): Uint8Array => {
    const bytes = frameOf(context, { pkru: { value: 0x55555554, update: 'value-and-bit' } });
    change(view(bytes), view(bytes.subarray(112)));
    return bytes;
  };
  const restored = (...args: Parameters<typeof restoreIa32Sigframe>) => {
    const result = restoreIa32Sigframe(...args);
    if (!result.ok) throw new Error(result.text);
    return result;
  };

  it('the FSAVE header wins over the x87 state of the image', () => {
    const bytes = frame((header, fx) => {
      header.setUint32(0, 0xffff0c7f, true);
      fx.setUint16(0, 0x037e, true);
    });
    expect(u32(restored(kernel, context, bytes).kernel, 0) & 0xffff).toBe(0x0c7f);
  });

  it('loads the user components, keeps PASID and CET_U', () => {
    const result = restored(kernel, context, frame());
    expect(xstateBv(result.kernel)).toBe(0x20ee7n);
    expect(result.pkru).toBe(0x55555554);
  });

  it('components that the software bytes do not name become INIT, PKRU 0', () => {
    const result = restored(
      kernel,
      context,
      frame((_header, fx) => fx.setBigUint64(472, 7n, true)),
    );
    expect(xstateBv(result.kernel)).toBe(0xc07n);
    expect(result.pkru).toBe(0);
  });

  it('x87 and SSE only: the 512 bytes, all others INIT', () => {
    const bytes = frame((_header, fx) => fx.setUint32(464, 0, true));
    const result = restored(kernel, context, bytes);
    expect(xstateBv(result.kernel)).toBe(0xc03n);
    expect(result.kernel.subarray(160, 416)).toEqual(bytes.subarray(272, 528));
    expect(result.pkru).toBe(0);
  });

  it('x87 and SSE only: a 64-bit kernel refuses reserved bits of MXCSR, a 32-bit one clears them', () => {
    const bytes = frame((_header, fx) => (fx.setUint32(464, 0, true), fx.setUint32(24, 0xffff1f80, true)));
    expect(restoreIa32Sigframe(kernel, context, bytes)).toMatchObject({ code: 'mxcsr-reserved' });
    const result = restored(kernel, context, bytes, { kernelBits: 32 });
    expect(u32(result.kernel, 24)).toBe(0x1f80);
  });

  it('validates the header as ptrace does', () => {
    const bad = frame((_header, fx) => fx.setUint8(528, 1));
    expect(restoreIa32Sigframe(kernel, context, bad)).toMatchObject({ code: 'header-reserved' });
    const supervisor = frame((_header, fx) => fx.setBigUint64(512, 0x803n, true));
    expect(restoreIa32Sigframe(kernel, context, supervisor)).toMatchObject({ code: 'xfeatures-not-allowed' });
    for (const length of [107, 112 + 511, 112 + 2816 + 3]) {
      const cut = frame().subarray(0, length);
      expect(restoreIa32Sigframe(kernel, context, cut)).toMatchObject({ code: 'unreadable', errno: 'EFAULT' });
    }
  });

  it('without XSAVE: the 512 bytes with the header folded in', () => {
    const nehalem = task('nehalem', true);
    const mxcsr = { value: 0x1f80, mask: 0xffff };
    const image = { form: 'fxsave', wide: true, x87: X87_INIT, mxcsr, xmm: new Uint8Array(256).fill(7) } as const;
    const result = restored(new Uint8Array(512), nehalem, frameOf(nehalem, { image }));
    expect(result.kernel.subarray(160, 416)).toEqual(new Uint8Array(256).fill(7));
    expect(result.pkru).toBeUndefined();
    const cut = frameOf(nehalem, { image }).subarray(0, 623);
    expect(restoreIa32Sigframe(new Uint8Array(512), nehalem, cut)).toMatchObject({ errno: 'EFAULT' });
  });

  it('a frame that the kernel made comes back as it was saved, FOP and high pointer halves aside', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x2e7 }), (inUse) => {
        const marked = inUse & context.userXfeatures;
        const image = xsaveImage(context, context.userXfeatures, marked);
        const result = restored(kernel, context, frameOf(context, { image }));
        expect(xstateBv(result.kernel)).toBe(BigInt(marked | 3 | 0xc00));
        const layout = areaLayout(context.model, contents.mask, 'compacted');
        for (const { bit, offset, size } of layout.components) {
          if (!bitsOf(marked).includes(bit) || bit < SSE) continue;
          expect(result.kernel.subarray(offset, offset + size).every((byte) => byte === 1)).toBe(true);
        }
        expect(result.pkru).toBe(marked & (1 << PKRU) ? 0x01010101 : 0);
      }),
    );
  });
});
