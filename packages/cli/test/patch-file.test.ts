import { writeFileSync } from 'node:fs';
import { fpulab, temporaryDirectory } from './command';

const home = process.cwd();

beforeAll(() => process.chdir(temporaryDirectory()));
afterAll(() => process.chdir(home));

/** Linux 4.8 whose fork() leaves an eager parent without registers after FNSAVE. */
const PATCH = `
import { step, type Patch } from '@fpulab/core';
const patch: Patch = {
  id: 'mine',
  title: 'no restore after FNSAVE',
  source: 'hypothetical',
  edits: [{ edit: 'replace', routine: 'fpu__copy', step: 'copy_fpstate_to_fpregs', nodes: [step('nothing', () => {})] }],
};
export default patch;
`;

const file = (name: string, text: string): string => {
  writeFileSync(name, text);
  return name;
};
const plain = (id: string): string =>
  `module.exports = { id: '${id}', title: '', source: '', edits: [{ edit: 'remove', routine: 'fpu__copy', step: 'preempt_enable' }] };`;
const RUN = ['run', 'x87-only', '--policy', 'linux-4.8'];
const words = (command: string): readonly string[] => command.replaceAll("'", '').split(' ').slice(1);

describe('fpulab --patch <file>', () => {
  it('explores a patch from a file; the replay line names the file', async () => {
    const args = ['explore', 'x87-only', '--policy', 'linux-4.8', '--patch', file('mine.ts', PATCH)];
    const { exitCode, stdout, stderr } = await fpulab(...args, '--oracle', 'lost-update', '--no-diagram');
    expect([exitCode, stderr]).toEqual([1, '']);
    expect(stdout).toContain('violation  x87-only: eager (linux-4.8) on bare-metal + mine\n');
    expect(stdout).toContain('lost-update at event 102: A reads INIT in x87, but wrote A#1');
    const [, replay] = /replay: (fpulab .*)/.exec(stdout) ?? [];
    expect(replay).toMatch(/~mine\.pentium-mmx\.\S+' --oracle lost-update --patch mine\.ts --max-steps 37$/);
    expect((await fpulab(...words(replay))).stdout).toContain('! lost-update at event 102');
    expect((await fpulab(...words(replay.replace(' --patch mine.ts', '')))).stderr).toContain(
      "no patch 'mine'; known:",
    );
  });

  it('repeats a log that was made with one', async () => {
    const { exitCode } = await fpulab(...RUN, '--patch', `${file('mine.ts', PATCH)}`, '--log', 'run.events.jsonl');
    expect(exitCode).toBe(1);
    expect((await fpulab('replay', 'run.events.jsonl', '--rerun')).stderr).toContain("no patch 'mine'; known:");
    const again = await fpulab('replay', 'run.events.jsonl', '--rerun', '--patch', 'mine.ts');
    expect(again.stdout).toContain('the final state are as recorded; verdict violation');
  });

  it('takes several, from files and built in, in their order', async () => {
    const two = file('two.js', `module.exports = [1, 2].map((n) => ({ ...require('./one.js'), id: 'no-' + n }));`);
    file('one.js', plain('one'));
    const { stderr } = await fpulab(...RUN, '--patch', `refused-image-keeps,${two}`);
    expect(stderr).toContain("patch 'no-2' needs exactly one 'preempt_enable' in fpu__copy, found 0");
  });

  it.each([
    [66, 'FPU502', "no patch file 'none.ts'", () => 'none.ts'],
    [2, 'FPU209', "the patch file 'bad.js' does not load", () => file('bad.js', 'oops(')],
    [
      2,
      'FPU209',
      'wrong or missing are id, title, source, edits',
      () => file('policy.js', 'module.exports = () => []'),
    ],
    [2, 'FPU209', 'wrong or missing are id', () => file('dotted.js', plain('a.b'))],
    [2, 'FPU209', "the patch 'guest-fix' of 'taken.js' needs another id", () => file('taken.js', plain('guest-fix'))],
    [2, 'FPU209', "the patch 'drop-3' of 'drop.js' needs another id", () => file('drop.js', plain('drop-3'))],
  ])('ends with %i, %s: %s', async (exitCode, code, message, make) => {
    const { stderr, ...result } = await fpulab(...RUN, '--patch', make());
    expect(result).toMatchObject({ exitCode, stdout: '' });
    expect(stderr).toContain(`error[${code}]`);
    expect(stderr).toContain(message);
  });
});

describe('fpulab list routines', () => {
  it('names routines, the hooks that they answer, and their steps', async () => {
    const { exitCode, stdout } = await fpulab('list', 'routines', 'linux-6.12');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('kernel_fpu_end  (kernel-fpu-end)\n  in_kernel_fpu = false\n  preempt_enable\n\n');
    expect(stdout).toContain('  fpregs_restore_userregs\n    xfd_update_state\n      wrmsrl(MSR_IA32_XFD)\n');
    expect(stdout).toContain('wrpkru(next->pkru)'); // of a modifier
    const { stdout: json } = await fpulab('--json', 'list', 'routines', 'linux-6.12');
    const { schema, routines } = JSON.parse(json) as { schema: string; routines: readonly { name: string }[] };
    expect(schema).toBe('fpulab/list@1');
    expect(routines.find(({ name }) => name === 'kernel_fpu_end')).toEqual({
      name: 'kernel_fpu_end',
      policy: 'load-fpu-deferral',
      hooks: ['kernel-fpu-end'],
      nodes: ['in_kernel_fpu = false', 'preempt_enable'].map((name) => ({ depth: 0, name })),
    });
  });

  it('those of 32-bit programs and protection keys, too, which a machine has only where tasks need them', async () => {
    const { stdout } = await fpulab('list', 'routines', 'linux-5.10');
    expect(stdout).toMatch(/^copy_fpstate_to_sigframe, ia32_fxstate {2}\(signal-save-ia32\)\n/m);
    expect(stdout).toMatch(/^__fpu__restore_sig, ia32_fxstate {2}\(signal-restore-ia32\)\n/m);
    expect(stdout).toMatch(/^pkey-access {2}\(pkey-access\)\n {2}arch_set_user_pkey_access\n/m);
  });

  it('asks whose', async () => {
    expect(await fpulab('list', 'routines')).toMatchObject({ exitCode: 2, stdout: '' });
    expect((await fpulab('list', 'routines', 'linux-9')).stderr).toContain("no preset 'linux-9'");
    expect((await fpulab('list', 'patches', 'linux-3.6')).stderr).toContain("'linux-3.6' is one too many");
  });
});
