import fc from 'fast-check';
import { holds } from './properties';

describe('a property that fails', () => {
  it('prints a seed and a path, and these repeat the failure', () => {
    const property = fc.property(fc.nat(), (n) => n < 1000);
    let message = '';
    try {
      holds(property);
    } catch (error) {
      message = String(error);
    }
    const [, seed, path] = /seed: (-?\d+), path: "([\d:]+)"/.exec(message) ?? [];
    process.env.FPULAB_FC_SEED = seed;
    process.env.FPULAB_FC_PATH = path;
    try {
      expect(() => holds(property)).toThrow('Counterexample: [1000]');
    } finally {
      delete process.env.FPULAB_FC_SEED;
      delete process.env.FPULAB_FC_PATH;
    }
  });
});
