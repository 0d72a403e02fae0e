/** What each reduction of the explorer is worth: the same space with all of them and with one switched off. */
import { scenarioOf, type Platform } from '@fpulab/core';
import { REDUCTIONS, explore, type Compose, type Exploration, type Reductions } from '@fpulab/explorer';
import { bareMetal, xenHvm } from '@fpulab/hypervisor';
import { presetOf } from '@fpulab/policies';
import { composeRequest } from './peers/compose-peer';

/** A space that a reduction off makes too large is cut here. */
const STATES_MAX = 400_000;

const peers =
  (cpus: number, tasks: number, operations?: number): Compose =>
  () =>
    composeRequest({ variant: 'NATIVE', cpus, tasks, operations, preempt: 'user' });
const anyOn =
  (platform: () => Platform, tasks: number): Compose =>
  () => ({
    platform: platform(),
    policies: presetOf('linux-3.6').policies(),
    scenario: scenarioOf(`xen-pv-leak.any-${tasks}`),
  });

/** Where each reduction is measured: a space that is finite without it, if there is one. */
const CASES: readonly (readonly [reduction: keyof Reductions, where: string, compose: Compose])[] = [
  ['versionFree', 'peers-1-cpu-3-tasks-2-operations', peers(1, 3, 2)],
  ['choicePoints', 'peers-1-cpu-3-tasks-2-operations', peers(1, 3, 2)],
  ['symmetry', 'peers-1-cpu-3-tasks-2-operations', peers(1, 3, 2)],
  ['partialOrder', 'peers-2-cpus-2-tasks-for-ever', peers(2, 2)],
  ['abstractCounters', 'linux-3.6-xen-pv-leak.any-2', anyOn(bareMetal, 2)],
  ['deadValues', 'linux-3.6-xen-hvm-xen-pv-leak.any-4', anyOn(xenHvm, 4)],
];

function figures({ states, durationMs, complete }: Exploration): string {
  return `states=${complete ? '' : '>'}${states} ms=${Math.round(durationMs)}`;
}

/** One line per reduction, and one for fingerprints. */
export async function explorerSpeed(): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const [reduction, where, compose] of CASES) {
    const bounds = { statesMax: STATES_MAX };
    const all = await explore({ compose, bounds });
    const without = await explore({ compose, bounds, reductions: { [reduction]: false } });
    const gain = (without.states / all.states).toFixed(1);
    const atLeast = without.complete ? '' : 'at least ';
    lines.push(
      `scenario=explore-${where} with-all ${figures(all)} without-${REDUCTIONS[reduction]} ${figures(without)} gain=${atLeast}${gain}x`,
    );
  }
  const compose = peers(1, 4);
  const keys = await explore({ compose });
  const prints = await explore({ compose, fingerprints: true });
  lines.push(
    `scenario=explore-peers-1-cpu-4-tasks keys bytes/state=${keys.bytesPerState} states/s=${Math.round(keys.states / (keys.durationMs / 1000))}` +
      ` fingerprints bytes/state=${prints.bytesPerState} miss-probability=${(prints.missProbability ?? 0).toExponential(1)} same-states=${prints.states === keys.states}`,
  );
  return lines;
}
