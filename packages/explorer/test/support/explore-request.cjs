/** Explores what the arguments say and prints the outcome: a process of its own, for worker threads. */
const { join } = require('node:path');
const { explore } = require('@fpulab/explorer');
const { composeRequest } = require('./compose-request.cjs');

const { request, jobs, ...options } = JSON.parse(process.argv[2]);
const workers = { module: join(__dirname, 'compose-request.cjs'), request };
explore({ compose: () => composeRequest(request), jobs, workers, ...options }).then((exploration) => {
  const { verdict, states, transitions, depth, counterexamples, phases } = exploration;
  process.stdout.write(
    JSON.stringify({ verdict, states, transitions, depth, counterexamples, ends: phases.map(({ end }) => end) }),
  );
});
