/**
 * Write a log, read it back, fold it without any policy, and count how often CR0.TS changed.
 *
 *     npx ts-node examples/replay-a-log.ts
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CR0_TS, compose, scenarioOf } from '@fpulab/core';
import { fileSink, foldEvents, openReplay, readLog, recordLog, replayLog } from '@fpulab/eventlog';
import { xenPv } from '@fpulab/hypervisor';
import { presetOf } from '@fpulab/policies';

const file = join(mkdtempSync(join(tmpdir(), 'fpulab-')), 'leak.events.jsonl.gz');

const machine = compose({
  platform: xenPv(),
  policies: presetOf('linux-3.6').policies(),
  scenario: scenarioOf('xen-pv-leak'),
});
const recorder = recordLog(machine, { preset: 'linux-3.6', seed: null, replay: null }, fileSink(file));
const { outcome } = machine.run();
recorder.finish({ outcome });

// Everything about the file is verified before the first event is returned.
const log = readLog(file);
const { digest, verdict } = replayLog(log);
console.log(`${log.events.length} events fold to ${digest}: ${String(verdict)}`);
console.log(`the machine itself ended in ${machine.digest()}`);

// The state is one Int32Array; fold it event by event and look at any word.
const state = openReplay(log.header);
let changes = 0;
for (const event of log.events) {
  const before = state.words[state.at.cr0] & CR0_TS;
  foldEvents(state, [event]);
  if ((state.words[state.at.cr0] & CR0_TS) !== before) changes++;
}
console.log(`CR0.TS of the processor changed ${changes} times`);
