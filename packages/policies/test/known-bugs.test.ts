/** What presets list as bugs is known, and the kernels without them are what they claim to be. */
import { SCENARIOS } from '@fpulab/core';
import { KNOWN_BUGS, MENDED, POLICY_PATCHES, PRESETS, presetOf, showsIn } from '../src';
import { found, judged } from './explored';

const listed = [...new Set(PRESETS.flatMap(({ bugs }) => bugs.map(({ id }) => id)))].sort();

it('are those that presets list, each once', () => {
  expect(KNOWN_BUGS.map(({ id }) => id).sort()).toEqual(listed);
});

it('name scenarios of the catalogue', () => {
  const ids = SCENARIOS.map(({ id }) => id);
  expect(
    KNOWN_BUGS.flatMap(({ scenarios }) => (scenarios === 'any' ? [] : scenarios)).filter((id) => !ids.includes(id)),
  ).toEqual([]);
});

it('can be mended in every preset that has one', () => {
  const having = PRESETS.filter(({ bugs }) => bugs.length > 0).map(({ id }) => id);
  expect(Object.keys(MENDED).sort()).toEqual([...having].sort());
});

const patchesOf = (ids: readonly string[]) => ids.map((id) => POLICY_PATCHES.filter((patch) => patch.id === id)[0]);

describe.each([
  ['linux-2.6.32', 'frame-fails', 'validity'],
  ['linux-2.6.32', 'core-dump', 'leak'],
  ['linux-3.6', 'frame-fails', 'validity'],
  ['linux-3.6', 'ia32-frames', 'validity'],
  ['linux-4.1-eager', 'ptrace-refused', 'lost-update'],
  ['linux-4.2', 'ptrace-refused', 'validity'],
  ['linux-4.2-eager', 'x87-only', 'lost-update'],
  ['linux-4.2-eager', 'ptrace-refused', 'validity'],
  ['linux-4.8', 'protection-keys', 'pkru-mismatch'],
  ['linux-4.14', 'protection-keys', 'pkru-mismatch'],
  ['linux-4.8', 'kvm-pkru-changed', 'leak'],
  ['linux-4.14', 'kvm-pkru-without-pke', 'leak'],
  ['linux-5.2', 'signal-fault', 'validity'],
  ['linux-5.2', 'pkru-switch', 'pkru-mismatch'],
  ['linux-4.14', 'altstack', 'image-overrun'],
  ['linux-6.1', 'suspend-pkru', 'lost-update'],
  ['linux-6.12', 'suspend-amx', 'stale-msr'],
  ['linux-5.10', 'pkey-update', 'validity'],
  ['rfc-2016', 'io-worker', 'pkru-mismatch'],
])('%s in %s', (id, scenario, oracle) => {
  const known = KNOWN_BUGS.filter((bug) => presetOf(id).bugs.some((own) => own.id === bug.id));

  it(`violates ${oracle}, and a bug that it lists shows there`, async () => {
    expect(await found({ preset: id, scenario })).toMatchObject({ oracle });
    expect(known.filter((bug) => showsIn(bug, scenario)).length).toBeGreaterThan(0);
  });

  it('is verified without its bugs', async () => {
    const { preset, patches } = MENDED[id];
    expect(await judged({ preset, scenario, patches: patchesOf(patches) })).toMatchObject({ verdict: 'verified' });
  });
});
