import {
  INIT,
  PRINCIPAL,
  principalOfTask,
  serialOf,
  taskOfPrincipal,
  valueBytes,
  valueOfBytes,
  valueId,
  writerOf,
} from '@fpulab/core';
import { nextSerial } from '../../src/machine/values';

const SERIAL_LAST = 2 ** 20 - 1;

describe('values', () => {
  it('INIT is id 0, and nobody wrote it', () => {
    expect(INIT).toBe(0);
    expect(writerOf(INIT)).toBe(PRINCIPAL.none);
    expect(taskOfPrincipal(PRINCIPAL.none)).toBe(-1);
  });

  it.each([
    ['the first value of task 0', principalOfTask(0), 1, 0x0010_0001],
    ['the last value of task 0 before its serials wrap', principalOfTask(0), SERIAL_LAST, 0x001f_ffff],
    ['the third value of task 5', principalOfTask(5), 3, 0x0060_0003],
    ['the second value of a kernel FPU section', PRINCIPAL.kernel, 2, 0x4000_0002],
    ['the value of another guest', PRINCIPAL.otherGuest, 1, 0x4010_0001],
  ])('%s is writer << 20 | serial', (_, principal, serial, id) => {
    expect(valueId(principal, serial)).toBe(id);
    expect(writerOf(id)).toBe(principal);
    expect(serialOf(id)).toBe(serial);
  });

  it('task t is principal t + 1, up to 1,022; the kernel and other guests are no tasks', () => {
    expect([0, 1, 1022].map(principalOfTask)).toEqual([1, 2, 0x3ff]);
    expect([1, 2, 0x3ff].map(taskOfPrincipal)).toEqual([0, 1, 1022]);
    expect([PRINCIPAL.kernel, PRINCIPAL.otherGuest].map(taskOfPrincipal)).toEqual([-1, -1]);
  });

  it('serials wrap after 2^20 - 1 and skip 0, so that no value of anybody is INIT', () => {
    expect(nextSerial(0)).toBe(1);
    expect(nextSerial(1)).toBe(2);
    expect(nextSerial(SERIAL_LAST - 1)).toBe(SERIAL_LAST);
    expect(nextSerial(SERIAL_LAST)).toBe(1);
  });

  it('a serial of more than 20 bits does not reach into the writer', () => {
    expect(writerOf(valueId(3, 2 ** 20 + 7))).toBe(3);
    expect(serialOf(valueId(3, 2 ** 20 + 7))).toBe(7);
  });

  it('stands for its id as bytes, repeated; INIT for zeros', () => {
    expect([...valueBytes(valueId(principalOfTask(1), 0x1234), 6)]).toEqual([0x34, 0x12, 0x20, 0x00, 0x34, 0x12]);
    expect([...valueBytes(INIT, 4)]).toEqual([0, 0, 0, 0]);
    expect(valueBytes(valueId(1, 1), 0)).toHaveLength(0);
  });

  it('is read back from its bytes; bytes of nobody have none', () => {
    for (const value of [INIT, valueId(1, 1), valueId(PRINCIPAL.otherGuest, 0xfffff)]) {
      expect(valueOfBytes(valueBytes(value, 256))).toBe(value);
    }
    expect(valueOfBytes(Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0))).toBeUndefined();
  });
});
