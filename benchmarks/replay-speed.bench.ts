/** Folding a log that is in memory; reading and verifying one from its bytes. */
import { compose, scenarioOf, type MachineEvent } from '@fpulab/core';
import { foldEvents, memorySink, openReplay, readLog, recordLog, type LogHeader } from '@fpulab/eventlog';
import { bareMetal } from '@fpulab/hypervisor';
import { presetOf } from '@fpulab/policies';
import { best, line } from './bare-loop';

const STEPS = 200_000;
const RUNS = 4;

function record(): { text: string; header: LogHeader; events: readonly MachineEvent[] } {
  const machine = compose({
    platform: bareMetal(),
    policies: presetOf('linux-3.6').policies(),
    scenario: scenarioOf('endless'),
  });
  const sink = memorySink();
  const recorder = recordLog(machine, { preset: 'linux-3.6', seed: null, replay: null }, sink);
  const { outcome } = machine.run({ stepsMax: STEPS });
  recorder.finish({ outcome });
  const { header, events } = readLog(Buffer.from(sink.text()));
  return { text: sink.text(), header, events };
}

/** One line per measurement. */
export function replaySpeed(baseline: number): readonly string[] {
  const { text, header, events } = record();
  const bytes = Buffer.from(text);
  const fold = best(RUNS, () => foldEvents(openReplay(header), events));
  const read = best(RUNS, () => readLog(bytes).events.length);
  return [line('replay-fold', 'events', fold, baseline), line('read-and-verify-log', 'events', read, baseline)];
}
