import { readLog, replayLog } from '@fpulab/eventlog';
import { fpulab, temporaryDirectory } from './command';

interface Cost {
  readonly instructions: Readonly<Record<string, number>>;
  readonly stores: number;
}

interface WayDocument {
  readonly id: string;
  readonly verdict: string;
  readonly asExpected: boolean;
  readonly failure: { readonly oracle: string; readonly violation: string; readonly log: string } | null;
  readonly cost: Readonly<Record<'registers' | 'memory' | 'neither', Cost | null>>;
}

jest.setTimeout(120_000);

describe('fpulab reproduce pasid-update', () => {
  const out = temporaryDirectory();
  let ways: readonly WayDocument[];
  const way = (id: string): WayDocument => ways.find((one) => one.id === id) as WayDocument;
  const cost = (id: string, old: keyof WayDocument['cost']): string => {
    const { instructions, stores } = way(id).cost[old] as Cost;
    return [...Object.entries(instructions).map(([name, times]) => `${times}x ${name}`), `${stores} stores`].join(', ');
  };

  beforeAll(async () => {
    const { exitCode, stdout } = await fpulab('reproduce', 'pasid-update', '--json', '--out', out);
    const document = JSON.parse(stdout) as { schema: string; asExpected: boolean; ways: readonly WayDocument[] };
    expect([exitCode, document.schema, document.asExpected]).toEqual([0, 'fpulab/reproduce@1', true]);
    ways = document.ways;
  });

  it('judges every way as expected: ten are safe, eight are not', () => {
    expect(ways.filter(({ verdict }) => verdict === 'verified')).toHaveLength(10);
    expect(ways.filter(({ verdict, failure }) => verdict === 'violation' && failure !== null)).toHaveLength(8);
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

  it('tells the harm, and leaves a log of it that folds', () => {
    expect(way('rdmsr+tif').failure?.violation).toMatch(
      /^lost-update at event \d+: A reads INIT in sse, but wrote A#1/,
    );
    expect(way('no init state').failure?.violation).toMatch(/kernel code changes a part of PASID 1 .* child has INIT/);
    for (const { failure } of ways) {
      if (failure) expect(replayLog(readLog(failure.log))).toMatchObject({ complete: true, verdict: 'violation' });
    }
  });
});
