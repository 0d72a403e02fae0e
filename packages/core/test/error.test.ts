import { ERROR_CODES, FpuError, isFpuError } from '@fpulab/core';

describe('FpuError', () => {
  it('carries code, message, detail and cause', () => {
    const cause = new Error('below');
    const error = new FpuError('FPU208', 'does not fit', { task: 'A' }, { cause });
    expect(error).toMatchObject({ name: 'FpuError', code: 'FPU208', message: 'does not fit', detail: { task: 'A' } });
    expect(error.cause).toBe(cause);
  });

  it('is recognised by shape, so that a second copy of the package is no problem', () => {
    const foreign = Object.assign(new Error('x'), { name: 'FpuError', code: 'FPU101' });
    expect(isFpuError(foreign)).toBe(true);
    expect(isFpuError(new Error('x'))).toBe(false);
    expect(isFpuError({ name: 'FpuError', code: 'FPU101' })).toBe(false);
  });

  it('has codes of the form FPUnnn with a meaning each', () => {
    for (const [code, text] of Object.entries(ERROR_CODES)) {
      expect(code).toMatch(/^FPU[1-6]\d\d$/);
      expect(text).not.toBe('');
    }
  });
});
