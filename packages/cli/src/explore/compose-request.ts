/** What is explored, as plain data: worker threads compose it again from this. */
import { scenarioOf, type ComposeOptions } from '@fpulab/core';
import { platformOf } from '@fpulab/hypervisor';
import { loadCpu } from '../cpu-argument';
import { patchesOf, policiesOf, withOracles } from '../request';

/** Names of everything that is composed, as the command line has them. Null: the default, or the scenario's. */
export interface CompositionRequest {
  readonly scenario: string;
  readonly policies: readonly string[];
  readonly platform: string;
  readonly patches: readonly string[];
  readonly cpu: string | null;
  readonly cpus: number | null;
  readonly oracles: readonly string[] | null;
}

/**
 * Composes a request: fresh plugin objects at every call. Workers call it by name, see `ComposeModule`.
 *
 * @throws FpuError when something that it names is not there
 */
export function composeRequest(request: CompositionRequest): Omit<ComposeOptions, 'choices' | 'oracles' | 'counters'> {
  const scenario = withOracles(scenarioOf(request.scenario), request.oracles ?? undefined);
  const { policies } = policiesOf(request.policies);
  const cpu = request.cpu === null ? scenario.cpu : loadCpu(request.cpu);
  const cpus = request.cpus ?? scenario.cpus;
  const unpatched = () => ({ scenario, cpu, cpus, platform: platformOf(request.platform), policies: policies() });
  return { ...unpatched(), patches: patchesOf(request.patches, unpatched) };
}
