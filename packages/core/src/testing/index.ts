/** @packageDocumentation Suites that every policy passes, ours and a user's. */
export { checkPolicyContract, describePolicyContract, type ContractReport } from './policy-contract';
