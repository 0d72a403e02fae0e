import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { fpulab } from './command';

const VECTORS = join(__dirname, '../../../testdata/vectors');

interface Document {
  readonly end: string;
  readonly executed: number;
  readonly instructions: readonly { readonly text: string; readonly events: readonly { readonly type: string }[] }[];
  readonly fault: { readonly name: string; readonly reason: string; readonly offset: number } | null;
  readonly notModelled: object | null;
  readonly xinuse: string;
  readonly state: {
    readonly mxcsr: string;
    readonly registers: Readonly<Record<string, string>>;
    readonly control: Readonly<Record<string, string>>;
    readonly x87: Readonly<Record<string, string>>;
    readonly components: Readonly<Record<string, string>>;
  };
  readonly memory: { readonly changed: readonly (readonly [number, string])[] };
}

const told = (line: string) => fpulab('execute', ...line.split(' '));

async function json(line: string): Promise<Document> {
  const { exitCode, stdout, stderr } = await told(`${line} --json`);
  expect([exitCode, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Document;
}

describe('fpulab execute', () => {
  it.each([
    ['XSAVE of one component in use', '--cpu zen4-guest d9e8 480fae27'],
    ['XSAVEOPT behind XRSTOR, which leaves out what was not modified', 'd9e8 480fae37 480fae2f 0f57c0 480fae37'],
    ['XSAVES of a processor with supervisor state', '--cpu sapphire-rapids 480fc72f'],
    ['XSAVE in 32-bit user code', '--mode 32 --cpl 3 0fae27'],
    ['XRSTOR of a header that is refused', '--memory 512=0001 480fae2f'],
    ['XRSTOR of a standard image', '--memory 512=06 --memory 24=a01f --memory 160=11 --memory 576=22 480fae2f'],
    ['an instruction that traps because of CR0.TS', '--set cr0=0x8005003b d9e8 90'],
    ['a page that is not there', '--cpl 3 --set rdi=0xb003f00 480fae27'],
    ['the pointers of x87, in a register only', 'd9e8 d9b700100000 480fae27'],
    ['MMX, which lies in the x87 registers', '0f6ec8 0f77'],
    ['instructions whose results are not modelled', 'd9e8 d9c0 dec1 f20f5807 0f2b07'],
    ['control registers', '0f20c0 83c808 0f22c0 0f06 0f01e0'],
    ['tiles', '--cpu sapphire-rapids --memory 00=01 --memory 16=4000 --memory 48=10 c4e2784907 c4e27b49c0 c4e27849c0'],
    [
      'XFD, whose trap tells the component',
      '--cpu sapphire-rapids --set xfd=0x40000 --memory 00=01 --memory 16=4000 --memory 48=10 c4e2784907 c4e27b49c0',
    ],
    ['FXSAVE of a processor without XSAVE', '--cpu pentium-iii --mode 32 d9e8 0fae07'],
    ['bytes that are no instruction', 'f0d9e8'],
  ])('tells of %s', async (_what, line) => {
    const { exitCode, stdout, stderr } = await told(line);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(`$ fpulab execute ${line}\n${stdout}`).toMatchSnapshot();
  });

  it('prints one document, with the events of every instruction', async () => {
    const document = await json('--cpu zen4-guest d9e8 480fae27');
    expect(document).toMatchObject({
      schema: 'fpulab/execute@1',
      cpu: 'zen4-guest',
      mode: 64,
      cpl: 0,
      code: 'd9e8480fae27',
      end: 'ran-to-end',
      executed: 2,
      fault: null,
      notModelled: null,
      xinuse: '0x1',
      xcr0: '0xe7',
      state: {
        rip: '0xa000006',
        rflags: '0x2',
        registers: { rdi: '0xb000100', rax: '0xffffffff', r15: '0x0' },
        control: { cr0: '0x80050033', xcr0: '0xe7', xss: '0x1800', xfd: '0x0' },
        x87: { fcw: '0x37f', fsw: '0x3800', ftw: '0x80' },
        mxcsr: '0x1f80',
        components: { sse: '0*256', hi16_zmm: '0*1024' },
      },
    });
    expect(document.instructions.map(({ text }) => text)).toEqual(['fld1', 'xsave64 [rdi]']);
    expect(document.instructions[0].events).toEqual([
      expect.objectContaining({ type: 'x87-loaded', inUse: true }),
      { type: 'instruction-retired', mnemonic: 'FLD1', next: '0xa000002' },
    ]);
    expect(document.memory).toEqual({
      base: '0xb000000',
      size: 16384,
      // FCW, FSW, FTW; MXCSR and its mask; ST0 = 1; XSTATE_BV. FOP, FIP and FDP are zero: FSW.ES is clear on Zen 4.
      changed: [
        [0x100, '7f03'],
        [0x103, '3880'],
        [0x118, '801f'],
        [0x11c, 'ffff02'],
        [0x127, '80ff3f'],
        [0x300, '01'],
      ],
    });
  });

  it('shows the pointers of the last x87 instruction in FNSTENV, but not in FXSAVE, on Zen 4', async () => {
    const { memory } = await json('--cpu zen4-guest d9e8 d9b700100000 0fae07 480fae37');
    const at = (offset: number, length: number): string => {
      const bytes = Buffer.alloc(0x4000);
      for (const [from, digits] of memory.changed) Buffer.from(digits, 'hex').copy(bytes, from);
      return bytes.subarray(0x100 + offset, 0x100 + offset + length).toString('hex');
    };
    expect(at(0x1000 + 12, 8)).toBe('0000000a0800e801'); // FIP, FCS, FOP
    expect(at(6, 18)).toBe('00'.repeat(18)); // FOP, FIP, FDP
  });

  it('takes a fault for a result: exit 0, the reason, and where', async () => {
    const document = await json('--set rdi=0xb000104 d9e8 480fae27');
    expect(document).toMatchObject({ end: 'fault', executed: 1 });
    expect(document.fault).toEqual({
      vector: 13,
      name: '#GP',
      errorCode: '0x0',
      reason: 'misaligned',
      text: '#GP(0): the operand is not aligned as the instruction demands',
      offset: 2,
    });
    expect(document.memory.changed).toEqual([]);
  });

  it('says where a page was missing', async () => {
    const { fault } = await json('--set rdi=0xc000000 0fae07');
    expect(fault).toMatchObject({ name: '#PF', errorCode: '0x2', cr2: '0xc0001ff', reason: 'page-not-present' });
  });

  it('gives the processor what --set says', async () => {
    const { state } = await json(
      '--cpu sapphire-rapids --set RCX=0x1122334455667788 --set eax=7 --set mxcsr=0x1fa0 --set pkru=12 90',
    );
    expect(state).toMatchObject({ mxcsr: '0x1fa0', registers: { rcx: '0x1122334455667788', rax: '0x7' } });
    expect(state.components.pkru).toBe('0c00000000000000');
  });

  it('enables PKRU where the processor has it', async () => {
    const { state } = await json('--cpu sapphire-rapids --set edx=0 --set eax=0x55 0f01ef');
    expect(state.components.pkru).toBe('5500000000000000');
  });

  it('fills memory, and puts bytes behind RDI, whatever comes first', async () => {
    const { state } = await json('--memory 0=a01f0000 --memory A5 0fae17 488b4704');
    expect(state.mxcsr).toBe('0x1fa0');
    expect(state.registers.rax).toBe('0xa5a5a5a5a5a5a5a5');
  });

  it.each(['48 0F AE 27', '0x480fae27', '0x48 0x0f 0xae 0x27'])(
    'takes pairs of digits as they come: %s',
    async (code) => {
      const { instructions } = await json(code);
      expect(instructions.map(({ text }) => text)).toEqual(['xsave64 [rdi]']);
    },
  );

  it('stops at what is not modelled, and tells what came before', async () => {
    const { exitCode, stdout, stderr } = await told('d9e8 0f05 90');
    expect(exitCode).toBe(65);
    expect(stdout).toContain('stopped by what is not modelled at offset 2, after 1 instruction');
    expect(stderr).toContain(
      'fpulab: error[FPU104]: stopped at offset 2, 0f0590: an instruction that is not modelled\n',
    );
    expect(stderr).toContain('\nhint: state management, moves and logic are modelled');
  });

  it.each([
    ['0f20d8', 'a control register other than CR0 and CR4'],
    ['b910000000 0f32', 'an MSR that has nothing to do with FPU state'],
    ['f4', 'of this privileged instruction only the fault at CPL 3 is modelled'],
  ])('stops at CPL 0 at %s, %s; at CPL 3 it faults', async (code, why) => {
    const { exitCode, stderr } = await told(code);
    expect([exitCode, stderr.includes(`${why}\n`)]).toEqual([65, true]);
    expect((await json(`--cpl 3 ${code}`)).fault).toMatchObject({ name: '#GP', reason: 'not-privileged' });
  });

  it('says so in the document, too', async () => {
    const { exitCode, stdout, stderr } = await told('--json d9e8 480f');
    expect(exitCode).toBe(65);
    expect(JSON.parse(stderr)).toMatchObject({
      error: { id: 'FPU104', message: expect.stringContaining('stopped at offset 2, 480f') as string },
    });
    expect(JSON.parse(stdout)).toMatchObject({
      end: 'not-modelled',
      executed: 1,
      notModelled: { offset: 2, bytes: '480f', why: 'the bytes end inside the instruction' },
    });
  });

  it.each([
    ['abc', "'abc' has an odd number of digits, 3"],
    ['d9 e', "'e' has an odd number of digits, 1"],
    ['0x9g', "'9g' is not hexadecimal"],
    ['--set rax 90', '--set rax: expected register=value'],
    ['--set foo=1 90', "--set: no register 'foo'; known: rax, "],
    ['--set __proto__=1 90', "no register '__proto__'"],
    ['--set eax=0x100000000 90', 'eax has 32 bits'],
    ['--set xcr0=5 90', 'the processor would refuse it: AVX (bit 2) can be enabled only with SSE (bit 1)'],
    ['--set xss=1 90', '--set xss: the processor would refuse it: '],
    ['--set mxcsr=0xffff0000 90', 'MXCSR_MASK of zen4-guest is 0x2ffff'],
    ['--set pkru=1 90', 'zen4-guest has no PKRU'],
    ['--set xfd=0x40000 90', 'zen4-guest has no IA32_XFD'],
    ['--cpu sapphire-rapids --set xfd=1 90', 'can disable tiledata and nothing else'],
    ['--memory a 90', '--memory a: expected a fill byte'],
    ['--memory 16128=00 90', 'there are 16128 bytes from where RDI points'],
    ['--mode 16 90', "argument '16' is invalid"],
    ['--cpl 1 90', "argument '1' is invalid"],
    ['--cpu none 90', "no CPU model 'none'"],
  ])('refuses %s', async (line, message) => {
    const { exitCode, stdout, stderr } = await told(line);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
  });

  it('refuses more code than a page has', async () => {
    const { exitCode, stderr } = await told('90'.repeat(4097));
    expect(exitCode).toBe(2);
    expect(stderr).toContain('4097 bytes of code were given, 4096 are the most');
    expect((await json('90'.repeat(4096))).executed).toBe(4096);
  });

  it('explains itself, with examples that run', async () => {
    const { exitCode, stdout } = await fpulab('execute', '--help');
    expect(exitCode).toBe(0);
    const examples = [...stdout.matchAll(/^ {2}fpulab execute (.*?)(?: {2,}.*)?$/gm)].map(([, line]) => line);
    expect(examples.length).toBeGreaterThan(4);
    for (const line of examples) expect([line, (await told(line)).exitCode]).toEqual([line, 0]);
  });

  it('runs the code of every captured vector, on every kind of processor', async () => {
    const codes = new Set<string>();
    for (const name of readdirSync(VECTORS)) {
      const { vectors, blobs } = JSON.parse(gunzipSync(readFileSync(join(VECTORS, name))).toString('utf8')) as {
        vectors: { code: string; mode: number }[];
        blobs: Record<string, string>;
      };
      for (const { code, mode } of vectors)
        codes.add(`--mode ${mode} ${code.startsWith('@') ? blobs[code.slice(1)] : code}`);
    }
    expect(codes.size).toBeGreaterThan(200);
    const cpus = ['zen4-guest', 'sapphire-rapids', 'nehalem', 'qemu-max'];
    for (const [index, code] of [...codes].entries()) {
      const line = `--cpu ${cpus[index % cpus.length]} --cpl ${index % 8 < 4 ? 0 : 3} ${code}`;
      const { exitCode, stderr } = await told(line);
      expect({ line, exitCode, stderr }).toEqual({ line, exitCode: 0, stderr: '' });
    }
  });
});
