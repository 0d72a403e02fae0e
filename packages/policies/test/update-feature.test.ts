/** begin_update_one_xsave_feature() and finish_update_one_xsave_feature(): what the thread of September 2021 argues about, for two clients. */
import { scenarioOf, type OracleId, type Scenario } from '@fpulab/core';
import { itInLong } from '../../core/test/support/often';
import { UPDATE_WAYS, WRITE_PKRU_LOCKED, type ClientId, type NamedWay } from '../src';
import { expectInOrder, found, judged, type Question } from './explored';

const wayOf = (client: ClientId, id: string): NamedWay =>
  UPDATE_WAYS.find((way) => way.client === client && way.id === id) as NamedWay;

const question = ({ preset, scenario, patch }: NamedWay): Question => ({
  preset,
  scenario,
  patches: patch === null ? [] : [patch],
});

const named = (ways: readonly NamedWay[]) => ways.map((way) => [`${way.client}: ${way.id}`, way] as const);

describe('every way, preempted anywhere', () => {
  // `fpulab reproduce pasid-update` explores all of them, too, and its test wants the same verdicts.
  itInLong.each(named(UPDATE_WAYS.filter(({ safe }) => safe)))('%s is verified', async (_, way) => {
    const { verdict, complete, sometimes } = await judged(question(way));
    expect([verdict, complete]).toEqual(['verified', true]);
    expect(sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });

  itInLong.each(named(UPDATE_WAYS.filter(({ safe }) => !safe)))('%s is not', async (_, way) => {
    expect((await judged(question(way))).verdict).toBe('violation');
  });

  it('exact states of some', async () => {
    const states = async (client: ClientId, id: string): Promise<number> =>
      (await judged(question(wayOf(client, id)))).states;
    expect(await states('pasid', 'trap-gp')).toBe(9_258);
    expect(await states('pasid', 'rdmsr+xrstors')).toBe(12_033);
    expect(await states('pasid', 'rdmsr+xrstors, at finish')).toBe(12_033); // XSTATE_BV may be set at either
    expect(await states('pkru', 'rdpkru+xrstors')).toBe(17_774);
    expect(await states('pkru', 'rdpkru+xrstors, at finish')).toBe(17_774);
  });

  it('some are safe and some are not, and two for one client alone', () => {
    const safe = (client: ClientId): readonly boolean[] =>
      UPDATE_WAYS.filter((way) => way.client === client).map((way) => way.safe);
    expect(safe('pasid').filter((one) => one)).toHaveLength(10);
    expect(safe('pasid').filter((one) => !one)).toHaveLength(8);
    expect(safe('pkru').filter((one) => one)).toHaveLength(11);
    expect(safe('pkru').filter((one) => !one)).toHaveLength(9);
    const differ = UPDATE_WAYS.filter(
      (way) => way.client === 'pasid' && way.safe !== (wayOf('pkru', way.id) ?? way).safe,
    );
    expect(differ.map(({ id }) => id)).toEqual(['no invalidation', 'xsaves-all+tif, no invalidation']);
  });

  it('have patches that can be told apart', () => {
    const ids = UPDATE_WAYS.flatMap(({ patch }) => patch?.id ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBe(UPDATE_WAYS.length - 2);
  });
});

/** The shortest run to one of these: what it violates, and what happens in it. */
const harm = (client: ClientId, id: string, ...oracles: readonly OracleId[]) =>
  found({ ...question(wayOf(client, id)), oracles });

describe('what goes wrong with a PASID', () => {
  it('TIF left set after RDMSR: the image becomes the state, and it has nothing else of it', async () => {
    const { oracle, story } = await harm('pasid', 'rdmsr+tif', 'lost-update');
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
    const { oracle, story } = await harm('pasid', 'xsaves-one+xrstors', 'stale-msr');
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
    const base = scenarioOf('enqcmd-update');
    const noAvx: Scenario = { ...base, xfeatures: (base.xfeatures ?? 0) & ~(1 << 2) };
    const { verdict, sometimes } = await judged({
      ...question(wayOf('pasid', 'xsaves-one+xrstors')),
      scenario: noAvx,
    });
    expect([verdict, sometimes.every(({ reached }) => reached)]).toEqual(['verified', true]);
  });

  it('last_cpu stays: the registers count as valid, and the image is not loaded', async () => {
    const { oracle, story } = await harm('pasid', 'no invalidation', 'stale-msr');
    expect(oracle).toBe('stale-msr');
    expectInOrder(story, 'A: XSTATE_BV |= xfeature', 'A: *addr: a part changes', 'A: registers are valid', 'A: sysret');
  });

  it("the slot is left as it is: the child starts from its parent's PASID, which XSTATE_BV no longer covers", async () => {
    const { oracle, story } = await harm('pasid', 'no init state', 'lost-update');
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
    const { oracle, story } = await harm('pasid', 'full, a part changes', 'lost-update');
    expect(oracle).toBe('lost-update');
    expectInOrder(story, 'A: dst: XSTATE_BV &= ~XFEATURE_MASK_PASID', 'child: *addr: a part changes');
  });
});

describe('what goes wrong with PKRU', () => {
  it('init_pkru_value where XSTATE_BV says INIT: the task had 0, with which all keys are open', async () => {
    const { oracle, story } = await harm('pkru', 'init_pkru_value', 'lost-update');
    expect(oracle).toBe('lost-update');
    expectInOrder(
      story,
      'A: pkru.initialise',
      'A: save_fpregs_to_fpstate',
      'A: *addr = init_pkru_value (in memory)',
      'A: *addr: a part changes',
    );
  });

  it('the slot is left as it is: it has the PKRU from before, which XSAVES does not overwrite with INIT', async () => {
    const { oracle, story } = await harm('pkru', 'no init state', 'lost-update');
    expect(oracle).toBe('lost-update');
    expectInOrder(story, 'A: pkru.write', 'A: *addr = rdpkru()', 'A: pkru.initialise', 'A: *addr: a part changes');
  });

  it('without WRPKRU the kernel goes on under the old one, until the return to user code', async () => {
    const { oracle, story } = await harm('pkru', 'no wrpkru', 'pkru-mismatch');
    expect(oracle).toBe('pkru-mismatch');
    expectInOrder(story, 'A: *addr: a part changes', 'A: fpregs_unlock', 'A: populate_vma_page_range');
  });

  it('write_pkru() of 5.2 to 5.13 looks before it locks: the image gets PKRU in between, and keeps the old one', async () => {
    const { oracle, story } = await harm('pkru', 'write-pkru', 'pkru-mismatch', 'lost-update');
    expect(oracle).toBe('pkru-mismatch');
    expectInOrder(
      story,
      'A: pk = get_xsave_addr(PKRU)',
      'A: save_fpregs_to_fpstate',
      'A: fpregs_lock',
      'A: __write_pkru(pkru)',
      'A: restore_fpregs_from_fpstate',
      'A: sysret',
    );
    const mended = { ...question(wayOf('pkru', 'write-pkru')), patches: [WRITE_PKRU_LOCKED] };
    expect((await judged(mended)).verdict).toBe('verified');
  });

  itInLong(
    "is safe under interrupts, too, which come while the new value is in the image and not yet the task's",
    async () => {
      const way = wayOf('pkru', 'register-or-image');
      const { verdict } = await judged({ ...question(way), scenario: 'pkey-update.irqs.nest-1' });
      expect(verdict).toBe('verified');
    },
  );

  it('and is well in 5.15, whose tasks have PKRU in a place of its own', async () => {
    const { verdict, sometimes } = await judged({ preset: 'linux-5.15', scenario: 'pkey-update' });
    expect([verdict, sometimes.every(({ reached }) => reached)]).toEqual(['verified', true]);
  });
});
