/** What somebody is shown of a task's image is compared with what that task has. */
import { ORACLES, events, valueId, type MachineEvent, type OracleId } from '@fpulab/core';
import { EventStream } from '../../src/machine/stream';
import { OracleMonitor } from '../../src/oracle/monitor';
import { setWords, smallState, type Words } from '../support/states';

/** Task 0 is the target, task 1 its tracer. */
const A1 = valueId(1, 1);
const A2 = valueId(1, 2);
const D1 = valueId(2, 1);
const C1 = valueId(3, 1);

/** What the oracles say when `task` is shown a value of task 0's component 1. */
function saidOf(task: number, value: number, words: Words): readonly string[] {
  const stream = new EventStream(setWords(smallState(), words));
  const seen: MachineEvent[] = [];
  stream.on(events.OracleViolated).subscribe((event) => seen.push(event));
  new OracleMonitor({
    stream,
    trapsUserFpu: () => false,
    registersLive: () => true,
    vcpuFpstate: () => 3,
    nmExpectedAt: () => false,
    runsUserCode: () => true,
    nmEntry: 50,
    oracles: ORACLES,
  });
  stream.emit(events.FpstateShown, 0, task, 0, 1, value);
  const oracles: readonly OracleId[] = ORACLES;
  return seen.map(({ data }) => `${oracles[data.oracle]}, reader ${data.reader}, expected ${data.expected}`);
}

const latest = { 'task.architectural[0.1]': A2 };

describe('what a tracer is shown', () => {
  it.each<[string, number, Words, readonly string[]]>([
    ['the target’s latest value', A2, latest, []],
    ['INIT, as the target has it', 0, {}, []],
    ['an older value of the target', A1, latest, [`lost-update, reader 1, expected ${A2}`]],
    ['INIT instead of a value', 0, latest, [`lost-update, reader 1, expected ${A2}`]],
    ['somebody else’s value', C1, latest, [`leak, reader 1, expected ${A2}`]],
    ['a value that the tracer wrote itself, which is no secret', D1, latest, [`lost-update, reader 1, expected ${A2}`]],
    ['what the target had before its execve()', A1, { 'task.execed[0]': 0b111 }, ['leak, reader 1, expected 0']],
  ])('%s', (_, value, words, said) => {
    expect(saidOf(1, value, words)).toEqual(said);
  });
});

describe('what goes to a core file', () => {
  it.each<[string, number, Words, readonly string[]]>([
    ['the latest value', A2, latest, []],
    ['an older value', A1, latest, [`lost-update, reader 0, expected ${A2}`]],
    ['somebody else’s value', C1, latest, [`leak, reader 0, expected ${A2}`]],
    ['what the task had before its execve()', A1, { 'task.execed[0]': 0b111 }, ['leak, reader 0, expected 0']],
  ])('%s', (_, value, words, said) => {
    expect(saidOf(0, value, words)).toEqual(said);
  });
});
