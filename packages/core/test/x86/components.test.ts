import { AVX, COMPONENTS, SSE, X87, componentName, xfeaturesName } from '@fpulab/core';

describe('components', () => {
  it('have the bits of XCR0', () => {
    expect([X87, SSE, AVX]).toEqual([0, 1, 2]);
    expect(COMPONENTS.map(({ bit }) => bit)).toEqual(COMPONENTS.map((_, index) => index));
    expect(COMPONENTS.map(({ bit, name, feature }) => [bit, name, feature]).slice(0, 3)).toEqual([
      [0, 'x87', 'fpu'],
      [1, 'sse', 'sse'],
      [2, 'avx', 'avx'],
    ]);
  });

  it('have names; unknown ones keep their number', () => {
    expect([0, 1, 2, 18, 20].map(componentName)).toEqual(['x87', 'sse', 'avx', 'tiledata', 'xfeature20']);
  });

  it.each([
    [0b000, 'none'],
    [0b001, 'x87'],
    [0b110, 'sse+avx'],
    [0b111, 'x87+sse+avx'],
  ])('bitmap %i is called %s', (mask, name) => {
    expect(xfeaturesName(mask)).toBe(name);
  });
});
