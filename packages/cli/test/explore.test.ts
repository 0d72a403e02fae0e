import { existsSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compose, scenarioOf } from '@fpulab/core';
import { readLog, replayLog } from '@fpulab/eventlog';
import { bareMetal } from '@fpulab/hypervisor';
import { presetOf } from '@fpulab/policies';
import { policySteps } from '../src/explore/drop-patches';
import { fpulab, temporaryDirectory } from './command';

/** Each test has a directory of its own: failures are kept below it. */
const home = process.cwd();
let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
  process.chdir(directory);
});
afterAll(() => process.chdir(home));

const LEAK = ['explore', 'xen-pv-leak', '--platform', 'xen-pv'];
const FAILURES = join('.fpulab', 'failures');

interface Violation {
  readonly id: string;
  readonly choices: number;
  readonly steps: number;
  readonly shortest: boolean;
  readonly replay: string;
  readonly log: string;
}

interface Explored {
  readonly exitCode: number;
  readonly stderr: string;
  readonly document: Record<string, unknown> & { readonly violations: readonly Violation[]; readonly known: boolean };
}

async function json(...args: readonly string[]): Promise<Explored> {
  const { exitCode, stdout, stderr } = await fpulab(...args, '--json');
  return { exitCode, stderr, document: JSON.parse(stdout) as Explored['document'] };
}

describe('fpulab explore', () => {
  it('finds the shortest run that leaks, and prints everything about it in one document', async () => {
    const { exitCode, document } = await json(...LEAK);
    expect(exitCode).toBe(1);
    expect(Object.keys(document)).toEqual(
      'schema verdict reason violations scenario policies preset platform patches cpu cpus strategy seed jobs assumptions reductions bounds states transitions depth complete phases bytesPerState missProbability sometimes replay log digest counters known durationMs'.split(
        ' ',
      ),
    );
    expect(document).toMatchObject({
      schema: 'fpulab/explore@1',
      verdict: 'violation',
      reason: null,
      scenario: 'xen-pv-leak',
      policies: ['lazy-cr0-ts'],
      preset: 'linux-3.6',
      platform: 'xen-pv',
      patches: [],
      cpu: 'sandybridge',
      cpus: 1,
      strategy: 'bfs',
      seed: null,
      jobs: 1,
      reductions: {
        versionFree: true,
        choicePoints: true,
        symmetry: true,
        partialOrder: true,
        abstractCounters: true,
        deadValues: true,
      },
      bounds: { maxDepth: null, timeout: null, maxMemory: 3072 },
      complete: false,
      missProbability: null,
      known: false,
    });
    expect(document.violations).toMatchObject([
      { id: 'leak', component: 'x87', task: 'B', reader: 'B', writer: 'X', choices: 4, steps: 69, shortest: true },
    ]);
    expect((document.phases as readonly { kind: string }[]).map(({ kind }) => kind)).toEqual(['proof', 'exact']);
  });

  it('keeps a log that folds to the state of the run, and a replay string that ends in the same violation', async () => {
    const { document } = await json(...LEAK);
    const [{ log, replay, steps }] = document.violations;
    expect(log).toBe(join(FAILURES, `xen-pv-leak-leak-${String(document.digest)}.events.jsonl.gz`));
    expect(replayLog(readLog(log))).toMatchObject({ complete: true, verdict: 'violation', digest: document.digest });
    const replayed = await json('replay', replay, '--max-steps', String(steps));
    expect(replayed.exitCode).toBe(1);
    expect(replayed.document).toMatchObject({ digest: document.digest, violations: [{ id: 'leak', reader: 'B' }] });
    expect((await json('replay', log, '--rerun')).document).toMatchObject({ rerun: 'same' });
  });

  it('tells the run step by step: what changed, the choices that mattered, the line that repeats it', async () => {
    const { exitCode, stdout, stderr } = await fpulab(...LEAK, '--no-diagram');
    expect(exitCode).toBe(1);
    expect(stderr).toBe('');
    expect(stdout).toMatch(
      /^violation {2}xen-pv-leak: lazy-cr0-ts \(linux-3\.6\) on xen-pv\n {2}! leak at event 190: B can/,
    );
    expect(stdout).toMatch(
      /\n {2}#22 +cpu0 A +xen\.do_device_not_available\/vcpu_restore_fpu_lazy\/clts +cr0\.TS 1>0\n/,
    );
    expect(stdout).toMatch(
      /\n +choice: enabled: ok sleep, taken: sleep\n {2}#30 +cpu0 A +math_state_restore\/init_fpu\/fpu_alloc\/kmem_cache_alloc +A\.sleeping 0>1\n/,
    );
    expect(stdout).toMatch(/\n {2}#49 +cpu0 X +X\[0\] mmx\.write +fpregs\.x87 INIT>X#1\n/);
    expect(stdout).toMatch(/\n {2}#69 .*\n +! leak at event 190/);
    expect(stdout).toMatch(/\n {2}replay: fpulab replay 'r1\.xen-pv-leak\.[^']+' --max-steps 69\n$/);
    expect(stdout).not.toMatch(/serial|frame|\bpc\b/);
  });

  it('draws the violation unless it is told not to', async () => {
    expect((await fpulab(...LEAK)).stdout).toMatch(/\nCR0\.TS real {2}\|1 /);
    expect((await fpulab(...LEAK, '--no-diagram')).stdout).not.toContain('CR0.TS real');
    const { document } = await json(...LEAK, '--diagram');
    expect(document.diagrams).toEqual([expect.stringMatching(/^xen-pv-leak: .* leak\n/)]);
  });

  it('says for what a verified verdict holds', async () => {
    const args = [...LEAK, '--patch', 'guest-fix', '--tasks', '3'];
    const { exitCode, stdout } = await fpulab(...args);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^verified {2}xen-pv-leak\.any-3: lazy-cr0-ts \(linux-3\.6\) on xen-pv \+ guest-fix\n {2}holds for\n/,
    );
    expect(stdout).toContain(
      '\n    3 tasks (A, B, C) with any programs that are made of mmx.write, nanosleep, mmx.read and go on for ever\n',
    );
    expect(stdout).toMatch(
      / states, .* transitions, depth \d+ choices; .* states\/s, \d+ bytes per state; all that there are\n$/,
    );
    const { document } = await json(
      ...[...LEAK, '--patch', 'guest-fix', '--tasks', '2'],
      ...['--fingerprints', '--no-symmetry', '--timeout', '60'],
    );
    expect(document).toMatchObject({ verdict: 'verified', complete: true, violations: [], replay: null, log: null });
    expect(document.missProbability).toBeGreaterThan(0);
    expect(document.assumptions).toEqual(
      expect.arrayContaining(['1 CPU, sandybridge', 'bounds: 60 s', 'reductions off: symmetry']),
    );
    expect(existsSync(FAILURES)).toBe(false);
  });

  it('names interrupts and their nesting', async () => {
    const { document } = await json('explore', 'interrupts', '--nesting', '1', '--max-states', '10');
    expect(document).toMatchObject({ scenario: 'interrupts.nest-1', verdict: 'inconclusive' });
    expect(document.assumptions).toContain(
      'interrupts: hardirqs and softirqs that use the FPU, anywhere, at most 1 nested on one stack',
    );
  });

  it.each([
    ['--max-states', '10', 'stopped at 10 states'],
    ['--max-depth', '3', 'stopped at a depth of 3 choices'],
  ])('has no verdict at %s %s', async (flag, value, reason) => {
    const { exitCode, document } = await json('explore', 'xen-pv-leak', flag, value);
    expect(exitCode).toBe(3);
    expect(document).toMatchObject({ verdict: 'inconclusive', reason, complete: false });
  });

  it('has no verdict where the scenario does not get where it leads', async () => {
    // Without clts() in the #NM handler nobody ever gets at the FPU.
    const args = ['explore', 'xen-pv-leak', '--patch', 'classic-guest', '--oracle', 'lost-update'];
    const { exitCode, stdout } = await fpulab(...args);
    expect(exitCode).toBe(3);
    expect(stdout).toMatch(
      /^inconclusive .*\n {2}never reached: A used the FPU; B used the FPU; X used the FPU\n {2}no violation for\n/,
    );
  });

  it('finds one run of every kind with --all, and each replays to its end', async () => {
    const { exitCode, document } = await json(...LEAK, '--all');
    expect(exitCode).toBe(1);
    expect(document.violations.map(({ id, choices, steps }) => [id, choices, steps])).toEqual([
      ['leak', 4, 69],
      ['validity', 4, 70],
      ['lost-update', 5, 86],
    ]);
    for (const { id, replay, steps } of document.violations) {
      const replayed = await json('replay', replay, '--max-steps', String(steps));
      expect(replayed.document.violations.at(-1)).toMatchObject({ id });
    }
  });

  it.each(['dfs', 'random'])('finds it with --strategy %s, and does not call it the shortest', async (strategy) => {
    const { exitCode, document } = await json(...LEAK, '--strategy', strategy);
    expect(exitCode).toBe(1);
    expect(document).toMatchObject({ strategy, violations: [{ shortest: false }] });
    const text = await fpulab(...LEAK, '--strategy', strategy, '--no-known');
    expect(text.stdout).toContain('not the shortest: there may be a shorter run');
  });

  it('names the log where a replay string would be too long, or cannot name the policies', async () => {
    const policy = join(home, 'examples', 'my-policy.ts');
    const { stdout } = await fpulab('explore', 'preemption', '--policy', policy, '--patch', 'drop-2', '--tasks', '2');
    expect(stdout).toMatch(/\n {2}log: (\S+)\n {2}replay: fpulab replay \1\n$/);
  });

  it('writes the log where it is told, and complains last where that is not possible', async () => {
    const log = join(directory, 'deep', 'leak.events.jsonl');
    const { document } = await json(...LEAK, '--log', log);
    expect(document.log).toBe(log);
    expect(readLog(log).footer).toMatchObject({ verdict: 'violation', digest: document.digest });
    const refused = await fpulab(...LEAK, '--log', join(log, 'x.jsonl'), '--no-known');
    expect(refused.exitCode).toBe(74);
    expect(refused.stdout).toContain("replay: fpulab replay 'r1.");
    expect(refused.stderr).toMatch(/^fpulab: error\[FPU503\]: cannot /);
  });

  it('ends with 130 on Ctrl-C, with what it knows', async () => {
    const before = process.listenerCount('SIGINT');
    const timer = setInterval(() => {
      if (process.listenerCount('SIGINT') <= before) return; // not exploring yet
      clearInterval(timer);
      setTimeout(() => process.emit('SIGINT'), 100);
    }, 20);
    const { exitCode, document } = await json('explore', 'interrupts');
    expect(exitCode).toBe(130);
    expect(document).toMatchObject({ verdict: 'inconclusive', reason: 'interrupted', complete: false });
    expect(document.states).toBeGreaterThan(0);
  });
});

describe('kept failures', () => {
  it('are tried first, unless --no-known', async () => {
    const first = await json(...LEAK);
    const again = await json(...LEAK);
    expect(again.exitCode).toBe(1);
    expect(again.document).toMatchObject({
      known: true,
      verdict: 'violation',
      states: 0,
      digest: first.document.digest,
      log: first.document.log,
      violations: [{ id: 'leak', choices: 4, steps: 69, shortest: false }],
    });
    expect((await fpulab(...LEAK)).stdout).toContain('known failure, found again');
    expect((await json(...LEAK, '--no-known')).document.known).toBe(false);
    expect((await json(...LEAK, '--all')).document.known).toBe(false);
  });

  it('are those of `fpulab run` too', async () => {
    await fpulab('run', 'xen-pv-leak', '--platform', 'xen-pv');
    const { document } = await json(...LEAK);
    expect(document).toMatchObject({ known: true, violations: [{ id: 'leak' }] });
  });

  it('of another composition are left alone, damaged ones are named and skipped', async () => {
    await json(...LEAK);
    const [name] = readdirSync(FAILURES);
    const patched = await json(...LEAK, '--patch', 'guest-fix');
    expect(patched.document).toMatchObject({ known: false, verdict: 'verified' });
    const damaged = join(FAILURES, 'xen-pv-leak-damaged.events.jsonl.gz');
    renameSync(join(FAILURES, name), damaged);
    writeFileSync(damaged, readFileSync(damaged).subarray(0, 300));
    const { document, stderr } = await json(...LEAK);
    expect(document).toMatchObject({ known: false, verdict: 'violation' });
    expect(stderr).toContain(`fpulab: skipped the kept failure '${damaged}': `);
  });
});

describe('usage of fpulab explore', () => {
  it.each([
    ['--seed 3', '--seed is of --strategy random, not of bfs'],
    ['--strategy dfs --jobs 2', '--jobs is of --strategy bfs; dfs runs in one thread'],
    ['--drop-each --all', '--all is for one exploration; --drop-each makes many'],
    ['--tasks 0', 'expected a whole number from 1 to 26'],
    ['--cpus 0', 'expected a whole number from 1 to 8'],
    ['--strategy best', 'Allowed choices are bfs, dfs, random'],
    ['--patch drop-999', "no patch 'drop-999': the policy has the steps drop-1 to drop-"],
    ['--platform nowhere', "no platform 'nowhere'"],
  ])('refuses %s', async (flags, complaint) => {
    const { exitCode, stdout, stderr } = await fpulab('explore', 'xen-pv-leak', ...flags.split(' '));
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(complaint);
  });

  it('puts --tasks before a nesting that the scenario has, and refuses what is said twice', async () => {
    const { document } = await json('explore', 'interrupts.nest-1', '--tasks', '2', '--max-states', '10');
    expect(document.scenario).toBe('interrupts.any-2.nest-1');
    const { exitCode, stderr } = await fpulab('explore', 'interrupts.nest-1', '--nesting', '2');
    expect(exitCode).toBe(2);
    expect(stderr).toContain("says '.nest-1' already, and --nesting 2 says it again");
  });
});

/** Steps of a policy on the scenario's processor. */
const stepsOf = (scenario: string, preset: string): number => {
  const { policies } = presetOf(preset);
  const machine = compose({ platform: bareMetal(), policies: policies(), scenario: scenarioOf(scenario) });
  return policySteps(machine.composition).length;
};

describe('fpulab explore --drop-each', () => {
  const DROP = ['explore', 'xen-pv-leak', '--tasks', '1', '--oracle', 'lost-update', '--drop-each'];

  interface Dropped {
    readonly patch: string;
    readonly step: string;
    readonly outcome: string;
    readonly oracle: string | null;
    readonly steps: number | null;
    readonly replay: string | null;
    readonly message: string | null;
  }

  it('finds what each step is good for: the save keeps updates', async () => {
    const { exitCode, document } = await json(...DROP);
    expect(exitCode).toBe(0);
    expect(document).toMatchObject({
      schema: 'fpulab/explore-drop@1',
      scenario: 'xen-pv-leak.any-1',
      whole: { outcome: 'not-needed' },
      bounds: { timeout: 20 },
      interrupted: false,
    });
    const steps = document.steps as readonly Dropped[];
    expect(steps).toHaveLength(stepsOf('xen-pv-leak', 'linux-3.6'));
    const save = steps.find(({ step }) => step === '__save_init_fpu');
    expect(save).toMatchObject({ patch: 'drop-2', outcome: 'violation', oracle: 'lost-update', choices: 4, steps: 59 });
    expect(steps.find(({ patch }) => patch === 'drop-48')).toMatchObject({
      outcome: 'breaks',
      message: "the step 'flush_thread/clear_fpu/preempt_enable' does preempt_enable without preempt_disable",
    });
    expect(steps.find(({ patch }) => patch === 'drop-53')).toMatchObject({ outcome: 'not-needed', replay: null });
    expect(steps.find(({ patch }) => patch === 'drop-42')).toMatchObject({ outcome: 'not-reached', states: 0 });

    const replayed = await json('replay', String(save?.replay), '--oracle', 'lost-update', '--max-steps', '59');
    expect(replayed.document).toMatchObject({ verdict: 'violation', patches: ['drop-2'] });
    const kept = await json('replay', String(replayed.document.log), '--rerun');
    expect(kept.document).toMatchObject({ rerun: 'same', verdict: 'violation' });
  });

  it('tells it in sections', async () => {
    const { stdout } = await fpulab(...DROP);
    expect(stdout).toMatch(
      /^xen-pv-leak\.any-1: lazy-cr0-ts \(linux-3\.6\) on bare-metal\n {2}as it is: verified\n {2}25 steps of \d+ /,
    );
    expect(stdout).toMatch(
      /\n {2}drop-2 +switch_fpu_prepare\/__save_init_fpu +lost-update after 4 choices, 59 steps\n +fpulab replay 'r1\.xen-pv-leak_any-1\.[^']*~drop-2\.[^']+' --oracle lost-update --max-steps 59\n/,
    );
    expect(stdout).toMatch(/\n\nneeded: without it the kernel breaks \(2\)\n/);
    expect(stdout).toMatch(/\n\nnot needed by anything in this scenario \(21\)\n/);
    expect(stdout).toMatch(/\n\nnever reached in this scenario \(\d+\)\n/);
    expect(stdout).toMatch(/\n {2}math_state_restore: do_group_exit\(SIGKILL\)\n/);
    expect(stdout).toMatch(/\n {2}kernel_fpu_begin: all 5 steps\n/);
  });

  it('leaves out steps of modifiers too, on processors for which they are there', async () => {
    const switched = ['explore', 'pkru-switch', '--policy', 'linux-5.10', '--no-known'];
    const { document } = await json(...switched, '--patch', 'drop-7');
    expect(document).toMatchObject({ verdict: 'violation', patches: ['drop-7'] });
    expect(document.violations).toMatchObject([{ id: 'pkru-mismatch' }]);
    const steps = (await fpulab(...switched, '--patch', 'drop-999')).stderr;
    expect(steps).toContain(`drop-1 to drop-${stepsOf('pkru-switch', 'linux-5.10')}\n`);
    expect(stepsOf('pkru-switch', 'linux-5.10')).toBe(stepsOf('preemption', 'linux-5.10') + 4);
  });

  it('counts the steps after the patches', async () => {
    const patched = await fpulab('explore', 'xen-pv-leak', '--patch', 'guest-fix,drop-999');
    expect(patched.stderr).toContain(`drop-1 to drop-${stepsOf('xen-pv-leak', 'linux-3.6') + 2}\n`);
  });
});
