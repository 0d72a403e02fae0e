/**
 * Compose a machine and watch it with RxJS: every change of CR0.TS, and who had the registers then.
 *
 *     npx ts-node examples/observe.ts
 */
import { CR0_TS, compose, events, scenarioOf } from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';
import { presetOf } from '@fpulab/policies';
import { distinctUntilChanged, filter, map, scan } from 'rxjs';

const machine = compose({
  platform: bareMetal(),
  policies: presetOf('linux-3.6').policies(),
  scenario: scenarioOf('xen-pv-leak'),
});

// `on(type)` is typed by the event's declaration: data.value is a number here.
machine
  .on(events.Cr0Written)
  .pipe(
    map(({ seq, data }) => ({ seq, ts: (data.value & CR0_TS) !== 0 })),
    distinctUntilChanged((a, b) => a.ts === b.ts),
  )
  .subscribe(({ seq, ts }) => console.log(`event ${seq}: CR0.TS = ${ts ? 1 : 0}`));

// `events$` is everything, in one order for all subscribers.
let traps = 0;
machine.events$
  .pipe(
    filter((event) => event.type === 'trap.raised'),
    scan((count) => count + 1, 0),
  )
  .subscribe((count) => (traps = count));

const { outcome, steps } = machine.run();
console.log(`${outcome} after ${steps} steps and ${traps} #NM; state ${machine.digest()}`);
