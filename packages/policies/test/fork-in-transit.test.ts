/** Where FNSAVE takes a parent's registers to its child's image, no copy of them is the parent's for a moment. */
import { ORACLES, VALIDITY_NAMES, compose, events, fork, program, scenarioOf, x87, type Patch } from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';
import { lazyCr0Ts } from '../src';
import { removing } from './support';

function validityOfParent(patches: readonly Patch[]) {
  const machine = compose({
    platform: bareMetal(),
    policies: [lazyCr0Ts({ era: 'linux-4.2' })],
    patches,
    cpu: 'pentium-mmx',
    scenario: {
      ...scenarioOf('x87-only'),
      tasks: [
        { name: 'parent', program: program(x87.write(), fork('child')) },
        { name: 'child', program: program(), unborn: true },
      ],
      interference: {},
    },
  });
  const states: string[] = [];
  const violated: string[] = [];
  let step = '';
  machine.on(events.KernelStepped).subscribe(({ data }) => (step = machine.stepLabels[data.at]));
  machine.on(events.ValidityChanged).subscribe(({ data }) => {
    if (data.task === 0) states.push(`${VALIDITY_NAMES[data.to]} at ${step.split('/').pop()}`);
  });
  machine.on(events.OracleViolated).subscribe(({ data }) => violated.push(ORACLES[data.oracle]));
  machine.run();
  return { states, violated };
}

it('is in transit until the kernel copies it back, which is legal', () => {
  const { states, violated } = validityOfParent([]);
  expect(states.slice(1, 3)).toEqual(['in transit at copy_fpregs_to_fpstate(dst)', '2b at memcpy(src, dst)']);
  expect(violated).toEqual([]);
});

it('is lost as soon as the child is born, if the kernel does not copy it back', () => {
  const { states, violated } = validityOfParent([removing('no-copy-back', 'fpu__copy', 'memcpy(src, dst)')]);
  expect(states.slice(1, 3)).toEqual(['in transit at copy_fpregs_to_fpstate(dst)', 'lost at wake_up_new_task']);
  expect(violated).toEqual(['validity']);
});
