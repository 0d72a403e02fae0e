import { CONTEXT, INIT, PASID, PRINCIPAL, events, slot, valueId, type OracleId } from '@fpulab/core';
import { ORACLES } from '../../src/oracle/oracles';
import { OracleMonitor } from '../../src/oracle/monitor';
import { EventStream } from '../../src/machine/stream';
import { aliveTask, setWords, smallState, type Words } from '../support/states';

const P1 = valueId(PRINCIPAL.pasid, 1);
const P2 = valueId(PRINCIPAL.pasid, 2);

/** What the oracles say after a step of user code of task 1, a thread of task 0, on CPU 0; components are x87, SSE, PASID. */
function said(words: Words, event?: (stream: EventStream) => void): readonly string[] {
  const running = { 'cpu.current[0]': 1, ...aliveTask(1, 1, 0, CONTEXT.user) };
  const state = setWords(smallState({ componentBits: [0, 1, PASID] }), { ...running, ...words });
  const stream = new EventStream(state);
  const activated = slot.task('activated', 'flag');
  activated.base = state.layout.field('test.task-slot').base;
  const reported: string[] = [];
  const oracles: readonly OracleId[] = ORACLES;
  stream.watch(events.OracleViolated, (oracle, _cpu, reader, component, value, expected) =>
    reported.push([oracles[oracle], reader, component, value, expected].join(' ')),
  );
  const monitor = new OracleMonitor({
    stream,
    trapsUserFpu: () => false,
    registersLive: () => true,
    vcpuFpstate: () => 3,
    nmExpectedAt: () => false,
    runsUserCode: () => true,
    nmEntry: 50,
    oracles: ORACLES,
    pasids: { processOf: () => 0, activated },
  });
  if (event) event(stream);
  else monitor.afterStep(0);
  return reported;
}

const stale = (value: number, expected: number): string => `stale-msr 1 ${PASID} ${value} ${expected}`;

describe('stale-msr while user code runs', () => {
  const cases: readonly [fact: string, words: Words, reported: readonly string[]][] = [
    ['an invalid register is right for a thread that was given nothing', { 'task.mm-pasid[0]': P1 }, []],
    ["the PASID of the thread's process is right, given or not", { 'task.mm-pasid[0]': P1, 'cpu.fpregs[0.2]': P1 }, []],
    ['what was given got lost', { 'task.mm-pasid[0]': P1, 'task.architectural[1.2]': P1 }, [stale(INIT, P1)]],
    ['the PASID of another process', { 'task.mm-pasid[0]': P1, 'cpu.fpregs[0.2]': P2 }, [stale(P2, INIT)]],
    [
      'the PASID of another process, instead of what was given',
      { 'task.mm-pasid[0]': P1, 'task.architectural[1.2]': P1, 'cpu.fpregs[0.2]': P2 },
      [stale(P2, P1)],
    ],
    ['a PASID, and the process has none', { 'cpu.fpregs[0.2]': P1 }, [stale(P1, INIT)]],
    [
      "the thread's own number is not the process's",
      { 'task.mm-pasid[1]': P1, 'cpu.fpregs[0.2]': P1 },
      [stale(P1, INIT)],
    ],
  ];
  it.each(cases)('%s', (_, words, reported) => {
    expect(said(words)).toEqual(reported);
  });
});

describe('stale-msr at the #GP of ENQCMD', () => {
  const trap =
    (vector: number, user: number) =>
    (stream: EventStream): void =>
      stream.emit(events.TrapRaised, 0, 1, vector, user, 0);
  const believed: Words = { 'task.mm-pasid[0]': P1, 'test.task-slot[1]': 1 };

  it('the kernel believes that the register was filled, and will not fill it', () => {
    expect(said(believed, trap(13, 1))).toEqual([stale(INIT, P1)]);
  });

  it.each<[string, Words, number, number]>([
    ['it believes nothing', { 'task.mm-pasid[0]': P1 }, 13, 1],
    ['the process has no PASID, so the flag is not read', { 'test.task-slot[1]': 1 }, 13, 1],
    ['#GP in the kernel', believed, 13, 0],
    ['another exception', believed, 7, 1],
  ])('all is well: %s', (_, words, vector, user) => {
    expect(said(words, trap(vector, user))).toEqual([]);
  });
});

it('user code cannot read supervisor state: neither leak nor lost-update', () => {
  const words = { 'task.mm-pasid[0]': P1, 'cpu.fpregs[0.2]': P2 };
  expect(said(words, (stream) => stream.emit(events.FpregsRead, 0, 1, PASID, P2))).toEqual([]);
});
