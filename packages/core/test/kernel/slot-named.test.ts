/** Patches get at a policy's state by name; what no plugin declares has no place in it. */
import { slot, step, type Kernel } from '@fpulab/core';
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

it.each([
  ['read', (k: Kernel) => void k.read(remembered, k.task)],
  ['write', (k: Kernel) => k.write(remembered, k.task, 7)],
])('FPU209: a slot that nobody declares cannot be %s', (_, run) => {
  remembered.base = -1;
  const machine = machineOf({ tasks: { A: [] }, policy: answering({ exec: [step('use', run)] }) });
  const error = fpuErrorOf(() => machine.run());
  expect(error.code).toBe('FPU209');
  expect(error.message).toBe("the slot 'remembered' is used, but no plugin of this machine declares it");
});
