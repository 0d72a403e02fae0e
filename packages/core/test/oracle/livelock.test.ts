/** The oracle `livelock`: a task that nothing disturbs goes round in a loop of its kernel, and comes back to where it was. */
import {
  ORACLES,
  events,
  forever,
  mmx,
  slot,
  step,
  syscall,
  whileHolds,
  type Interference,
  type Machine,
  type MachineEvent,
  type RoutineNode,
} from '@fpulab/core';
import { CLEAR_TS, answering, machineOf } from '../support/machines';

/** The violations of a task that goes through a loop in execve(). */
function reported(loop: RoutineNode, interference: Interference = {}): readonly string[] {
  const policy = answering({ 'cpu-up': CLEAR_TS, exec: [loop] });
  const compose = { oracles: ['livelock'] } as const;
  const machine = machineOf({ tasks: { A: [mmx.write()], B: [mmx.write()] }, policy, interference, compose });
  return violationsOf(machine);
}

function violationsOf(machine: Machine): readonly string[] {
  const seen: MachineEvent[] = [];
  machine.on(events.OracleViolated).subscribe((event) => seen.push(event));
  machine.run({ stepsMax: 2000 });
  return seen.map(({ data }) => `${ORACLES[data.oracle]} ${machine.taskNames[data.reader]}`);
}

const count: RoutineNode = step('count', (k) => k.setLocal(0, k.local(0) + 1));
const nothing: RoutineNode = step('nothing', () => {});

describe('livelock', () => {
  it('is a loop whose laps change nothing; it is reported once', () => {
    expect(reported(whileHolds(() => true, [nothing]))).toEqual(['livelock A']);
  });

  it('is one that changes something and puts it back', () => {
    const [there, back] = ['there', 'back'].map((name) => step(name, (k) => k.setLocal(0, 1 - k.local(0))));
    expect(reported(whileHolds(() => true, [there, nothing, back]))).toEqual(['livelock A']);
  });

  it('is one within a loop that ends', () => {
    const outer = whileHolds((k) => k.local(1) === 0, [count, whileHolds((k) => k.local(0) > 0, [nothing])]);
    expect(reported(outer)).toEqual(['livelock A']);
  });

  it('is none that counts, however long it takes', () => {
    expect(reported(whileHolds((k) => k.local(0) < 300, [count, nothing]))).toEqual([]);
  });

  it('is none in which other tasks run', () => {
    expect(reported(whileHolds(() => true, [step('schedule', (k) => k.call('schedule'))]))).toEqual([]);
  });

  it('is there with interrupts, too, as long as none comes', () => {
    const interference: Interference = { preempt: 'full', hardirq: true, softirq: true };
    expect(
      reported(
        whileHolds(() => true, [nothing, step('more', () => {})]),
        interference,
      ),
    ).toEqual(['livelock A']);
  });

  it('is none of a user program that never ends', () => {
    const machine = machineOf({
      tasks: { A: [forever(mmx.write(), syscall('getpid'))] },
      policy: answering({ 'cpu-up': CLEAR_TS }),
    });
    expect(violationsOf(machine)).toEqual([]);
  });

  it('is none that waits for another CPU', () => {
    const waits = step('look at CPU 1', (k) => void k.read(k.slotNamed('flag'), 1));
    const machine = (nodes: readonly RoutineNode[]) =>
      machineOf({
        tasks: { A: [mmx.write()] },
        cpus: 2,
        policy: {
          ...answering({ 'cpu-up': CLEAR_TS, exec: [whileHolds(() => true, nodes)] }),
          slots: [slot.cpu('flag', 'flag')],
        },
        compose: { oracles: ['livelock'] },
      });
    expect(violationsOf(machine([waits]))).toEqual([]);
    expect(violationsOf(machine([nothing]))).toEqual(['livelock A']);
  });
});
