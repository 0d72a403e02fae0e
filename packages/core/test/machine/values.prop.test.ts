import * as fc from 'fast-check';
import { INIT, serialOf, valueId, writerOf } from '@fpulab/core';
import { nextSerial } from '../../src/machine/values';

const principals = fc.integer({ min: 1, max: 0x7ff });
const serials = fc.integer({ min: 1, max: 2 ** 20 - 1 });

describe('value ids', () => {
  it('give writer and serial back, fit in an int32 and are never INIT', () => {
    fc.assert(
      fc.property(principals, serials, (principal, serial) => {
        const id = valueId(principal, serial);
        expect(id).toBe(id | 0);
        expect(id).toBeGreaterThan(INIT);
        expect([writerOf(id), serialOf(id)]).toEqual([principal, serial]);
      }),
    );
  });

  it('differ when writer or serial differs', () => {
    fc.assert(
      fc.property(principals, serials, principals, serials, (p, s, q, t) => {
        expect(valueId(p, s) === valueId(q, t)).toBe(p === q && s === t);
      }),
    );
  });

  it('the serial after a serial is another valid one', () => {
    fc.assert(
      fc.property(serials, (serial) => {
        const next = nextSerial(serial);
        expect(next).not.toBe(serial);
        expect(next).toBeGreaterThanOrEqual(1);
        expect(next).toBeLessThan(2 ** 20);
      }),
    );
  });
});
