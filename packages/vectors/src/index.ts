/** @packageDocumentation Runs vectors captured from processors against the x86 model. */
export { bytesOf, vectorFileSchema, type Vector, type VectorFile } from './format';
export { readVectorFile } from './read';
export { processorOf } from './processors';
export { runVector, type Run } from './run';
export { compare, isUndetermined, type Difference } from './compare';
export {
  Judge,
  judge,
  judgeVector,
  type Failure,
  type Judgement,
  type NamedFile,
  type Tally,
  type VectorFilter,
  type Verdict,
} from './judge';
