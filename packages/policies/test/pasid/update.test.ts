/** begin_update_one_xsave_feature() and finish_update_one_xsave_feature(): what the thread of September 2021 argues about. */
import { compose, replayDriver, scenarioOf, type Machine, type OracleId, type Scenario } from '@fpulab/core';
import { explore, type Exploration } from '@fpulab/explorer';
import { bareMetal } from '@fpulab/hypervisor';
import { UPDATE_WAYS, loadFpuDeferral, pasid, type NamedWay } from '../../src';
import { expectInOrder } from '../explored';

jest.setTimeout(60_000);

const base = scenarioOf('enqcmd-update');
const wayOf = (id: string): NamedWay => UPDATE_WAYS.find((way) => way.id === id) as NamedWay;

const composing = ({ way }: NamedWay, scenario: Scenario) => ({
  platform: bareMetal(),
  policies: [loadFpuDeferral({ era: 'linux-5.14' as const }), pasid(way === 'trap-gp' ? {} : { update: way })],
  scenario,
});

const judged = (way: NamedWay, scenario = base): Promise<Exploration> =>
  explore({ compose: () => composing(way, scenario), bounds: { memoryMax: 2 ** 27 } });

describe('every way, preempted anywhere', () => {
  const safe = UPDATE_WAYS.filter((way) => way.safe);
  it.each(safe.map((way) => [way.id, way] as const))('%s is verified', async (_, way) => {
    const { verdict, complete, sometimes } = await judged(way);
    expect([verdict, complete]).toEqual(['verified', true]);
    expect(sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });

  it('exact states of the two that the thread ends with', async () => {
    expect((await judged(wayOf('trap-gp'))).states).toBe(9_258);
    expect((await judged(wayOf('rdmsr+xrstors'))).states).toBe(12_033);
    expect((await judged(wayOf('rdmsr+xrstors, at finish'))).states).toBe(12_033); // XSTATE_BV may be set at either
  });

  const unsafe = UPDATE_WAYS.filter((way) => !way.safe);
  it.each(unsafe.map((way) => [way.id, way] as const))('%s is not', async (_, way) => {
    expect((await judged(way)).verdict).toBe('violation');
  });

  it('some are and some are not', () => {
    expect([safe.length, unsafe.length]).toEqual([10, 8]);
  });
});

/** The shortest run to one of these: what it violates, and steps that were told. */
async function harm(
  id: string,
  ...oracles: readonly OracleId[]
): Promise<{ oracle: OracleId; story: readonly string[] }> {
  const way = wayOf(id);
  const scenario = { ...base, oracles };
  const { counterexamples } = await judged(way, scenario);
  const [{ oracle, choices, steps }] = counterexamples;
  return { oracle, story: told(compose({ ...composing(way, scenario), choices: replayDriver(choices) }), steps) };
}

function told(machine: Machine, steps: number): readonly string[] {
  const story: string[] = [];
  machine.events$.subscribe(({ type, data }) => {
    const name = machine.taskNames[data.task];
    if (type === 'kernel.stepped') story.push(`${name}: ${machine.stepLabels[data.at]}`);
    if (type === 'user.stepped') story.push(`${name}: ${machine.programs[data.task][data.at]}`);
  });
  machine.boot();
  for (let step = 0; step < steps; step++) machine.step();
  return story;
}

describe('what goes wrong', () => {
  it('TIF left set after RDMSR: the image becomes the state, and it has nothing else of it', async () => {
    const { oracle, story } = await harm('rdmsr+tif', 'lost-update');
    expect(oracle).toBe('lost-update');
    expectInOrder(
      story,
      'A: sse.write',
      'A: *addr = rdmsrl(MSR_IA32_PASID)',
      'A: set TIF_NEED_FPU_LOAD',
      'A: restore_fpregs_from_fpstate',
      'A: sse.read',
    );
  });

  it('xsaves(xstate, 1 << xfeature): the caller writes where the feature was, XRSTORS looks where it is now', async () => {
    const { oracle, story } = await harm('xsaves-one+xrstors', 'stale-msr');
    expect(oracle).toBe('stale-msr');
    expectInOrder(
      story,
      'A: xsaves(xstate, 1 << xfeature)',
      'A: *addr: a part changes',
      'A: xrstors(xstate, 1 << xfeature)',
      'A: sysret',
    );
  });

  it('the same is well where the feature is the first behind the header in images of all, too', async () => {
    const noAvx: Scenario = { ...base, xfeatures: (base.xfeatures ?? 0) & ~(1 << 2) };
    const { verdict, sometimes } = await judged(wayOf('xsaves-one+xrstors'), noAvx);
    expect([verdict, sometimes.every(({ reached }) => reached)]).toEqual(['verified', true]);
  });

  it('last_cpu stays: the registers count as valid, and the image is not loaded', async () => {
    const { oracle, story } = await harm('no invalidation', 'stale-msr');
    expect(oracle).toBe('stale-msr');
    expectInOrder(story, 'A: XSTATE_BV |= xfeature', 'A: *addr: a part changes', 'A: registers are valid', 'A: sysret');
  });

  it("the slot is left as it is: the child starts from its parent's PASID, which XSTATE_BV no longer covers", async () => {
    const { oracle, story } = await harm('no init state', 'lost-update');
    expect(oracle).toBe('lost-update');
    expectInOrder(
      story,
      'A: sysret',
      'A: dst: XSTATE_BV &= ~XFEATURE_MASK_PASID',
      'child: set TIF_NEED_FPU_LOAD',
      'child: *addr: a part changes',
    );
  });

  it('full, and a part changes after all: nobody has read the register', async () => {
    const { oracle, story } = await harm('full, a part changes', 'lost-update');
    expect(oracle).toBe('lost-update');
    expectInOrder(story, 'A: dst: XSTATE_BV &= ~XFEATURE_MASK_PASID', 'child: *addr: a part changes');
  });
});
