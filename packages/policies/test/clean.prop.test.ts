/** Random runs of compositions that must be clean, and of those that must not. fast-check prints seed and path. */
import fc from 'fast-check';
import { SCENARIOS, scenarioOf, type BasePolicy, type Scenario } from '@fpulab/core';
import { isSupported } from '@fpulab/core/testing';
import { bareMetal, xenHvm, xenPv } from '@fpulab/hypervisor';
import { GUEST_FIX, eager, lazyCr0Ts } from '../src';
import { often } from '../../core/test/support/often';
import { violatedBy, type Subject } from './runs';

const POLICIES: Readonly<Record<string, () => BasePolicy>> = {
  'linux-3.6': () => lazyCr0Ts({ era: 'linux-3.6' }),
  'linux-4.2': () => lazyCr0Ts({ era: 'linux-4.2' }),
  'linux-4.2 eager': () => eager({ era: 'linux-4.2' }),
  'linux-4.8 eagerfpu=off': () => lazyCr0Ts({ era: 'linux-4.8' }),
  'linux-4.8': () => eager(),
};
const on = (policy: string, platform: Subject['platform']): Subject => ({ policy: POLICIES[policy], platform });

const names = Object.keys(POLICIES);
const except = (...ids: readonly string[]): readonly Scenario[] => SCENARIOS.filter(({ id }) => !ids.includes(id));
/** save_i387_xstate() gives the state up before the rest of the frame is there: F49 of the museum. */
const LOSES_FRAMES = 'linux-3.6';
const FRAMES = [
  'ia32-frames',
  'x32-frames',
  'avx-signal',
  'signals',
  'frame-fails',
  'signal-fault',
  'sigreturn-fault',
  'signal-irq',
  'signals-preempted',
];
/**
 * Up to 5.13 nobody looks whether a frame fits its alternate stack. 4.8 knows nothing of borrowed address spaces under protection keys: kernel threads use whatever PKRU is there. 4.2 and later lose a
 * target's state when they refuse a tracer's image (43be46e89698).
 */
const LATER: readonly string[] = ['altstack', 'protection-keys', 'io-worker', 'ptrace-refused'];
/** Registers are gone after FNSAVE: F45. */
const LOSES_BY_FNSAVE = 'linux-4.2 eager';
const scenariosOf = (name: string): readonly Scenario[] => {
  if (name === LOSES_BY_FNSAVE) return except('x87-only');
  return name === LOSES_FRAMES ? except(...FRAMES) : SCENARIOS;
};
const CLEAN: readonly (readonly [string, Subject, readonly Scenario[]])[] = [
  ...names.map((name) => [`${name} on bare metal`, on(name, bareMetal), scenariosOf(name)] as const),
  ...names.map((name) => [`${name} on xen-hvm`, on(name, xenHvm), scenariosOf(name)] as const),
  ...['linux-4.2', 'linux-4.8'].map((name) => [`${name} on xen-pv`, on(name, () => xenPv()), SCENARIOS] as const),
  [
    'linux-3.6 + guest-fix on xen-pv, but for interrupts',
    { ...on('linux-3.6', () => xenPv()), patches: () => [GUEST_FIX] },
    except('interrupts', ...FRAMES),
  ],
  [
    'linux-4.8 eagerfpu=off on xen-pv, but for interrupts',
    on('linux-4.8 eagerfpu=off', () => xenPv()),
    // Any program is executed: below is what an interrupt does in user_fpu_begin().
    SCENARIOS.filter(({ interference }) => !interference.hardirq && !interference.softirq),
  ],
];

const seeds = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

describe.each(CLEAN)('%s', (_, subject, all) => {
  const { platform, policy } = subject;
  const scenarios = all.filter(
    (scenario) => !LATER.includes(scenario.id) && isSupported({ platform: platform(), policies: [policy()], scenario }),
  );

  it('violates no deciding oracle of any built-in scenario, whatever the seed', () => {
    const scenarioIds = fc.constantFrom(...scenarios.map((scenario) => scenario.id));
    fc.assert(
      fc.property(scenarioIds, seeds, (id, seed) => {
        expect(violatedBy(subject, scenarioOf(id), seed)).toEqual([]);
      }),
      { numRuns: 42 },
    );
  });
});

/** A property that says "clean" of a composition that is not, and what fast-check makes of it. */
const refute = (subject: Subject, scenario: string, options: { seed?: number; path?: string } = {}) =>
  fc.check(
    fc.property(seeds, (seed) => violatedBy(subject, scenarioOf(scenario), seed).length === 0),
    { numRuns: 300, ...options },
  );

describe('linux-3.6 on xen-pv', () => {
  const subject = on('linux-3.6', () => xenPv());

  it("leaks in 'xen-pv-leak' for some seeds, and not for others", () => {
    const runs = Array.from({ length: 200 }, (_, seed) => violatedBy(subject, scenarioOf('xen-pv-leak'), BigInt(seed)));
    expect(runs.some((violated) => violated.includes('leak'))).toBe(true);
    expect(runs.some((violated) => violated.length === 0)).toBe(true);
  });

  it("violates kernel-fpu-clobber in 'interrupts': xen_clts() leaves the CR0 cache stale, irq_fpu_usable() trusts it", () => {
    const runs = Array.from({ length: 50 }, (_, seed) => violatedBy(subject, scenarioOf('interrupts'), BigInt(seed)));
    expect(runs.some((violated) => violated.includes('kernel-fpu-clobber'))).toBe(true);
  });

  it('still does with guest-fix, which is about another window', () => {
    const fixed = { ...subject, patches: () => [GUEST_FIX] };
    const runs = Array.from({ length: 50 }, (_, seed) => violatedBy(fixed, scenarioOf('interrupts'), BigInt(seed)));
    expect(runs.some((violated) => violated.includes('kernel-fpu-clobber'))).toBe(true);
  });

  it('linux-4.2, whose in_kernel_fpu does not ask CR0, does not', () => {
    const later = on('linux-4.2', () => xenPv());
    const runs = Array.from({ length: often(200, 600) }, (_, seed) =>
      violatedBy(later, scenarioOf('interrupts'), BigInt(seed)),
    );
    expect(runs.flat()).toEqual([]);
  });

  it('linux-4.8 with eagerfpu=off does, in the one place without in_kernel_fpu: user_fpu_begin() of execve()', () => {
    const later = on('linux-4.8 eagerfpu=off', () => xenPv());
    const runs = Array.from({ length: 600 }, (_, seed) => violatedBy(later, scenarioOf('interrupts'), BigInt(seed)));
    expect(new Set(runs.flat())).toEqual(new Set(['unexpected-fault']));
  });

  it('a printed seed and path find the same counterexample again, at once', () => {
    const first = refute(subject, 'xen-pv-leak');
    expect(first.failed).toBe(true);
    const again = refute(subject, 'xen-pv-leak', { seed: first.seed, path: first.counterexamplePath as string });
    expect(again.counterexample).toEqual(first.counterexample);
    expect(again.numRuns).toBe(1);
  });
});
