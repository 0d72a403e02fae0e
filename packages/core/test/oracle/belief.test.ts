/** What a policy takes for valid is compared with what is. */
import { NOBODY, ORACLES, events, slot, sse, step, syscall, type Belief, type StepAction } from '@fpulab/core';
import { CLEAR_TS, answering, machineOf } from '../support/machines';

const inRegisters = slot.task('in_registers', 'cpu', NOBODY);
const inMemory = slot.task('in_memory', 'flag');
const belief: Belief = {
  registersOn: (read, task) => read(inRegisters, task),
  inMemory: (read, task) => read(inMemory, task) !== 0,
};

/** Runs a task that writes a value and makes a system call, in which the policy does something. */
function violationsOf(run: StepAction): readonly string[] {
  inRegisters.base = inMemory.base = -1;
  const policy = {
    ...answering({
      'cpu-up': CLEAR_TS,
      'kernel-fpu-begin': [step('believe', run, { instruction: 'xsave' })],
    }),
    slots: [inRegisters, inMemory],
    belief,
  };
  const machine = machineOf({ tasks: { A: [sse.write(), syscall('kernel_fpu')] }, policy });
  const seen: string[] = [];
  let at = '';
  machine.on(events.KernelStepped).subscribe(({ data }) => (at = machine.stepLabels[data.at]));
  machine.on(events.OracleViolated).subscribe(({ data }) => {
    if (ORACLES[data.oracle] === 'validity') seen.push(`${at.split('/').at(-1)}`);
  });
  machine.boot();
  for (let steps = 0; steps < 200 && !at.endsWith('/believe'); steps++) machine.step();
  return seen;
}

it('claims that are true are none of its business, and less than is true may be claimed', () => {
  expect(violationsOf(() => {})).toEqual([]);
  expect(violationsOf((k) => k.write(inRegisters, k.task, k.cpu))).toEqual([]);
  expect(violationsOf((k) => void k.save(k.fpstateOf(k.task)))).toEqual([]);
});

it('memory that was not saved to is claimed: a violation, right after the step', () => {
  expect(violationsOf((k) => k.write(inMemory, k.task, 1))).toEqual(['believe']);
});

it('registers that were initialised are claimed: a violation', () => {
  const wrong: StepAction = (k) => {
    k.save(k.fpstateOf(k.task));
    k.write(inRegisters, k.task, k.cpu);
    k.initFpregs();
  };
  expect(violationsOf(wrong)).toEqual(['believe']);
});
