import { CPU_IDS, cpuModel, cpuid, parseCpuModel, cpuModelFile } from '@fpulab/core';

const OSXSAVE = 1 << 18;
const PKE = 1 << 22;
const OFF = { cr4: 0, xcr0: 1, xss: 0 };

/** All registers in hexadecimal, as dumps have them. */
const dump = (id: string, leaf: number, subleaf: number, control = OFF): string =>
  cpuid(cpuModel(id), leaf, subleaf, control)
    .map((register) => register.toString(16).padStart(8, '0'))
    .join(' ');

describe('CPUID leaf 0DH', () => {
  it.each([
    ['haswell', 0x7, '00000007 00000340 00000340 00000000'],
    ['haswell', 0x3, '00000007 00000240 00000340 00000000'],
    ['skylake-x', 0xff, '000002ff 00000a80 00000a88 00000000'],
    ['skylake-x', 0x7, '000002ff 00000340 00000a88 00000000'],
    ['sapphire-rapids', 0x602e7, '000602e7 00002b00 00002b00 00000000'],
    ['zen3', 0x7, '00000207 00000340 00000988 00000000'],
    ['zen4', 0xe7, '000002e7 00000980 00000988 00000000'],
    ['zen4-guest', 0xe7, '000000e7 00000980 00000980 00000000'],
    ['bochs-sapphire-rapids', 0x3, '000602e7 00000240 00002b00 00000000'],
    ['bochs-sapphire-rapids', 0x2e7, '000602e7 00000a88 00002b00 00000000'],
    ['bochs-sapphire-rapids', 0x60007, '000602e7 00002b00 00002b00 00000000'],
    ['bochs-ryzen', 0x7, '00000007 00000340 00000340 00000000'],
    ['qemu-max', 0x1, '0000021f 00000240 00000a88 00000000'],
    ['qemu-max', 0x207, '0000021f 00000a88 00000a88 00000000'],
  ] as const)('sub-leaf 0 of %s with XCR0 0x%x', (id, xcr0, expected) => {
    expect(dump(id, 0xd, 0, { ...OFF, xcr0 })).toBe(expected);
  });

  it.each([
    ['sandybridge', 0x7, 0, '00000000 00000000 00000000 00000000'],
    ['haswell', 0x7, 0, '00000001 00000000 00000000 00000000'],
    ['skylake-x', 0xff, 0, '0000000f 00000a00 00000100 00000000'],
    ['skylake-x', 0xff, 0x100, '0000000f 00000a80 00000100 00000000'],
    ['sapphire-rapids', 0x602e7, 0x100, '0000001f 00002a80 0000dd00 00000000'],
    ['zen3', 0x7, 0x800, '0000000f 00000350 00001800 00000000'],
    ['zen4', 0xe7, 0x800, '0000000f 00000990 00001800 00000000'],
    ['zen4-guest', 0xe7, 0x1800, '0000000f 000009a8 00001800 00000000'],
    ['bochs-sapphire-rapids', 0x1, 0x800, '0000000f 00000250 00005800 00000000'],
    ['bochs-sapphire-rapids', 0x3, 0x5800, '0000000f 00000298 00005800 00000000'],
    ['bochs-sapphire-rapids', 0x2e7, 0x5800, '0000000f 000009e0 00005800 00000000'],
    ['bochs-ryzen', 0x7, 0, '0000000f 00000340 00000000 00000000'],
    ['qemu-max', 0x7, 0, '00000005 000003c8 00000000 00000000'],
  ] as const)('sub-leaf 1 of %s with XCR0 0x%x and XSS 0x%x', (id, xcr0, xss, expected) => {
    expect(dump(id, 0xd, 1, { cr4: 0, xcr0, xss })).toBe(expected);
  });

  it.each([
    ['sapphire-rapids', 2, '00000100 00000240 00000000 00000000'],
    ['sapphire-rapids', 15, '00000328 00000000 00000001 00000000'],
    ['sapphire-rapids', 17, '00000040 00000ac0 00000002 00000000'],
    ['sapphire-rapids', 18, '00002000 00000b00 00000006 00000000'],
    ['sapphire-rapids', 3, '00000000 00000000 00000000 00000000'],
    ['sapphire-rapids', 63, '00000000 00000000 00000000 00000000'],
    ['zen4', 9, '00000008 00000980 00000000 00000000'],
  ] as const)('sub-leaf n of %s: %i', (id, subleaf, expected) => {
    expect(dump(id, 0xd, subleaf)).toBe(expected);
  });

  it('is zero without XSAVE', () => {
    for (const subleaf of [0, 1, 2]) expect(cpuid(cpuModel('nehalem'), 0xd, subleaf, OFF)).toEqual([0, 0, 0, 0]);
  });

  it('counts no supervisor state with XSAVEC alone', () => {
    const file = cpuModelFile(cpuModel('haswell'));
    const model = parseCpuModel({ ...file, id: 'own', features: [...file.features, 'xsavec'] });
    expect(cpuid(model, 0xd, 1, { cr4: 0, xcr0: 7, xss: 0 })).toEqual([3, 832, 0, 0]);
  });

  it('agrees with itself: ECX of sub-leaf 0 is EBX with everything enabled, sub-leaves are those of the masks', () => {
    for (const id of CPU_IDS) {
      const model = cpuModel(id);
      const [eax, ebx, ecx] = cpuid(model, 0xd, 0, { cr4: 0, xcr0: model.xcr0, xss: 0 });
      expect([eax, ebx]).toEqual([model.xcr0, ecx]);
      for (let subleaf = 2; subleaf < 64; subleaf++) {
        const [size] = cpuid(model, 0xd, subleaf, OFF);
        expect(size > 0).toBe(subleaf < 32 && ((model.xcr0 | model.xss) & (1 << subleaf)) !== 0);
      }
    }
  });
});

describe('other CPUID leaves', () => {
  it('leaf 1 shows CR4.OSXSAVE and nothing else of CR4', () => {
    expect(dump('bochs-sapphire-rapids', 1, 3, { ...OFF, cr4: 0x40620 })).toBe('000806f8 00010800 7ffef3bf afebfbff');
    expect(dump('bochs-sapphire-rapids', 1, 0, { ...OFF, cr4: 0x620 })).toBe('000806f8 00010800 77fef3bf afebfbff');
    expect(dump('qemu-max', 1, 0, { ...OFF, cr4: OSXSAVE })).toBe('00060fb1 00000800 fed8320b 0fcbfbfd');
    expect(dump('qemu-max', 1, 0, OFF)).toBe('00060fb1 00000800 f6d8320b 0fcbfbfd');
  });

  it('leaf 7 shows CR4.PKE', () => {
    const ecx = (cr4: number): number => cpuid(cpuModel('sapphire-rapids'), 7, 0, { ...OFF, cr4 })[2];
    expect([ecx(0), ecx(PKE)]).toEqual([0xbb417fee, 0xbb417ffe]);
  });

  it('are what the file has, sub-leaf by sub-leaf', () => {
    expect(dump('sapphire-rapids', 0x1d, 1)).toBe('04002000 00080040 00000010 00000000');
    expect(dump('sapphire-rapids', 7, 1)).toBe('00001c30 00000000 00000000 00000000');
    expect(dump('sapphire-rapids', 7, 9)).toBe('00000000 00000000 00000000 00000000');
    expect(dump('zen4-guest', 0x80000008, 5)).toBe('00303030 50020005 00007001 00000000');
  });

  it('are zero where the file has none', () => {
    expect(cpuid(cpuModel('haswell'), 0x40000000, 0, OFF)).toEqual([0, 0, 0, 0]);
  });
});
