import { BUGS, POLICY_PATCHES, PRESETS } from '../src';

const museum = BUGS.map(({ id }) => id);
const patches = POLICY_PATCHES.map(({ id }) => id);

describe.each(PRESETS.map((preset) => [preset.id, preset] as const))('%s', (_, preset) => {
  it('is made of the policies that it names', () => {
    expect(preset.policies().map(({ id }) => id)).toEqual(preset.parts.map(({ policy }) => policy));
  });

  it('makes policies of its own for every machine', () => {
    const [once] = preset.policies();
    const [again] = preset.policies();
    expect(once.slots.some((slot) => again.slots.includes(slot))).toBe(false);
  });

  it('names patches and bugs that there are', () => {
    expect(preset.patches.filter((id) => !patches.includes(id))).toEqual([]);
    expect(preset.bugs.filter(({ id }) => /^F\d\d$/.test(id) && !museum.includes(id))).toEqual([]);
  });

  it('has the fixes of bugs that there are, and that it has not', () => {
    const { fixed = [], bugs } = preset;
    expect(fixed.filter((id) => !museum.includes(id) || bugs.some((bug) => bug.id === id))).toEqual([]);
  });
});

it('linux-5.2 is the kernel of 5.2 to 5.13 with the bugs that it was released with', () => {
  const preset = PRESETS.find(({ id }) => id === 'linux-5.2');
  expect(preset?.parts[0]).toEqual({ policy: 'load-fpu-deferral', era: 'linux-5.2' });
  expect(preset?.parts.slice(1).map(({ policy }) => policy)).toEqual(['eager-pkru', 'kvm', 'kvm-xcr0']);
  expect(preset?.patches).toEqual(
    expect.arrayContaining(['owner-ctx-cached', 'failed-xrstor-user', 'irq-in-fpregs-lock']),
  );
});
