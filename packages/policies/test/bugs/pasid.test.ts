/** A bug of the PASIDs that 5.10 gave by interrupts. */
import { scenarioOf } from '@fpulab/core';
import { bugOf } from '../../src';
import { expectInOrder, judged } from '../explored';
import { broken, expectVerified } from './museum';

it('F16 is verified with its fix', () => expectVerified('F16', 2_506));

describe('F16: pasid-ipi', () => {
  it('the interrupt comes between the load and the flag: the PASID is in the image, and nothing loads it any more', async () => {
    const { oracle, story } = await broken('F16');
    expect(oracle).toBe('stale-msr');
    expectInOrder(
      story,
      'A: fork(T)',
      'A: sva_bind',
      'T: fpregs_lock',
      'T: restore_fpregs_from_fpstate',
      'T: ppasid_state->pasid = pasid_state',
      'T: last_cpu = cpu',
      'T: clear TIF_NEED_FPU_LOAD',
      'T: return to user',
    );
  });

  it('where T never loads its registers with interrupts on, the interrupt does no harm', async () => {
    const { scenario, buggy } = bugOf('F16');
    const base = scenarioOf(scenario);
    const { patches = [], preset } = buggy;
    const { verdict, complete } = await judged({
      preset,
      patches,
      scenario: { ...base, interference: {}, sometimes: [] },
    });
    expect([verdict, complete]).toEqual(['verified', true]);
  });

  it('whoever waits for the other CPU goes on when that has run its function', async () => {
    const { buggy } = bugOf('F16');
    const { sometimes } = await judged({ ...buggy, scenario: { ...scenarioOf('enqcmd-smp'), oracles: [] } });
    expect(sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });
});
