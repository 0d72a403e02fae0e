import { xfeaturesName } from '@fpulab/core';
import { Judge, judge, judgeVector, runVector, type Difference, type Vector } from '../src';
import { often } from '../../core/test/support/often';
import { CAPTURED, samples, type Sample } from './captured';
import { NOT_COMPARED, WRONG, type Mutant } from './mutants';

type Judged = ReturnType<typeof judgeVector>;

const ALL = CAPTURED.map(({ name, file }) => ({ name, file }));

/** Vectors of data instructions whose results are not modelled; everything else passes entirely. */
const PARTIAL = {
  addps: 2,
  cvtpi2ps: 4,
  cvtps2pi: 1,
  divps: 2,
  fadd: 3,
  fcmovb: 1,
  fcom: 5,
  fdiv: 3,
  fdivrp: 3,
  fisttp: 3,
  fsqrt: 3,
  fstp: 3,
  maskmovdqu: 4,
  movntq: 7,
  paddb: 3,
};

const VECTORS_OF = {
  'bochs-amd-ffxsr': 44,
  'bochs-control-registers': 180,
  'bochs-fault-matrix': 697,
  'bochs-osfxsr': 22,
  'bochs-user': 828,
  'bochs-xcr0-pkru-amx': 428,
  'bochs-xrstors': 164,
  'bochs-xsaves': 134,
  'bochs-xsetbv': 152,
  'qemu-control-registers': 159,
  'qemu-fault-matrix': 446,
  'qemu-osfxsr': 13,
  'qemu-xcr0-pkru': 59,
  'qemu-xsetbv': 111,
  'silicon-fxrstor': 168,
  'silicon-fxsave': 133,
  'silicon-mxcsr': 64,
  'silicon-privileged': 40,
  'silicon-roundtrip': 35,
  'silicon-x87': 490,
  'silicon-xgetbv': 144,
  'silicon-xrstor': 413,
  'silicon-xrstor-compact': 346,
  'silicon-xsave': 459,
  'silicon-xsavec': 456,
  'silicon-xsaveopt': 489,
};

describe('the captured vectors', () => {
  const judgement = judge(ALL);

  it('are all there', () => {
    const found = CAPTURED.map(({ name, file }) => [name.replace('.json.gz', ''), file.vectors.length] as const);
    expect(Object.fromEntries(found)).toEqual(VECTORS_OF);
  });

  it('all agree with the model, and only results of data instructions stay open', () => {
    const { byInstruction, ...totals } = judgement;
    expect(totals).toEqual({ total: 6674, passed: 6627, partial: 47, failed: 0, failures: [] });
    const partial = Object.entries(byInstruction).filter(([, tally]) => tally.partial > 0);
    expect(Object.fromEntries(partial.map(([name, tally]) => [name, tally.partial]))).toEqual(PARTIAL);
  });

  it('are counted under the names of their instructions, in order', () => {
    const names = Object.keys(judgement.byInstruction);
    expect(names).toEqual([...new Set(ALL.flatMap(({ file }) => file.vectors.map(({ insn }) => insn)))].sort());
    expect(judgement.byInstruction.xrstor64).toEqual({ passed: 1018, partial: 0, failed: 0 });
  });

  it('run on the models that stand for their processors', () => {
    const models = new Map(CAPTURED.map(({ name, model }) => [name.replace('.json.gz', ''), model.id]));
    expect(Object.fromEntries(models)).toMatchObject({
      'silicon-x87': 'zen4-guest',
      'bochs-user': 'bochs-sapphire-rapids',
      'bochs-amd-ffxsr': 'bochs-ryzen',
      'qemu-osfxsr': 'qemu-max',
    });
  });
});

describe('Judge', () => {
  it('runs in slices, knows how far it is, and can be asked in between', () => {
    const runner = new Judge(ALL.slice(0, 1));
    expect(runner.progress).toEqual({ total: 44, done: 0 });
    expect(runner.run(40)).toBe(true);
    expect(runner.judgement()).toMatchObject({ total: 40, passed: 40 });
    expect(runner.run(40)).toBe(false);
    expect(runner.judgement()).toMatchObject({ total: 44, passed: 44 });
    expect(runner.run(40)).toBe(false);
  });

  it('runs only what the filter takes', () => {
    const { total, byInstruction } = judge(ALL, ({ insn }) => insn === 'wrpkru');
    expect(total).toBe(32);
    expect(byInstruction).toEqual({ wrpkru: { passed: 32, partial: 0, failed: 0 } });
  });

  it('tells of a failure which vector of which file it is and where it differs', () => {
    const { name, file } = ALL[0];
    const [vector] = file.vectors;
    const mem: Vector['out']['mem'] = [...vector.out.mem, [16383, '77']];
    const wrong = { ...vector, out: { ...vector.out, mem } };
    const { failed, failures } = judge([{ name, file: { ...file, vectors: [wrong] } }]);
    expect(failed).toBe(1);
    expect(failures).toEqual([
      {
        id: vector.id,
        file: name,
        instruction: vector.insn,
        category: vector.cat,
        asm: vector.asm,
        difference: { component: 'memory', field: 'bytes', byte: 16383, expected: '0x77', found: '0x5a' },
      },
    ]);
  });

  it('calls partial what leaves results open, by its code, whatever instruction it is said to test', () => {
    const { file, model } = CAPTURED[CAPTURED.findIndex(({ name }) => name === 'silicon-x87.json.gz')];
    const vector = file.vectors.find(({ insn, out }) => insn === 'fsqrt' && out.fault === null)!;
    expect(judgeVector(file, vector, model)).toEqual({ verdict: 'partial' });
    expect(judgeVector(file, { ...vector, insn: 'fxsave' }, model)).toEqual({ verdict: 'partial' });
  });
});

describe('a vector with one thing wrong', () => {
  const chosen = samples();

  it('is made of every file and every instruction', () => {
    expect(new Set(chosen.map(({ name }) => name)).size).toBe(CAPTURED.length);
    const covered = new Set(chosen.map(({ name, vector }) => `${name} ${vector.insn}`));
    const missed = CAPTURED.flatMap(({ name, file }) =>
      file.vectors.map(({ insn }) => insn).filter((insn) => !covered.has(`${name} ${insn}`)),
    );
    // Of these no vector of the file passes entirely.
    expect(missed.filter((insn) => !(insn in PARTIAL))).toEqual([]);
    expect(chosen.length).toBeGreaterThan(300);
  });

  /** Judges the mutants of all samples: how many there are, and those of which the verdict is not right. */
  function judgeMutants(
    make: (sample: Sample) => readonly Mutant[],
    isRight: (judged: Judged, mutant: Mutant) => boolean,
  ): { readonly made: number; readonly wrong: readonly object[] } {
    const judged = chosen.flatMap((sample) =>
      make(sample).map((mutant) => ({ mutant, judged: judgeVector(mutant.file, mutant.vector, sample.model) })),
    );
    const wrong = judged.filter((one) => !isRight(one.judged, one.mutant));
    return {
      made: judged.length,
      wrong: wrong.map((one) => ({ id: one.mutant.vector.id, wanted: one.mutant.difference, judged: one.judged })),
    };
  }

  it.each(Object.entries(WRONG))('fails and says where: %s', (_what, make) => {
    const names = ({ verdict, difference }: Judged, { difference: wanted }: Mutant): boolean =>
      verdict === 'failed' &&
      Object.entries(wanted).every(([key, value]) => difference?.[key as keyof Difference] === value);
    const { made, wrong } = judgeMutants(make, names);
    expect(wrong).toEqual([]);
    expect(made).toBeGreaterThan(50);
  });

  it.each(Object.entries(NOT_COMPARED))('passes where the format says not to compare: %s', (_what, make) => {
    const { made, wrong } = judgeMutants(make, ({ verdict }) => verdict === 'passed');
    expect(wrong).toEqual([]);
    expect(made).toBeGreaterThan(20);
  });
});

describe('a data instruction whose result is not modelled', () => {
  const partial = CAPTURED.flatMap(({ file, model }) =>
    file.vectors
      .filter((vector) => judgeVector(file, vector, model).verdict === 'partial')
      .map((vector) => ({ file, model, vector })),
  );

  it('is compared in everything else', () => {
    expect(partial).toHaveLength(47);
    for (const { file, model, vector } of partial) {
      const wrong = (out: Partial<Vector['out']>): string | undefined =>
        judgeVector(file, { ...vector, out: { ...vector.out, ...out } }, model).difference?.component;
      expect(wrong({ mem: [...vector.out.mem, [file.memory.size - 1, '77']] })).toBe('memory');
      expect(wrong({ fault: { vec: 13, name: '#GP', err: '0x0', rip: 0 } })).toBe('fault');
      expect(wrong({ regs: { rsi: '0x77' } })).toBe('registers');
      expect(wrong({ ctl: { cr0: '0x77' } })).toBe('control');
    }
  });

  it('is open in what it writes only', () => {
    const open = partial.map(({ file, model, vector }) => {
      const { components, mxcsr, registers, memory } = runVector(file, vector, model).cpu.state.undetermined;
      const stored = memory.map(({ length }) => `${length} bytes of memory`);
      const number = registers === 0 ? [] : ['general registers'];
      return [
        ...(components ? [xfeaturesName(components)] : []),
        ...(mxcsr ? ['MXCSR'] : []),
        ...number,
        ...stored,
      ].join();
    });
    expect([...new Set(open)].sort()).toEqual([
      '16 bytes of memory',
      'sse',
      'x87',
      'x87+sse,MXCSR',
      'x87,4 bytes of memory',
      'x87,8 bytes of memory',
      'x87,MXCSR',
    ]);
  });
});

describe('any code on any state', () => {
  const RUNS = often(5_000, 20_000);

  it('runs, without an internal error and without an instruction that is not modelled', () => {
    const ends = new Map<string, number>();
    for (let run = 0; run < RUNS; run++) {
      const { file, model } = CAPTURED[run % CAPTURED.length];
      const vector = file.vectors[(run * 7919) % file.vectors.length];
      const states = Object.keys(file.states);
      const state = states[(run * 104_729) % states.length];
      const { execution } = runVector(file, { ...vector, state }, model);
      ends.set(execution.end, (ends.get(execution.end) ?? 0) + 1);
    }
    expect([...ends.keys()].sort()).toEqual(['fault', 'ran-to-end']);
    expect(ends.get('fault')).toBeGreaterThan(RUNS / 10);
    expect(ends.get('ran-to-end')).toBeGreaterThan(RUNS / 2);
  });

  it('gives the same result when it is run again', () => {
    for (const { file, model } of CAPTURED) {
      const [vector] = file.vectors;
      const [first, second] = [runVector(file, vector, model), runVector(file, vector, model)];
      expect(second.cpu.state).toEqual(first.cpu.state);
      expect(first.execution).toEqual(second.execution);
    }
  });
});
