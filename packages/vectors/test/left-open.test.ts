/** What would happen if the model left something open of an instruction that it claims to model in full. */
import { judgeVector } from '../src';
import { CAPTURED } from './captured';

jest.mock('@fpulab/core', () => ({
  ...jest.requireActual<object>('@fpulab/core'),
  isModelledInFull: () => true,
}));

it('fails a vector of instructions that are all modelled in full, but leave anything open', () => {
  const { file, model } = CAPTURED[CAPTURED.findIndex(({ name }) => name === 'silicon-x87.json.gz')];
  const vector = file.vectors.find(({ insn, out }) => insn === 'fsqrt' && out.fault === null)!;
  expect(judgeVector(file, vector, model)).toEqual({
    verdict: 'failed',
    difference: { component: 'model', field: 'result', expected: 'all of it', found: 'not determined' },
  });
});
