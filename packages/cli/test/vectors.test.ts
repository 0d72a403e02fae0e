import { spawn } from 'node:child_process';
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { CPU_IDS, cpuModel, type CpuBehaviour } from '@fpulab/core';
import { DEVIATIONS } from '../../core/src/x86/deviations';
import { fpulab, temporaryDirectory } from './command';

const ROOT = join(__dirname, '../../..');
const VECTORS = join(ROOT, 'testdata/vectors');
const SMALL = 'testdata/vectors/silicon-mxcsr.json.gz';
const home = process.cwd();

beforeAll(() => process.chdir(ROOT));
afterAll(() => process.chdir(home));

interface Document {
  readonly total: number;
  readonly passed: number;
  readonly partial: number;
  readonly failed: number;
  readonly byInstruction: Readonly<Record<string, { passed: number; partial: number; failed: number }>>;
  readonly failures: readonly object[];
}

async function json(...args: readonly string[]): Promise<{ exitCode: number; document: Document }> {
  const { exitCode, stdout } = await fpulab('vectors', ...args, '--json');
  return { exitCode, document: JSON.parse(stdout) as Document };
}

interface RawVector {
  id: string;
  insn: string;
  out: Record<string, unknown> & { mem: unknown[] };
}

/** A copy of a file of vectors in which something is different. */
function tampered(edit: (vectors: RawVector[]) => void, from = SMALL): string {
  const file = JSON.parse(gunzipSync(readFileSync(join(ROOT, from))).toString('utf8')) as { vectors: RawVector[] };
  edit(file.vectors);
  const path = join(temporaryDirectory(), 'tampered.json.gz');
  writeFileSync(path, gzipSync(JSON.stringify(file)));
  return path;
}

describe('fpulab vectors', () => {
  it('reports passed, partial and failed by instruction', async () => {
    const { exitCode, stdout, stderr } = await fpulab('vectors', SMALL);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatchSnapshot();
  });

  it('runs a directory', async () => {
    const { exitCode, stdout } = await fpulab('vectors', 'testdata/vectors');
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      '\n6674 vectors: 6627 passed, 47 partial (results of data instructions are not modelled), 0 failed\n',
    );
    expect(stdout).toContain('\n3237 vectors of 12 files on zen4-guest\n');
  });

  it('runs plain JSON, and a file that is named twice once', async () => {
    const plain = join(temporaryDirectory(), 'plain.json');
    writeFileSync(plain, gunzipSync(readFileSync(SMALL)));
    expect((await json(plain)).document.total).toBe(64);
    expect((await json(SMALL, `./${SMALL}`)).document.total).toBe(64);
    expect((await json(SMALL, plain)).document.total).toBe(128);
  });

  it('prints one document, with nothing in it but the judgement', async () => {
    const { exitCode, document } = await json(SMALL);
    expect(exitCode).toBe(0);
    expect(document).toEqual({
      schema: 'fpulab/vectors@1',
      total: 64,
      passed: 64,
      partial: 0,
      failed: 0,
      byInstruction: {
        divps: { passed: 3, partial: 0, failed: 0 },
        ldmxcsr: { passed: 24, partial: 0, failed: 0 },
        sqrtss: { passed: 3, partial: 0, failed: 0 },
        stmxcsr: { passed: 5, partial: 0, failed: 0 },
        vldmxcsr: { passed: 24, partial: 0, failed: 0 },
        vstmxcsr: { passed: 5, partial: 0, failed: 0 },
      },
      failures: [],
    });
    expect(Object.keys(document)).toEqual([
      'schema',
      'total',
      'passed',
      'partial',
      'failed',
      'byInstruction',
      'failures',
    ]);
  });

  it('explains itself', async () => {
    const { exitCode, stdout } = await fpulab('vectors', '--help');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('--filter insn=xsave,xsave64');
  });
});

describe('fpulab vectors --filter', () => {
  const run = async (...filters: readonly string[]): Promise<readonly [number, readonly string[]]> => {
    const given = filters.flatMap((filter) => ['--filter', filter]);
    const { total, byInstruction } = (await json('testdata/vectors', ...given)).document;
    return [total, Object.keys(byInstruction)];
  };

  it.each<[string, readonly string[], number, readonly string[]]>([
    ['an instruction, whole', ['insn=xsave'], 157, ['xsave']],
    ['in upper case', ['insn=XSAVE'], 157, ['xsave']],
    ['any of several', ['insn=xsave,fsqrt'], 160, ['fsqrt', 'xsave']],
    ['a part of an id', ['id=silicon-mxcsr-000'], 3, ['ldmxcsr', 'stmxcsr']],
    ['a part of a category', ['cat=modified-opt'], 61, ['xsave64', 'xsavec64', 'xsaveopt', 'xsaveopt64']],
    ['code, with its commas', ['asm=mov cr0,rax'], 104, ['mov', 'mov-cr0']],
    ['text anywhere', ['vzeroupper'], 28, ['vzeroupper', 'xgetbv', 'xsaveopt64']],
    ['all of several', ['insn=xsave,xsave64', 'cat=align-ac'], 3, ['xsave64']],
    ['nothing twice', ['insn=xsave', 'insn=xsave'], 157, ['xsave']],
  ])('takes %s', async (_what, filters, total, instructions) => {
    expect(await run(...filters)).toEqual([total, instructions]);
  });

  it.each<[string, readonly string[], string]>([
    ['matches nothing', ['insn=nothing'], 'FPU504]: no vector matches --filter insn=nothing'],
    [
      'contradicts another',
      ['insn=xsave', 'insn=xsavec'],
      'no vector matches --filter insn=xsave --filter insn=xsavec',
    ],
    ['has an unknown key', ['mnemonic=xsave'], "FPU501]: --filter mnemonic=xsave: no key 'mnemonic'"],
    ['is empty', [''], "FPU501]: --filter '' is empty"],
    ['has no text', ['insn='], "FPU501]: --filter 'insn=' is empty"],
  ])('is a usage error when it %s', async (_what, filters, message) => {
    const given = filters.flatMap((filter) => ['--filter', filter]);
    const { exitCode, stdout, stderr } = await fpulab('vectors', SMALL, ...given);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
    expect(stderr).toContain('hint: key=text with one of the keys id, insn, cat, asm');
  });
});

describe('a vector that fails', () => {
  const ID = 'silicon-mxcsr-0009';
  const wrongMemory = (vectors: RawVector[]): unknown =>
    vectors.find(({ id }) => id === ID)?.out.mem.push([4660, 'ff']);

  it('exits with 1, and says component, field and byte, and how to run it again', async () => {
    const path = tampered((vectors) => {
      wrongMemory(vectors);
      vectors[0].out.state = { mxcsr: '0x1234' };
      vectors[1].out.xinuse = '0x0';
    });
    const { exitCode, stdout, stderr } = await fpulab('vectors', path);
    expect([exitCode, stderr]).toEqual([1, '']);
    expect(stdout.replaceAll(path, 'tampered.json.gz')).toMatchSnapshot();
    const [again] = /fpulab vectors (\S+) --filter (\S+)/.exec(stdout)?.slice(1).map(String) ?? [''];
    expect(again).toBe(path);
    expect((await fpulab('vectors', path, '--filter', 'id=silicon-mxcsr-0001')).exitCode).toBe(1);
    expect((await fpulab('vectors', path, '--filter', 'id=silicon-mxcsr-0012')).exitCode).toBe(0);
  });

  it('is an entry of failures[]', async () => {
    const path = tampered(wrongMemory);
    const { exitCode, document } = await json(path);
    expect(exitCode).toBe(1);
    expect(document).toMatchObject({ total: 64, passed: 63, failed: 1 });
    expect(document.failures).toEqual([
      {
        id: ID,
        file: path,
        instruction: 'ldmxcsr',
        category: 'bit',
        asm: 'ldmxcsr [rdi]',
        difference: { component: 'memory', field: 'bytes', byte: 4660, expected: '0xff', found: '0xa5' },
      },
    ]);
  });

  it('is one of twenty that are told', async () => {
    const all = tampered((vectors) => {
      for (const vector of vectors) vector.out.mem.push([4660, 'ff']);
    });
    const { stdout } = await fpulab('vectors', all);
    expect(stdout.match(/^! /gm)).toHaveLength(20);
    expect(stdout).toContain('\nand 44 more; --json lists them all\n');
    expect((await json(all)).document.failures).toHaveLength(64);
  });

  it('is red where there is colour', async () => {
    const { stdout } = await fpulab('vectors', tampered(wrongMemory), '--color', 'always');
    expect(stdout).toContain(`\x1b[31m! ${ID}`);
  });
});

describe('what cannot be run', () => {
  const refused = async (...args: readonly string[]): Promise<readonly [number, string]> => {
    const { exitCode, stdout, stderr } = await fpulab('vectors', ...args);
    expect(stdout).toBe('');
    return [exitCode, stderr];
  };

  it('is a path where nothing is', async () => {
    expect(await refused('no/such/place')).toEqual([
      66,
      'fpulab: error[FPU502]: no such file or directory: no/such/place\n  --> no/such/place\n',
    ]);
  });

  it('is a directory without files of vectors', async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'costs.json'), '{}');
    const [exitCode, stderr] = await refused(directory);
    expect(exitCode).toBe(66);
    expect(stderr).toContain(`no *.json.gz file in ${directory}`);
    expect(stderr).toContain('hint: name a plain *.json file itself');
  });

  it('is a malformed file, even beside good ones', async () => {
    const broken = join(temporaryDirectory(), 'broken.json.gz');
    writeFileSync(broken, readFileSync(SMALL).subarray(0, 900));
    const [exitCode, stderr] = await refused(SMALL, broken);
    expect(exitCode).toBe(65);
    expect(stderr).toContain(`fpulab: error[FPU601]: ${broken} is not a file of vectors: the gzip data is damaged`);
    expect(stderr).toContain(`--> ${broken}`);
  });

  it('is a malformed vector, which is named', async () => {
    const path = tampered((vectors) => (vectors[7].out.xinuse = 'many'));
    const [exitCode, stderr] = await refused(path);
    expect(exitCode).toBe(65);
    expect(stderr).toContain('vector silicon-mxcsr-0017, out.xinuse: expected a hex number');
  });

  it('is a file of a processor that no CPU model stands for', async () => {
    const path = join(temporaryDirectory(), 'other.json');
    const file = JSON.parse(gunzipSync(readFileSync(SMALL)).toString('utf8')) as { source: object };
    writeFileSync(path, JSON.stringify({ ...file, source: { ...file.source, vendor: 'GenuineIntel', family: 6 } }));
    const [exitCode, stderr] = await refused(path);
    expect(exitCode).toBe(65);
    expect(stderr).toContain(`error[FPU602]: ${path}: no CPU model behaves like 'GenuineIntel 6 17'`);
  });

  it('is a file without vectors', async () => {
    const path = tampered((vectors) => vectors.splice(0));
    const file = JSON.parse(gunzipSync(readFileSync(path)).toString('utf8')) as object;
    writeFileSync(path, JSON.stringify({ ...file, count: 0 }));
    const [exitCode, stderr] = await refused(path);
    expect(exitCode).toBe(65);
    expect(stderr).toContain(`no vectors in ${path}`);
  });

  it('is nothing', async () => {
    expect((await refused())[0]).toBe(2);
  });

  it('is told as one JSON object with --json', async () => {
    const [exitCode, stderr] = await refused('no/such/place', '--json');
    expect(exitCode).toBe(66);
    expect(JSON.parse(stderr)).toMatchObject({ error: { id: 'FPU502', file: 'no/such/place' } });
  });
});

describe('docs/vectors.md', () => {
  const text = readFileSync(join(ROOT, 'docs/vectors.md'), 'utf8');
  /** Cells of a table's row that begins with this code. */
  const row = (name: string): readonly string[] | undefined =>
    text
      .split('\n')
      .map((line) => line.split('|').map((cell) => cell.trim()))
      .find(([, first]) => first === `\`${name}\``)
      ?.slice(2, -1);

  it('has commands that run', async () => {
    const commands = [...text.matchAll(/^npx fpulab (.+)$/gm)].map(([, line]) => line.split(' '));
    expect(commands.length).toBeGreaterThan(6);
    for (const args of commands) expect([args, (await fpulab(...args)).exitCode]).toEqual([args, 0]);
  });

  it('names every deviation and the models that declare it', () => {
    for (const [name, what] of Object.entries(DEVIATIONS)) {
      const models = CPU_IDS.filter((id) => cpuModel(id).behaviour.deviations.some((deviation) => deviation === name));
      expect([name, row(name)]).toEqual([name, [what, models.map((id) => `\`${id}\``).join(', ')]]);
    }
  });

  it('has the behaviour of the models that were captured', () => {
    const ids = ['zen4-guest', 'bochs-sapphire-rapids', 'bochs-ryzen', 'qemu-max'];
    const told = (name: string, value: (behaviour: CpuBehaviour) => unknown): void =>
      expect([name, row(name)]).toEqual([name, ids.map((id) => String(value(cpuModel(id).behaviour)))]);
    const { pointersUpdated, deviations, ...plain } = cpuModel('zen4-guest').behaviour;
    expect([deviations.length, Object.keys(pointersUpdated)]).toEqual([1, ['fop', 'fip', 'fdp']]);
    for (const name of Object.keys(plain) as (keyof typeof plain)[]) told(name, (behaviour) => behaviour[name]);
    told('pointersUpdated.fop', (behaviour) => behaviour.pointersUpdated.fop);
    told('pointersUpdated.fip', (behaviour) => behaviour.pointersUpdated.fip);
    told('pointersUpdated.fdp', (behaviour) => behaviour.pointersUpdated.fdp);
  });

  it('counts the partial vectors of each instruction', async () => {
    const { byInstruction } = (await json('testdata/vectors')).document;
    const [, table] = /\n## Verdicts\n([^]*?)\n## /.exec(text) ?? [];
    const counted = [...table.matchAll(/`(\w+)` +\| (\d+) +\|/g)].map(([, name, count]) => [name, Number(count)]);
    const partial = Object.entries(byInstruction).map(([name, tally]) => [name, tally.partial] as const);
    expect(Object.fromEntries(counted)).toEqual(Object.fromEntries(partial.filter(([, count]) => count > 0)));
  });

  it('tells the truth about the x87 pointers of Zen 4', () => {
    interface View {
      readonly fsw: string;
      readonly xsave64: Record<string, string>;
      readonly fxsave: Record<string, string>;
      readonly fnstenv: Record<string, string>;
    }
    interface Raw {
      readonly x87: Record<string, View>;
      readonly states: Record<string, { visible: { x87: string } }>;
      readonly vectors: readonly { state: string; out: { fault: unknown; state?: { x87?: string } } }[];
    }
    const silicon = readdirSync(VECTORS).filter((name) => name.startsWith('silicon'));
    const views = silicon.flatMap((name) => {
      const { x87, states, vectors } = JSON.parse(
        gunzipSync(readFileSync(join(VECTORS, name))).toString('utf8'),
      ) as Raw;
      return vectors.flatMap(({ state, out }) => {
        const after = out.fault === null ? out.state?.x87 : undefined;
        return after === undefined ? [] : [{ before: x87[states[state].visible.x87], after: x87[after] }];
      });
    });
    const quiet = views.filter(
      ({ before, after }) =>
        (Number(after.fsw) & 0x80) === 0 &&
        after.fnstenv.fip !== before.fnstenv.fip &&
        Number(after.fnstenv.fip) >>> 24 === 0xa, // the instruction is in the vector's code
    );
    expect(quiet).toHaveLength(64);
    const stored = quiet.flatMap(({ after: { xsave64, fxsave } }) => [
      ...Object.values(xsave64),
      ...Object.values(fxsave),
    ]);
    expect(new Set(stored)).toEqual(new Set(['0x0']));
  });
});

describe('Ctrl-C', () => {
  /** So many copies of the set that a run takes seconds. */
  function copies(count: number): string {
    const directory = temporaryDirectory();
    for (const name of readdirSync(VECTORS).filter((file) => file.startsWith('silicon-xsave'))) {
      for (let copy = 0; copy < count; copy++) copyFileSync(join(VECTORS, name), join(directory, `${copy}-${name}`));
    }
    return directory;
  }

  /** Says when the command has begun to listen for SIGINT. */
  const PRELOAD = "process.on('newListener', (event) => { if (event === 'SIGINT') process.send('listening'); });";

  it.each(['text', 'json'])(
    'tells what is known so far and exits with 130: %s',
    async (form) => {
      const preload = join(temporaryDirectory(), 'preload.cjs');
      writeFileSync(preload, PRELOAD);
      const flags = form === 'json' ? ['--json'] : [];
      const main = ['-r', 'ts-node/register', 'packages/cli/src/main.ts'];
      const child = spawn(process.execPath, ['-r', preload, ...main, 'vectors', copies(12), ...flags], {
        cwd: ROOT,
        stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
      });
      let stdout = '';
      child.stdout?.on('data', (text: Buffer) => (stdout += text.toString()));
      child.once('message', () => child.kill('SIGINT'));
      const exitCode = await new Promise((resolve) => child.on('close', resolve));
      expect(exitCode).toBe(130);
      if (form === 'text')
        expect(stdout).toMatch(/^\d+ vectors: \d+ passed, 0 partial, 0 failed; interrupted, \d+ not run$/m);
      else {
        const { total, passed } = JSON.parse(stdout) as Document;
        expect(total).toBeGreaterThan(0);
        expect(total).toBeLessThan(12 * 1404);
        expect(passed).toBe(total);
      }
    },
    60_000,
  );
});
