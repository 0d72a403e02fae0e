/** @packageDocumentation Suites that every policy passes, ours and a user's, and what their tests are written with. */
export { checkPolicyContract, describePolicyContract, type ContractReport } from './policy-contract';
export { changes, given, PolicySpec, type Cell, type Observation, type Situation } from './policy-spec';
export { isSupported } from './supported';
