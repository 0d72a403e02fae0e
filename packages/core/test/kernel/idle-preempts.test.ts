/** `interference.idle`: when the idle task runs although others could. */
import { sse, syscall, type Interference } from '@fpulab/core';
import { enabledNames } from '../support/requests';
import { machineOf } from '../support/machines';

/** What can happen when a lone task has executed its first instruction. */
function enabledFor(interference: Interference): readonly string[] {
  const machine = machineOf({ tasks: { A: [sse.write(), syscall('getpid')] }, interference });
  let enabled: readonly string[] = [];
  machine.boot();
  machine.driver = {
    choose: (request) => {
      enabled = enabledNames(request);
      return 0;
    },
    getPosition: () => 0,
    setPosition: () => {},
  };
  for (let steps = 0; steps < 30 && enabled.length === 0; steps++) machine.step();
  return enabled;
}

it('a task that is alone is not preempted, for nobody could run instead', () => {
  expect(enabledFor({ preempt: 'full' })).toEqual([]);
  expect(enabledFor({ preempt: 'full', idle: true })).toEqual([]);
});

it("'preempts': it is, as if a kernel thread ran", () => {
  expect(enabledFor({ preempt: 'full', idle: 'preempts' })).toContain('cpu0:preempt');
});
