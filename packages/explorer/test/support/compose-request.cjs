/** What worker threads of the tests compose. They load built packages, as a user's workers do. */
const { either, forever, program, sse, step, syscall } = require('@fpulab/core');
const { bareMetal } = require('@fpulab/hypervisor');
const { lazyCr0Ts } = require('@fpulab/policies');

/** Before a step, a look at the other CPU's owner, by tasks that have used the FPU more than so many times. */
const peeking = (policy, { routine, before, above }) => {
  const named = (suffix) => policy.slots.find(({ name }) => name.endsWith(suffix));
  const peek = step('peek', (k) => {
    if (k.read(named('fpu_counter'), k.task) > above) k.read(named('fpu_owner_task'), 1 - k.cpu);
  });
  return { edit: 'insert-before', routine, step: before, nodes: [peek] };
};

const composeRequest = (
  { tasks, cpus, interference, oracles, removed, peek },
  policy = lazyCr0Ts({ era: 'linux-3.6' }),
) => ({
  platform: bareMetal(),
  policies: [policy],
  patches: [
    ...removed.map(([routine, step]) => ({
      id: `without ${step}`,
      title: `without ${step}`,
      source: 'hypothetical',
      edits: [{ edit: 'remove', routine, step }],
    })),
    ...(peek ? [{ id: 'peek', title: 'peek', source: 'hypothetical', edits: [peeking(policy, peek)] }] : []),
  ],
  scenario: {
    id: 'jobs',
    title: 'tasks compute and yield for ever',
    tasks: ['A', 'B', 'C', 'D'].slice(0, tasks).map((name) => ({
      name,
      program: program(forever(either(sse.update(), syscall('sched_yield')))),
    })),
    interference,
    oracles,
    schedule: {},
    sometimes: [],
    cpu: 'pentium-iii',
    cpus,
    stepsMax: 1000,
  },
});

module.exports = { composeRequest };
