/** Policies from users' files: what goes well, and everything that can go wrong. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fpulab, temporaryDirectory } from './command';

const ROOT = join(__dirname, '../../..');
const home = process.cwd();

beforeAll(() => process.chdir(temporaryDirectory()));
afterAll(() => process.chdir(home));

/** A policy that saves and loads at every switch; parts of its text can be exchanged, each of them once. */
function policy(...changes: readonly (readonly [string, string])[]): string {
  const text = `
    import { NOTHING, routine, slot, step } from '@fpulab/core';
    const fpu = { instruction: 'xsave' } as const;
    export default function own() {
      const saved = slot.task('saved', 'flag');
      return {
        kind: 'base', id: 'own', title: 't', source: 's', fpstate: 'embedded', slots: [saved], roles: {},
        routines: [
          routine('boot', [step('clts', (k) => k.clts())]),
          routine('out', [
            step('save', (k) => k.save(k.fpstateOf(k.task)), fpu),
            step('note', (k) => k.write(saved, k.task, 1)),
          ]),
          routine('in', [step('load', (k) => k.restore(k.fpstateOf(k.task)), fpu)]),
        ],
        hooks: {
          'cpu-up': 'boot', 'switch-out': 'out', 'switch-in': 'in', 'trap-nm': NOTHING, 'irq-fpu-usable': NOTHING,
          'kernel-fpu-begin': NOTHING, 'kernel-fpu-end': NOTHING, fork: NOTHING, exec: NOTHING, exit: NOTHING,
        },
      };
    }
  `;
  return changes.reduce((changed, [from, to]) => {
    expect(changed.split(from)).toHaveLength(2);
    return changed.replace(from, to);
  }, text);
}

let files = 0;

/** Explores with a policy from a file of this text. */
async function exploreWith(text: string, name = 'policy.ts'): Promise<Awaited<ReturnType<typeof fpulab>>> {
  const directory = `${++files}`; // modules are loaded once
  mkdirSync(directory);
  writeFileSync(join(directory, name), text);
  return fpulab('explore', 'exit-to-user', '--policy', join(directory, name), '--no-known');
}

it('explores with a policy from a file', async () => {
  const { exitCode, stdout } = await exploreWith(policy());
  expect(stdout).toContain('verified  exit-to-user: own (from a file) on bare-metal');
  expect(exitCode).toBe(0);
});

it.each<[string, string, string]>([
  ['is no module', '(', 'does not load: '],
  ['imports what is not there', "import './nosuch';", "Cannot find module './nosuch'"],
  ['throws', "throw new Error('no');", 'does not load: no'],
  ['exports nothing', 'export const x = 1;', 'has no default export that is a function returning policies'],
  ['returns nothing', 'export default () => {};', 'is no policy: wrong or missing are id, kind, slots, routines'],
  ['fails when called', "export default () => { throw new Error('no'); };", 'failed: Error: no'],
  ['lacks parts', policy(["fpstate: 'embedded',", '']), 'is no policy: wrong or missing are fpstate'],
  [
    'answers what nobody asks',
    policy(["'cpu-up'", "'cpuup'"]),
    "'own' answers 'cpuup', which is no hook of a policy; hooks: switch-out, ",
  ],
  [
    'uses a slot that it does not declare',
    policy(['slots: [saved]', 'slots: []']),
    "the slot 'saved' is used, but no plugin of this machine declares it",
  ],
  ['fails in a step', policy(['k.restore(', 'k.rstor(']), 'failed: TypeError: k.rstor is not a function'],
])('a file that %s is refused: FPU209, in words that say why', async (_, text, message) => {
  const { exitCode, stdout, stderr } = await exploreWith(text);
  expect(stderr).toContain('fpulab: error[FPU209]: ');
  expect(stderr).toContain(message);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect([exitCode, stdout]).toEqual([2, '']);
});

it('asks for the file where a folder is named: FPU504', async () => {
  mkdirSync('folder');
  const { exitCode, stderr } = await fpulab('run', 'exit-to-user', '--policy', 'folder');
  expect(stderr).toContain("error[FPU504]: 'folder' is no preset, and policies of your own come from .ts or .js files");
  expect(stderr).toContain('hint: name the file itself: --policy folder/policy.ts');
  expect(exitCode).toBe(2);
});

it('logs replay without the policy; --rerun wants its file', async () => {
  mkdirSync('logs');
  writeFileSync('logs/policy.ts', policy());
  const log = ['--log', 'logs/run.events.jsonl'];
  expect((await fpulab('run', 'exit-to-user', '--policy', 'logs/policy.ts', '--seed', '1', ...log)).exitCode).toBe(0);
  expect((await fpulab('replay', 'logs/run.events.jsonl')).exitCode).toBe(0);
  const { exitCode, stderr } = await fpulab('replay', 'logs/run.events.jsonl', '--rerun');
  expect(stderr).toContain('error[FPU501]: the log was made with the policies own from files');
  expect(stderr).toContain('hint: name the files: fpulab replay <log> --rerun --policy <file>');
  expect(exitCode).toBe(2);
  const again = await fpulab('replay', 'logs/run.events.jsonl', '--rerun', '--policy', 'logs/policy.ts');
  expect([again.exitCode, again.stderr]).toEqual([0, '']);
});

/** The built command in a process of its own: there it finds modules and lines as Node does, not as jest does. */
function inProcess(
  directory: string,
  ...args: readonly string[]
): { readonly stdout: string; readonly stderr: string } {
  const command = [join(ROOT, 'packages/cli/bin/fpulab.cjs'), ...args];
  return spawnSync(process.execPath, command, { cwd: directory, encoding: 'utf8' });
}

it('finds the packages of the installation from anywhere, also in worker threads', () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'policy.ts'), policy());
  const { stdout, stderr } = inProcess(directory, 'explore', 'exit-to-user', '--policy', 'policy.ts', '--jobs', '2');
  expect(stderr).toBe('');
  expect(stdout).toContain('verified  exit-to-user: own (from a file) on bare-metal');
});

it('says where a file is no TypeScript', () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'policy.ts'), 'export default {\n');
  const { stderr } = inProcess(directory, 'run', 'exit-to-user', '--policy', 'policy.ts');
  expect(stderr).toContain("error[FPU209]: the policy file 'policy.ts' does not load: Unexpected token `<eof>`");
  expect(stderr).toContain(`\n  --> ${join(directory, 'policy.ts')}:1:`);
});

it('says where a step of a policy failed, and with --debug how it got there', () => {
  const directory = temporaryDirectory();
  const text = policy(['k.restore(', 'k.rstor(']);
  const [lines] = text.split('k.rstor(');
  writeFileSync(join(directory, 'policy.ts'), text);
  const { stderr } = inProcess(directory, 'run', 'exit-to-user', '--policy', 'policy.ts', '--debug');
  expect(stderr).toContain(`\n  --> ${join(directory, 'policy.ts')}:${lines.split('\n').length}:`);
  expect(stderr).toMatch(/caused by\nTypeError: k\.rstor is not a function\n\s+at /);
});
