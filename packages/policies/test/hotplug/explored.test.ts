/** CPUs that go down and come up, and suspend: what is verified, and what history and the sources say is not. */
import { nodeNames } from '@fpulab/core';
import { inLong, itInLong } from '../../../core/test/support/often';
import {
  NATIVE_CPU_UP_OWNER,
  PKRU_SUSPEND,
  PRESETS,
  XEN_CPU_UP_OWNER,
  XFD_RESUME_COPY,
  bugOf,
  presetOf,
} from '../../src';
import { expectInOrder, found, judged, type Question } from '../explored';
import { removing } from '../support';

/** The idle task of the CPU that goes down: CPUs are interchangeable. */
function idleThatDies(story: readonly string[]): string {
  const [idle] = (story.find((moment) => moment.endsWith('/play_dead')) ?? 'nobody: ').split(':');
  return idle;
}

/** Verdict, states of the proof, and what was never reached. */
async function proof(question: Question): Promise<readonly [string, number, readonly string[]]> {
  const { verdict, phases, sometimes } = await judged(question);
  return [verdict, phases[0].states, sometimes.filter(({ reached }) => !reached).map(({ id }) => id)];
}

const lists = (preset: string, patch: { readonly id: string }): boolean =>
  presetOf(preset).bugs.some(({ id }) => id === patch.id);
const thatList = (patch: { readonly id: string }): readonly string[] =>
  PRESETS.filter(({ id }) => lists(id, patch)).map(({ id }) => id);

describe('cpu-hotplug', () => {
  it.each([
    ['linux-6.12', 17213],
    ...inLong<[string, number]>(
      ['linux-4.1-eager', 19618],
      ['linux-3.6', 73851],
      ['linux-4.8', 20880],
      ['linux-4.14', 19651],
    ),
  ])('%s: INIT leaves the registers alone, and FNINIT those of nobody', async (preset, states) => {
    expect(await proof({ preset, scenario: 'cpu-hotplug' })).toEqual(['verified', states, []]);
  });

  it.each(['linux-6.1', ...inLong('linux-4.8')])(
    '%s on bare metal needs native_cpu_up(), for it executes FNINIT',
    async (preset) => {
      const patches = [removing('no-reset', 'native_cpu_up', 'owner of the CPU that comes up = NULL')];
      const { oracle, story } = await found({ preset, scenario: 'cpu-hotplug', patches, oracles: ['lost-update'] });
      expect(oracle).toBe('lost-update');
      const idle = idleThatDies(story);
      expectInOrder(
        story,
        'B: mmx.update',
        `${idle}: play_dead`,
        `${idle}: INIT, SIPI`,
        `${idle}: fninit`,
        'B: mmx.update',
      );
    },
  );

  itInLong.each(['linux-4.1-eager'])(
    '%s on Xen PV: what a vCPU held is kept, and nothing initialises it',
    async (preset) => {
      const [verdict, , unreached] = await proof({ preset, scenario: 'cpu-hotplug', platform: 'xen-pv' });
      expect([verdict, unreached]).toEqual(['verified', []]);
    },
  );

  it.each(['linux-6.1', ...inLong('linux-4.8')])(
    '%s on Xen PV: FNINIT of cpu_bringup() destroys x87 registers whose owner is told that they are its own',
    async (preset) => {
      expect(lists(preset, XEN_CPU_UP_OWNER)).toBe(true);
      const question = { preset, scenario: 'cpu-hotplug', platform: 'xen-pv' };
      const { oracle, story } = await found({ ...question, oracles: ['lost-update'] });
      expect(oracle).toBe('lost-update');
      const idle = idleThatDies(story);
      expectInOrder(
        story,
        'B: mmx.update',
        `${idle}: play_dead`,
        `${idle}: VCPUOP_up`,
        `${idle}: fninit`,
        'B: mmx.update',
      );
      expect(story.filter((moment) => moment.includes('INIT, SIPI'))).toEqual([]);
      expect((await judged({ ...question, patches: [XEN_CPU_UP_OWNER] })).verdict).toBe('verified');
    },
  );

  it('all kernels that execute FNINIT there are listed with that', () => {
    const fninit = PRESETS.filter(({ policies }) =>
      policies()[0].routines.some(({ body }) => {
        const names = nodeNames(body);
        return names.includes('fninit') && !names.some((name) => name.startsWith('owner'));
      }),
    );
    expect(thatList(XEN_CPU_UP_OWNER)).toEqual(fninit.map(({ id }) => id));
  });

  itInLong('linux-6.1 on Xen HVM: native_cpu_up(), and INIT keeps the image of the vCPU', async () => {
    expect(await proof({ preset: 'linux-6.1', scenario: 'cpu-hotplug', platform: 'xen-hvm' })).toEqual([
      'verified',
      37690,
      [],
    ]);
  });
});

describe('cpu-hotplug-amx', () => {
  it.each(['linux-6.1', ...inLong('linux-6.12')])(
    '%s: a CPU comes up with tiles disabled, and knows it',
    async (preset) => {
      expect(await proof({ preset, scenario: 'cpu-hotplug-amx' })).toEqual(['verified', 17527, []]);
    },
  );

  it('fails where the copy of IA32_XFD is not written with it', async () => {
    const patches = [removing('msr-alone', 'fpu__init_cpu, again', 'xfd_state = init_fpstate.xfd')];
    const { oracle } = await found({
      preset: 'linux-6.1',
      scenario: 'cpu-hotplug-amx',
      patches,
      oracles: ['stale-msr'],
    });
    expect(oracle).toBe('stale-msr');
  });
});

describe('suspend', () => {
  it.each([
    ['linux-4.8', 8484],
    ['linux-6.12', 7900],
    ...inLong<[string, number]>(['linux-4.1', 29553], ['linux-4.1-eager', 7511], ['linux-4.14', 7953]),
  ])('%s: what a CPU held is lost, and nobody misses it', async (preset, states) => {
    expect(await proof({ preset, scenario: 'suspend' })).toEqual(['verified', states, []]);
  });

  it('linux-3.6: the owner of a secondary CPU outlives its registers, and is not told to load them', async () => {
    expect(thatList(NATIVE_CPU_UP_OWNER)).toEqual(['linux-3.6']);
    const question = { preset: 'linux-3.6', scenario: 'suspend' };
    const { oracle, story } = await found({ ...question, oracles: ['lost-update'] });
    expect(oracle).toBe('lost-update');
    const idle = idleThatDies(story);
    expectInOrder(
      story,
      'B: avx.update',
      'A: suspend',
      `${idle}: play_dead`,
      'A: suspended to RAM',
      'A: thaw_processes',
      `${idle}: fpu_lazy_restore`,
    );
    expect((await judged({ ...question, patches: [NATIVE_CPU_UP_OWNER] })).verdict).toBe('verified');
  });

  it('linux-6.1 on Xen PV: Xen keeps what its vCPUs held, and the kernel saves nothing', async () => {
    const [verdict, , unreached] = await proof({ preset: 'linux-6.1', scenario: 'suspend', platform: 'xen-pv' });
    expect([verdict, unreached]).toEqual(['verified', []]);
  });

  it('linux-6.1 on Xen HVM: as on bare metal', async () => {
    expect(await proof({ preset: 'linux-6.1', scenario: 'suspend', platform: 'xen-hvm' })).toEqual([
      'verified',
      13392,
      [],
    ]);
  });

  it.each(['linux-6.1', ...inLong('linux-4.1', 'linux-4.14')])(
    '%s: preempted anywhere, with interrupts that use the FPU',
    async (preset) => {
      const { verdict } = await judged({ preset, scenario: 'suspend-preempted' });
      expect(verdict).toBe('verified');
    },
  );
});

describe('suspend-pkru', () => {
  it.each(['linux-4.8', 'linux-4.14', 'linux-5.10'])('%s: PKRU is in the image', async (preset) => {
    expect((await judged({ preset, scenario: 'suspend-pkru' })).verdict).toBe('verified');
  });

  it.each(['linux-5.15', 'linux-6.1', 'linux-6.12'])('%s: PKRU is in no image, and nobody keeps it', async (preset) => {
    expect(lists(preset, PKRU_SUSPEND)).toBe(true);
    const question = { preset, scenario: 'suspend-pkru' };
    const { oracle, choices, story } = await found(question);
    expect([oracle, choices]).toEqual(['lost-update', 12]);
    expectInOrder(story, 'A: pkru.write', 'A: suspend', 'A: suspended to RAM', 'A: pkru.read');
    expect((await judged({ ...question, patches: [PKRU_SUSPEND] })).verdict).toBe('verified');
  });
});

describe('suspend-amx', () => {
  it.each(['linux-6.1', ...inLong('linux-6.12')])(
    '%s: fpu__resume_cpu() writes IA32_XFD and not its copy: whoever ran there before is believed to have what it needs',
    async (preset) => {
      expect(lists(preset, XFD_RESUME_COPY)).toBe(true);
      const question = { preset, scenario: 'suspend-amx' };
      const { oracle, choices, story } = await found(question);
      expect([oracle, choices]).toEqual(['stale-msr', 29]);
      expectInOrder(story, 'A: xfd_state = xfd', 'B: suspended to RAM', 'B: wrmsrl(MSR_IA32_XFD, current->xfd)');
      expect((await judged({ ...question, patches: [XFD_RESUME_COPY] })).verdict).toBe('verified');
    },
  );
});

describe('F39: kfpu-cpu-online', () => {
  it('the microcode loader uses the FPU of a CPU whose CR4 is 0', async () => {
    const { scenario, buggy, property } = bugOf('F39');
    const { oracle, choices, story } = await found({ ...buggy, scenario, oracles: [property] });
    expect([oracle, choices]).toEqual(['unexpected-fault', 58]);
    const idle = idleThatDies(story);
    expectInOrder(
      story,
      `${idle}: play_dead`,
      `${idle}: INIT, SIPI`,
      `${idle}: load_ucode_ap/irq_fpu_usable`,
      `${idle}: load_ucode_ap/kernel_fpu_begin`,
      `${idle}: die`,
    );
  });

  it('the fix refuses it, until the FPU is initialised', async () => {
    const { scenario, fixes } = bugOf('F39');
    const [verdict, , unreached] = await proof({ ...fixes[0], scenario });
    expect([verdict, unreached]).toEqual(['verified', []]);
  });

  it('without the loader there is nothing to fix', async () => {
    expect((await judged({ preset: 'linux-6.12', scenario: 'cpu-hotplug' })).verdict).toBe('verified');
  });
});
