/** Steps per second with nobody listening, events per second with one RxJS subscriber. */
import { compose, scenarioOf, type Machine } from '@fpulab/core';
import { bareMetal, xenPv } from '@fpulab/hypervisor';
import { presetOf } from '@fpulab/policies';
import { best, line } from './bare-loop';

const STEPS = 1_000_000;
const RUNS = 4;

function endless(platform: 'bare-metal' | 'xen-pv', preset: string): Machine {
  return compose({
    platform: platform === 'bare-metal' ? bareMetal() : xenPv(),
    policies: presetOf(preset).policies(),
    scenario: scenarioOf('endless'),
  });
}

/** One line per measurement. */
export function machineSpeed(baseline: number): readonly string[] {
  const lines: string[] = [];
  for (const preset of ['linux-3.6', 'linux-4.8']) {
    for (const platform of ['bare-metal', 'xen-pv'] as const) {
      const steps = best(RUNS, () => endless(platform, preset).run({ stepsMax: STEPS }).steps);
      lines.push(line(`steps-unobserved-${preset}-${platform}`, 'steps', steps, baseline));
    }
  }
  const events = best(RUNS, () => {
    const machine = endless('bare-metal', 'linux-3.6');
    let delivered = 0;
    machine.events$.subscribe(() => delivered++);
    machine.run({ stepsMax: STEPS });
    return delivered;
  });
  lines.push(line('events-one-rxjs-subscriber', 'events', events, baseline));
  return lines;
}
