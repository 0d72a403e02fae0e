import fc from 'fast-check';
import { isFpuError, type ChoiceRequest, type FpuErrorCode, type MachineEvent } from '@fpulab/core';
import { GUEST_FIX, POLICY_PATCHES } from '@fpulab/policies';
import { PLATFORM_PATCHES } from '@fpulab/hypervisor';
import { REPLAY_LENGTH_MAX, decodeReplay, encodeReplay, firstDifference, type ReplaySetup } from '@fpulab/eventlog';
import { everything, eventsOf, faultOf, fpuErrorOf, machineOf, type RunSetup } from './helpers';
import { holds } from './properties';
import { often } from '../../core/test/support/often';

const SETUP: ReplaySetup = {
  scenario: 'xen-pv-leak',
  preset: 'linux-3.6',
  platform: 'xen-pv',
  patches: [],
  cpu: 'sandybridge',
  cpus: 1,
  seed: null,
};

/** Long enough for some runs to finish, in `npm run test:long` most; the others show that a string may end with the step limit. */
const STEPS_MAX = often(150, 400);

/** The run that a string describes. */
function replayed(text: string): readonly MachineEvent[] {
  const { scenario, preset, platform, patches, driver } = decodeReplay(text);
  const known = [...POLICY_PATCHES, ...PLATFORM_PATCHES].filter(({ id }) => patches.includes(id));
  return eventsOf({ scenario, preset, platform, patches: known, choices: driver, stepsMax: STEPS_MAX }).live;
}

function request(kind: number, alternatives: readonly number[], enabled = 1): ChoiceRequest {
  return {
    kind,
    alternatives: Int32Array.from(alternatives),
    count: alternatives.length,
    enabled,
    name: (alternative) => `task${alternative}`,
  };
}

/** Events of choices that took alternative `index` of `count`. */
function choices(list: readonly (readonly [index: number, count: number])[]): readonly MachineEvent[] {
  return list.map(([index, count], seq) => ({
    seq,
    type: 'choice.made',
    by: 'scheduler',
    cause: -1,
    data: { kind: 1, taken: index, index, count, enabled: 1 },
  }));
}

describe('encodeReplay', () => {
  it('writes the reproduction in one word', () => {
    expect(encodeReplay(SETUP, eventsOf().live)).toMatch(
      /^r1\.xen-pv-leak\.linux-3_6~xen-pv\.sandybridge\.1\.-\.[0-9a-z]{2}\.[0-9a-z]{2}$/,
    );
  });

  it('packs five bits per digit, as many per choice as it takes', () => {
    const text = encodeReplay(
      { ...SETUP, seed: 0x2an, patches: ['guest-fix'] },
      choices([
        [1, 2],
        [2, 3],
        [0, 1],
        [5, 8],
      ]),
    );
    // 1, 10, none, 101 and four bits of padding.
    expect(text.split('.').slice(0, -1).join('.')).toBe(
      'r1.xen-pv-leak.linux-3_6~xen-pv~guest-fix.sandybridge.1.0x2a.tg',
    );
  });

  it('writes - where nothing was chosen', () => {
    expect(encodeReplay(SETUP, []).split('.')).toHaveLength(8);
    expect(encodeReplay(SETUP, [])).toMatch(/\.1\.-\.-\.[0-9a-z]{2}$/);
  });

  it.each(['My_Kernel', 'a~b', '', 'straße'])('refuses the id %j', (preset) => {
    expect(faultOf(() => encodeReplay({ ...SETUP, preset }, []))).toBe('FPU303');
  });

  it('writes another string for other choices', () => {
    const stringOf = (seed: bigint): string =>
      encodeReplay(
        { ...SETUP, scenario: 'preemption', seed },
        eventsOf({ scenario: 'preemption', seed, stepsMax: STEPS_MAX }).live,
      );
    expect(stringOf(1n)).not.toBe(stringOf(2n));
  });

  it('knows from which length on a string is no help', () => {
    const lengthOf = (count: number): number =>
      encodeReplay(SETUP, choices(Array.from({ length: count }, () => [7, 8]))).length;
    expect(lengthOf(200)).toBeLessThan(REPLAY_LENGTH_MAX);
    expect(lengthOf(300)).toBeGreaterThan(REPLAY_LENGTH_MAX);
  });
});

describe('decodeReplay', () => {
  it('gives back what was written', () => {
    const setup = { ...SETUP, patches: ['guest-fix', 'real-ts-only'], cpus: 2, seed: 0xffff_ffff_ffff_ffffn };
    const { driver, ...decoded } = decodeReplay(encodeReplay(setup, choices([[1, 2]])));
    expect(decoded).toEqual(setup);
    expect(driver.choose(request(1, [0, 1]))).toBe(1);
    driver.finish?.();
  });

  it.each(everything())('%s on %s, %s: repeats a random run event by event', (preset, platform, scenario) => {
    const { live } = eventsOf({ preset, platform, scenario, seed: 5n, stepsMax: STEPS_MAX });
    const text = encodeReplay({ ...SETUP, preset, platform, scenario }, live);
    expect(firstDifference(live, replayed(text))).toBeUndefined();
  });

  it('keeps any choices', () => {
    const choice = fc.integer({ min: 2, max: 40 }).chain((count) => fc.tuple(fc.nat(count - 1), fc.constant(count)));
    holds(
      fc.property(fc.array(choice), (list) => {
        const { driver } = decodeReplay(encodeReplay(SETUP, choices(list)));
        for (const [index, count] of list) {
          expect(
            driver.choose(
              request(
                1,
                Array.from({ length: count }, (_, i) => i),
              ),
            ),
          ).toBe(index);
        }
        driver.finish?.();
        expect(driver.getPosition()).toBe(list.length);
      }),
    );
  });

  it('never throws anything but FPU303, and reads its own strings with any other digits as FPU302 at worst', () => {
    const good = encodeReplay(SETUP, eventsOf().live);
    holds(
      fc.property(fc.oneof(fc.string(), fc.nat(good.length - 1)), fc.string({ maxLength: 2 }), (textOrPlace, other) => {
        const text =
          typeof textOrPlace === 'string'
            ? textOrPlace
            : good.slice(0, textOrPlace) + other + good.slice(textOrPlace + 1);
        try {
          const { driver } = decodeReplay(text);
          const machine = machineOf({ choices: driver });
          machine.run();
        } catch (error) {
          if (!isFpuError(error)) throw error;
          expect(['FPU302', 'FPU303'] satisfies FpuErrorCode[]).toContain(error.code);
        }
      }),
      300,
    );
  });

  it.each([
    ['nothing', ''],
    ['another version', 'r2.a.b~c.d.1.-.-.00'],
    ['too few parts', 'r1.a.b~c.d.1.-.-'],
    ['too many parts', 'r1.a.b~c.d.1.-.-.00.0'],
    ['no platform', 'r1.a.b.d.1.-.-.00'],
    ['an empty id', 'r1..b~c.d.1.-.-.00'],
    ['an id in capitals', 'r1.A.b~c.d.1.-.-.00'],
    ['no CPUs', 'r1.a.b~c.d.0.-.-.00'],
    ['a seed without 0x', 'r1.a.b~c.d.1.42.-.00'],
    ['a seed of 65 bits', 'r1.a.b~c.d.1.0x10000000000000000.-.00'],
    ['a choice digit that is none', 'r1.a.b~c.d.1.-.u.00'],
    ['no choices', 'r1.a.b~c.d.1.-..00'],
    ['a long check', 'r1.a.b~c.d.1.-.-.000'],
    ['a check digit that is none', 'r1.a.b~c.d.1.-.-.0i'],
  ])('refuses %s (FPU303)', (_what, text) => {
    expect(faultOf(() => decodeReplay(text))).toBe('FPU303');
  });

  it('does not repeat long nonsense in its message', () => {
    expect(fpuErrorOf(() => decodeReplay('x'.repeat(10_000))).message.length).toBeLessThan(400);
  });
});

describe('a replay that no longer fits (FPU302)', () => {
  const driverOf = (list: readonly (readonly [number, number])[]) =>
    decodeReplay(encodeReplay(SETUP, choices(list))).driver;

  it('names the enabled alternatives when the recorded one is not among them', () => {
    const error = fpuErrorOf(() => driverOf([[3, 4]]).choose(request(1, [7, 8, 9])));
    expect(error.code).toBe('FPU302');
    expect(error.detail).toEqual({ choice: 0, kind: 'pick', enabled: ['task7', 'task8', 'task9'] });
    expect(error.message).toContain('enabled are: task7, task8, task9');
  });

  it('stops where the recorded choices end', () => {
    const driver = driverOf([[1, 32]]);
    driver.choose(
      request(
        1,
        Array.from({ length: 32 }, (_, i) => i),
      ),
    );
    const error = fpuErrorOf(() => driver.choose(request(2, [0, 1])));
    expect(error.code).toBe('FPU302');
    expect(error.detail).toMatchObject({ choice: 1, kind: 'alloc' });
  });

  it('notices choices that are left over', () => {
    expect(
      faultOf(() =>
        driverOf([
          [1, 2],
          [1, 2],
        ]).finish?.(),
      ),
    ).toBe('FPU302');
    expect(
      faultOf(() =>
        driverOf([
          [0, 32],
          [0, 2],
        ]).finish?.(),
      ),
    ).toBe('FPU302');
  });

  it('notices that the same choices were made among others', () => {
    const driver = driverOf([[1, 2]]);
    driver.choose(request(1, [0, 1], 2));
    expect(fpuErrorOf(() => driver.finish?.()).detail).toMatchObject({ choices: 1 });
  });

  it('is found when the kernel has been patched since', () => {
    const run: RunSetup = { scenario: 'preemption', seed: 2n, stepsMax: STEPS_MAX };
    const text = encodeReplay({ ...SETUP, scenario: 'preemption' }, eventsOf(run).live);
    const machine = machineOf({ ...run, patches: [GUEST_FIX], choices: decodeReplay(text).driver });
    expect(fpuErrorOf(() => machine.run()).code).toBe('FPU302');
  });

  it('can be put back to any of its choices, as machines are', () => {
    const list = [
      [1, 2],
      [2, 3],
      [4, 5],
      [0, 2],
    ] as const;
    const driver = driverOf(list);
    const ask = (at: number): number =>
      driver.choose(
        request(
          1,
          Array.from({ length: list[at][1] }, (_, i) => i),
        ),
      );
    expect([0, 1, 2, 3].map(ask)).toEqual([1, 2, 4, 0]);
    for (const position of [2, 0, 3, 1, 4]) {
      driver.setPosition(position);
      expect(driver.getPosition()).toBe(position);
      expect(list.slice(position).map((_, offset) => ask(position + offset))).toEqual(
        list.slice(position).map(([i]) => i),
      );
    }
    driver.finish?.();
  });
});
