import { readLog, replayLog } from '@fpulab/eventlog';
import { fpulab, temporaryDirectory } from './command';

interface Cost {
  readonly instructions: Readonly<Record<string, number>>;
  readonly stores: number;
}

interface WayDocument {
  readonly id: string;
  readonly client: 'pasid' | 'pkru';
  readonly verdict: string;
  readonly asExpected: boolean;
  readonly failure: {
    readonly oracle: string;
    readonly violation: string;
    readonly log: string;
    readonly replay: string;
  } | null;
  readonly cost: Readonly<Record<'registers' | 'memory' | 'neither', Cost | null>>;
}

describe('fpulab reproduce pasid-update', () => {
  const out = temporaryDirectory();
  let ways: readonly WayDocument[];
  const way = (id: string, client: WayDocument['client'] = 'pasid'): WayDocument =>
    ways.find((one) => one.client === client && one.id === id) as WayDocument;
  const cost = (id: string, old: keyof WayDocument['cost'], client?: WayDocument['client']): string => {
    const { instructions, stores } = way(id, client).cost[old] as Cost;
    return [...Object.entries(instructions).map(([name, times]) => `${times}x ${name}`), `${stores} stores`].join(', ');
  };

  beforeAll(async () => {
    const { exitCode, stdout } = await fpulab('reproduce', 'pasid-update', '--json', '--out', out);
    const document = JSON.parse(stdout) as { schema: string; asExpected: boolean; ways: readonly WayDocument[] };
    expect([exitCode, document.schema, document.asExpected]).toEqual([0, 'fpulab/reproduce@1', true]);
    ways = document.ways;
  });

  it.each([
    ['pasid', 10, 8],
    ['pkru', 11, 9],
  ] as const)('judges every way of %s as expected: %d are safe, %d are not', (client, safe, unsafe) => {
    const own = ways.filter((one) => one.client === client);
    expect(own.filter(({ verdict }) => verdict === 'verified')).toHaveLength(safe);
    expect(own.filter(({ verdict, failure }) => verdict === 'violation' && failure !== null)).toHaveLength(unsafe);
    expect(ways.filter(({ asExpected }) => !asExpected)).toEqual([]);
  });

  it('counts what each executes while the old state is in live registers', () => {
    expect(cost('trap-gp', 'registers')).toBe('1x WRMSR, 1 stores');
    expect(cost('rdmsr+xrstors', 'registers')).toBe('1x RDMSR, 1x XRSTORS 1, 4 stores');
    expect(cost('xsaves-all+tif', 'registers')).toBe('1x XSAVES 4, 1x XRSTORS 4, 8 stores');
    expect(cost('full+xrstors', 'registers')).toBe('1x XRSTORS 1, 3 stores');
  });

  it('counts a store more where INIT has to be written first, and none of the load that had to come anyway', () => {
    expect(cost('rdmsr+xrstors', 'memory')).toBe('1x XRSTORS 4, 7 stores');
    expect(cost('rdmsr+xrstors', 'neither')).toBe('1x XRSTORS 4, 8 stores');
    expect(cost('no init state, full', 'neither')).toBe('1x XRSTORS 4, 7 stores');
    expect(way('trap-gp').cost.memory).toBeNull();
  });

  it('counts for PKRU, too, which is written where the others are loaded later', () => {
    expect(cost('write-pkru', 'registers', 'pkru')).toBe('1x RDPKRU, 1x WRPKRU, 0 stores');
    expect(cost('write-pkru', 'memory', 'pkru')).toBe('1x RDPKRU, 1x WRPKRU, 1x XRSTORS 4, 4 stores');
    expect(cost('rdpkru+xrstors', 'registers', 'pkru')).toBe('1x RDPKRU, 1x XRSTORS 1, 3 stores');
    expect(cost('rdpkru+xrstors', 'neither', 'pkru')).toBe('1x WRPKRU, 1x XRSTORS 4, 7 stores');
  });

  it('tells the harm, and leaves a log of it that folds', () => {
    expect(way('rdmsr+tif').failure?.violation).toMatch(
      /^lost-update at event \d+: A reads INIT in sse, but wrote A#1/,
    );
    expect(way('no init state').failure?.violation).toMatch(/kernel code changes a part of PASID 1 .* child has INIT/);
    expect(way('init_pkru_value', 'pkru').failure?.violation).toMatch(
      /^lost-update at event \d+: kernel code finds default in pkru of A, which has INIT/,
    );
    for (const { failure } of ways) {
      if (failure) expect(replayLog(readLog(failure.log))).toMatchObject({ complete: true, verdict: 'violation' });
    }
  });

  it('gives each way that fails a line that repeats it', async () => {
    const failed = ways.filter(({ failure }) => failure !== null);
    expect(failed).toHaveLength(17);
    for (const { failure } of failed) {
      const [, text, flags] = /^fpulab replay '(.+?)' (.*)$/.exec(failure?.replay ?? '') ?? [];
      const { exitCode, stdout } = await fpulab('replay', text, ...flags.split(' '), '--json');
      const { violations } = JSON.parse(stdout) as { violations: readonly { id: string }[] };
      expect([exitCode, violations.at(-1)?.id]).toEqual([1, failure?.oracle]);
    }
  });
});
