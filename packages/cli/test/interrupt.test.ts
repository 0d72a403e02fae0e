import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { readLog, replayLog } from '@fpulab/eventlog';
import { temporaryDirectory } from './command';

const ROOT = join(__dirname, '../../..');

it('leaves a whole log whose footer says interrupted on Ctrl-C, and exits with 130', async () => {
  const log = join(temporaryDirectory(), 'interrupted.events.jsonl');
  const child = spawn(
    process.execPath,
    ['-r', 'ts-node/register', 'packages/cli/src/main.ts', 'run', 'endless', '--max-steps', '500000', '--log', log],
    { cwd: ROOT, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] },
  );
  const { existsSync, statSync } = await import('node:fs');
  while (!existsSync(log) || statSync(log).size === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  child.kill('SIGINT');
  const exitCode = await new Promise((resolve) => child.on('exit', resolve));
  expect(exitCode).toBe(130);
  const read = readLog(log);
  expect(read.footer).toMatchObject({ outcome: 'interrupted', verdict: null });
  expect(replayLog(read)).toMatchObject({ complete: true, digest: read.footer.digest });
});
