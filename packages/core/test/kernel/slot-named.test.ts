/** Patches get at a policy's state by name. */
import { slot, step } from '@fpulab/core';
import { fpuErrorOf } from '../support/errors';
import { answering, machineOf } from '../support/machines';

const remembered = slot.task('remembered', 'number');
const policy = (name: string) => ({
  ...answering({ exec: [step('remember', (k) => k.write(k.slotNamed(name), k.task, 7))] }),
  slots: [remembered],
});

it('slotNamed() finds a slot of any plugin', () => {
  const machine = machineOf({ tasks: { A: [] }, policy: policy('remembered') });
  machine.run();
  expect(machine.state.words[remembered.base]).toBe(7);
});

it('FPU209 names what is declared where there is none of this name', () => {
  remembered.base = -1;
  const machine = machineOf({ tasks: { A: [] }, policy: policy('rembered') });
  const error = fpuErrorOf(() => machine.run());
  expect(error.code).toBe('FPU209');
  expect(error.message).toContain("the step 'test.exec/remember' wants the slot 'rembered'; declared: remembered");
});
