/**
 * The hot paths, one greppable line each. Ratios are to a bare loop of the same run: machines differ, ratios less.
 *
 *     npm run bench
 */
import { machineSpeed } from './machine-speed.bench';
import { explorerSpeed } from './explorer-speed.bench';
import { replaySpeed } from './replay-speed.bench';
import { x86Speed } from './x86-speed.bench';
import { startTime } from './start-time.bench';
import { bareLoop } from './bare-loop';

async function main(): Promise<void> {
  const baseline = bareLoop();
  console.log(`scenario=bare-loop iterations/s=${Math.round(baseline)} (one add and one store into an Int32Array)`);
  for (const line of [
    ...machineSpeed(baseline),
    ...replaySpeed(baseline),
    ...x86Speed(baseline),
    ...startTime(),
    ...(await explorerSpeed()),
  ])
    console.log(line);
}

void main();
