/** What worker threads of the tests compose. They load built packages, as a user's workers do. */
const { either, forever, program, sse, syscall } = require('@fpulab/core');
const { bareMetal } = require('@fpulab/hypervisor');
const { lazyCr0Ts } = require('@fpulab/policies');

const composeRequest = ({ tasks, cpus, interference, oracles, removed }) => ({
  platform: bareMetal(),
  policies: [lazyCr0Ts({ era: 'linux-3.6' })],
  patches: removed.map(([routine, step]) => ({
    id: `without ${step}`,
    title: `without ${step}`,
    source: 'hypothetical',
    edits: [{ edit: 'remove', routine, step }],
  })),
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
