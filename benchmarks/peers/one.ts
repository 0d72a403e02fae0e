/** One exploration as a process of its own: `node one.js '{"variant":"NATIVE","cpus":1,"tasks":3}'` prints what it found. */
import { join } from 'node:path';
import { explore, type Reductions } from '@fpulab/explorer';
import { composeRequest, type PeerRequest } from './compose-peer';

/** An instance and how to explore it. */
export interface OneRequest extends PeerRequest {
  readonly reductions?: Partial<Reductions>;
  readonly jobs?: number;
  readonly fingerprints?: boolean;
}

async function main(): Promise<void> {
  const request = JSON.parse(process.argv[2]) as OneRequest;
  const exploration = await explore({
    compose: () => composeRequest(request),
    reductions: request.reductions,
    jobs: request.jobs,
    fingerprints: request.fingerprints,
    workers: { module: join(__dirname, 'compose-peer.js'), request },
  });
  console.log(JSON.stringify({ exploration, rssBytes: process.resourceUsage().maxRSS * 1024 }));
}

void main();
