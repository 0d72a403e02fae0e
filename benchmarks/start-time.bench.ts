/** Whole processes: --help, a run, an exploration, and the main job as `npm start` runs it after its build. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const RUNS = 5;

function median(name: string, args: readonly string[], command = process.execPath): string {
  const seconds = Array.from({ length: RUNS }, () => {
    const start = performance.now();
    const { status } = spawnSync(command, args, { cwd: join(__dirname, '..'), stdio: 'ignore' });
    if (status !== 0) throw new Error(`${name} ended with ${status}; run npm ci first`);
    return (performance.now() - start) / 1000;
  }).sort((a, b) => a - b);
  return `scenario=${name} sec=${seconds[Math.floor(RUNS / 2)].toFixed(3)}`;
}

/** One line per command, median of five. */
export function startTime(): readonly string[] {
  const fpulab = join(__dirname, '../packages/cli/bin/fpulab.cjs');
  const fixed = ['--platform', 'xen-pv', '--patch', 'guest-fix'];
  return [
    median('node-itself', ['-e', '0']),
    median('fpulab-help', [fpulab, '--help']),
    median('fpulab-run', [fpulab, 'run', 'xen-pv-leak', ...fixed]),
    median('fpulab-explore-3-tasks', [fpulab, 'explore', 'xen-pv-leak', '--tasks', '3', ...fixed]),
    median('fpulab-reproduce-xen-pv-leak', [fpulab, 'reproduce', 'xen-pv-leak']),
    median('npm-start', ['start', '--silent'], 'npm'),
  ];
}
