/** Guests of KVM under every interleaving, and what their verdicts rest on. */
import { judged } from '../explored';

jest.setTimeout(120_000);

describe('verified', () => {
  it.each<[string, string, number]>([
    ['linux-5.10', 'kvm-run', 92292],
    ['linux-6.1', 'kvm-run', 77443],
    ['linux-5.10', 'kvm-emulation', 100355],
    ['linux-6.1', 'kvm-emulation', 84385],
    ['linux-5.10', 'kvm-pkru-without-pke', 25],
    ['linux-6.1', 'kvm-pkru-without-pke', 25],
    ['linux-5.15', 'kvm-pkru', 73239],
  ])('%s, %s: %d states', async (preset, scenario, states) => {
    const result = await judged({ preset, scenario });
    expect([result.verdict, result.states]).toEqual(['verified', states]);
    expect(result.sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });
});
