/** AVX state across a signal handler: it is in the extended part of a frame, and not at all in one that has lost its magic numbers. */
import { inLong } from '../../core/test/support/often';
import { found, expectInOrder, judged } from './explored';
import { removing } from './support';

const scenario = 'avx-signal';

it.each([
  ['linux-4.1-eager', 1_941],
  ...inLong<[string, number]>(['linux-4.1', 27_677], ['linux-4.2', 26_910]),
  ['linux-4.8', 1_474],
  ['linux-4.14', 1_474],
  ['linux-5.10', 1_809],
  ['linux-5.15', 1_427],
  ['linux-6.1', 1_427],
  ['linux-6.12', 1_427],
  ['rfc-2016', 1_659],
  ['rfc-2016-eager-pkru', 1_659],
  ['refresh-fpu', 1_039],
])('%s: verified', async (preset, states) => {
  const exploration = await judged({ preset, scenario });
  expect([exploration.verdict, exploration.states]).toEqual(['verified', states]);
  expect(exploration.sometimes.filter(({ reached }) => !reached)).toEqual([]);
});

it.each([
  ['linux-2.6.32', 'lost-update'],
  ['linux-3.6', 'lost-update'],
  ['linux-5.2', 'lost-update'],
] as const)('%s: a frame that faults costs the task its state, F49 and F03', async (preset, oracle) => {
  expect((await found({ preset, scenario, oracles: [oracle] })).oracle).toBe(oracle);
});

it('without INIT for what a frame lacks the task goes on with what its handler had in AVX', async () => {
  const patches = [removing('no-init', 'fpu__restore_sig', 'os_xrstor(init_fpstate)')];
  const { oracle, story } = await found({ preset: 'linux-6.1', scenario, patches, oracles: ['lost-update'] });
  expect(oracle).toBe('lost-update');
  expectInOrder(
    story,
    'A: avx.write',
    'A: raise',
    'A: avx.write',
    'A: frame.fx-only',
    'A: rt_sigreturn',
    'A: avx.read',
  );
});
