import {
  CPUS_MAX,
  CPU_IDS,
  MOVE_INSTRUCTIONS,
  NOBODY,
  NOTHING,
  POLICY_HOOKS,
  SCENARIOS,
  compose,
  cpuModel,
  fork,
  avx,
  mmx,
  routine,
  scenarioOf,
  slot,
  sse,
  step,
  syscall,
  type ComposeOptions,
  type MachineEvent,
  type ModifierPolicy,
  type Patch,
  type PatchEdit,
  type PolicyHook,
  type Scenario,
} from '@fpulab/core';
import { isSupported } from '@fpulab/core/testing';
import { bareMetal, xenPv } from '@fpulab/hypervisor';
import { eager, lazyCr0Ts } from '@fpulab/policies';
import { fpuErrorOf } from '../support/errors';
import {
  CLEAR_TS,
  answering,
  dataOf,
  eventsOf,
  machineOf,
  platformWith,
  quietPolicy,
  recorded,
  scenarioWith,
  story,
} from '../support/machines';

const scenario = scenarioWith({ tasks: { A: [sse.write()] } });

/** Composes a quiet policy on bare metal, with some options exchanged; must be refused. */
function refusal(options: Partial<ComposeOptions>): { code: string; message: string } {
  const { code, message } = fpuErrorOf(() =>
    compose({ platform: bareMetal(), policies: [quietPolicy()], scenario, ...options }),
  );
  return { code, message };
}

function modifier(...edits: readonly PatchEdit[]): ModifierPolicy {
  return { kind: 'modifier', id: 'my-modifier', title: 't', source: 'test', slots: [], routines: [], edits };
}

function patch(id: string, ...edits: readonly PatchEdit[]): Patch {
  return { id, title: 't', source: 'test', edits };
}

const insertion = (routineName: string, anchor: string): PatchEdit => ({
  edit: 'insert-before',
  routine: routineName,
  step: anchor,
  nodes: [step('inserted', () => {})],
});

describe('compose', () => {
  it('builds a machine of one base policy, a platform and a scenario', () => {
    const machine = compose({ platform: bareMetal(), policies: [lazyCr0Ts({ era: 'linux-3.6' })], scenario });
    expect(machine.taskNames).toEqual(['A', 'idle0']);
    expect(machine.composition.title).toBe('lazy-cr0-ts on bare-metal');
    expect(machine.state.at.cpus).toBe(1);
  });

  it('takes CPU model and number of CPUs from the scenario, unless told otherwise', () => {
    const parts = (): ComposeOptions => ({
      platform: bareMetal(),
      policies: [quietPolicy()],
      scenario: scenarioOf('migration'),
    });
    expect(compose(parts()).taskNames).toEqual(['A', 'B', 'C', 'idle0', 'idle1']);
    expect(compose({ ...parts(), cpus: 1 }).taskNames).toEqual(['A', 'B', 'C', 'idle0']);
    expect(compose(parts()).state.at.componentBits).toEqual([0, 1, 2]);
    expect(compose({ ...parts(), cpu: 'nehalem' }).state.at.componentBits).toEqual([0, 1]);
    const own = { ...cpuModel('nehalem'), id: 'own' };
    expect(compose({ ...parts(), cpu: own }).composition.settings.cpu).toBe(own);
  });

  it('saves the components that the processor has, the platform shows and the kernel knows', () => {
    const bits = (options: Partial<ComposeOptions>): readonly number[] =>
      compose({ platform: bareMetal(), policies: [quietPolicy()], scenario, ...options }).state.at.componentBits;
    expect(bits({ cpu: 'sapphire-rapids' })).toEqual([0, 1, 2, 5, 6, 7, 9, 17, 18]);
    expect(bits({ cpu: 'sapphire-rapids', policies: [eager()] })).toEqual([0, 1, 2, 5, 6, 7, 9]);
    expect(bits({ cpu: 'skylake-x', policies: [eager()] })).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 9]);
    expect(bits({ cpu: 'skylake-x', policies: [lazyCr0Ts({ era: 'linux-3.6' })] })).toEqual([0, 1, 2]);
    expect(bits({ cpu: 'skylake-x', policies: [lazyCr0Ts({ era: 'linux-4.2' })] })).toEqual([0, 1, 2, 5, 6, 7]);
    expect(bits({ cpu: 'skylake-x', policies: [eager()], platform: platformWith({ hides: ['mpx', 'pku'] }) })).toEqual([
      0, 1, 2, 5, 6, 7,
    ]);
    expect(bits({ cpu: 'pentium-mmx', scenario: scenarioWith({ tasks: { A: [mmx.read()] } }) })).toEqual([0]);
    const supervisor = quietPolicy({ xfeatures: 0b11 | (1 << 8) | (1 << 11), xsaves: true });
    expect(bits({ cpu: 'sapphire-rapids', policies: [supervisor] })).toEqual([0, 1, 8, 11]);
  });

  it.each([
    ['linux-3.6', 'skylake-x', [], 'XSAVEOPT', 832],
    ['linux-3.6', 'sandybridge', [], 'XSAVE', 832],
    ['linux-4.2', 'skylake-x', [], 'XSAVEOPT', 2688],
    ['linux-4.8', 'haswell', [], 'XSAVEOPT', 832],
    ['linux-4.8', 'skylake-x', [], 'XSAVES', 2568],
    ['linux-4.8', 'skylake-x', ['xsaves'], 'XSAVEOPT', 2696],
    ['linux-4.8', 'skylake-x', ['xsaves', 'mpx', 'pku'], 'XSAVEOPT', 2688],
  ] as const)('%s on %s without %j saves with %s into %i bytes', (era, cpu, hides, instruction, bytes) => {
    const policies = [era === 'linux-4.8' ? eager() : lazyCr0Ts({ era })];
    const twoTasks = scenarioWith({ tasks: { A: [sse.write(), syscall('nanosleep'), sse.read()], B: [sse.write()] } });
    const machine = compose({ platform: platformWith({ hides }), policies, scenario: twoTasks, cpu });
    const [saved] = dataOf(eventsOf(machine), 'fpregs.saved');
    expect([MOVE_INSTRUCTIONS[saved.instruction], saved.bytes]).toEqual([instruction, bytes]);
  });

  it('Xen saves a vCPU without XSAVES, into the standard format', () => {
    const policies = [eager()];
    const platform = { ...xenPv(), hides: [] };
    const machine = compose({ platform, policies, scenario: scenarioOf('xen-pv-leak'), cpu: 'skylake-x' });
    const used = dataOf(eventsOf(machine), 'fpregs.saved').map(({ fpstate, instruction, bytes }) => [
      fpstate >= machine.state.at.tasks ? 'Xen' : 'Linux',
      MOVE_INSTRUCTIONS[instruction],
      bytes,
    ]);
    expect(used).toContainEqual(['Xen', 'XSAVEOPT', 2696]);
    expect(used.filter(([who, instruction]) => (who === 'Xen') === (instruction === 'XSAVES'))).toEqual([]);
  });

  it('gives each slot of each plugin a place in the state, at its initial value', () => {
    const policy = {
      ...quietPolicy(),
      slots: [slot.cpu('owner', 'task', NOBODY), slot.task('used', 'flag', 1), slot.machine('epoch', 'number', 7)],
    };
    const platform = platformWith({ slots: [slot.cpu('guest_ts', 'flag', 1)] });
    const { state } = compose({ platform, policies: [policy], scenario, cpus: 2 });
    const fields = state.layout.fields.slice(-4);
    expect(fields.map(({ name, instances, initial }) => [name, instances, initial])).toEqual([
      ['quiet.owner', 2, NOBODY],
      ['quiet.used', 3, 1],
      ['quiet.epoch', 1, 7],
      ['bare-metal.guest_ts', 2, 1],
    ]);
    expect([...policy.slots, ...platform.slots].map(({ base }) => base)).toEqual(fields.map(({ base }) => base));
  });

  it('slots are read and written per instance, and every write is an event', () => {
    const count = slot.task('count', 'number');
    const counting = answering({ exec: [step('count', (k) => k.write(count, k.task, k.read(count, k.task) + 1))] });
    const machine = machineOf({
      tasks: { A: [syscall('execve')], B: [] },
      policy: { ...counting, slots: [count] },
    });
    const writes = eventsOf(machine).filter(({ type }) => type === 'slot.written');
    expect(writes.map(({ data }) => [data.slot - count.base, data.value])).toEqual([
      [0, 1],
      [0, 2],
      [1, 1],
    ]);
    const { base } = machine.state.layout.field('quiet.count');
    expect([...machine.state.words.slice(base, base + 3)]).toEqual([2, 1, 0]);
  });

  it('injects every policy without names: two policies arrive as two, the base first', () => {
    const { composition } = compose({
      platform: bareMetal(),
      policies: [modifier(), { ...modifier(), id: 'other' }, answering({})],
      scenario,
    });
    expect(composition.plugins.map(({ id }) => id)).toEqual(['quiet', 'my-modifier', 'other', 'bare-metal']);
    expect(composition.title).toBe('quiet + my-modifier + other on bare-metal');
  });

  it('the built-in scenarios have stable ids', () => {
    expect(SCENARIOS.map(({ id }) => id)).toEqual([
      'xen-pv-leak',
      'preemption',
      'interrupts',
      'fork-exec-exit',
      'migration',
      'vcpu-preemption',
      'signals',
      'signals-preempted',
      'frame-fails',
      'short-frame',
      'x87-only',
      'endless',
      'exec-migration',
      'exit-to-user',
      'fork-irq',
      'signal-fault',
      'sigreturn-fault',
      'signal-irq',
      'ptrace',
      'ptrace-preloaded',
      'ptrace-headers',
      'ptrace-refused',
      'core-dump',
      'protection-keys',
      'pkru-switch',
      'pkru-deferred',
      'kernel-fpu-pkru',
      'io-worker',
      'kernel-threads',
      'ptrace-pkru',
      'pkey-update',
      'amx',
      'amx-life',
      'amx-signal',
      'amx-migration',
      'amx-threads',
      'ptrace-tiles',
      'enqcmd',
      'enqcmd-threads',
      'enqcmd-smp',
      'enqcmd-fork',
      'enqcmd-exec',
      'enqcmd-signal',
      'enqcmd-signal-smp',
      'enqcmd-update',
      'kvm-run',
      'kvm-emulation',
      'kvm-migration',
      'kvm-cr3',
      'kvm-xcr0',
      'kvm-pkru',
      'kvm-pkru-changed',
      'kvm-pkru-without-pke',
      'ia32-frames',
      'ia32-preempted',
      'ia32-irq',
      'x32-frames',
      'frame-unmapped',
      'exec-threads',
      'cpu-hotplug',
      'cpu-hotplug-amx',
      'suspend',
      'suspend-preempted',
      'suspend-pkru',
      'suspend-amx',
      'altstack',
      'avx-signal',
    ]);
  });

  it("'x87-only' runs to its end on a processor without SSE, and reaches what it has to", () => {
    const x87Only = scenarioOf('x87-only');
    const machine = compose({ platform: bareMetal(), policies: [eager()], scenario: x87Only });
    const { cpu, cpus } = machine.composition.settings;
    expect([cpu.id, cpus]).toEqual(['pentium-mmx', 1]);
    const reached = new Set<number>();
    const watched = x87Only.sometimes.map(({ tasks, test }) => {
      const numbers = tasks.map((name) => machine.taskNames.indexOf(name));
      return (event: MachineEvent) => test(event, numbers, machine);
    });
    machine.events$.subscribe((event) => watched.forEach((holds, index) => holds(event) && reached.add(index)));
    const seen = recorded(machine);
    expect(machine.run().outcome).toBe('finished');
    expect(reached.size).toBe(x87Only.sometimes.length);
    expect(new Set(dataOf(seen, 'fpregs.saved').map(({ instruction }) => MOVE_INSTRUCTIONS[instruction]))).toEqual(
      new Set(['FNSAVE']),
    );
    expect(new Set(dataOf(seen, 'fpregs.written').map(({ component }) => component))).toEqual(new Set([0]));
    expect(dataOf(seen, 'oracle.violated')).toEqual([]);
  });

  it('every built-in scenario composes with every policy on every platform, but for protection keys, tiles, ENQCMD and guests', () => {
    const needPkru = [
      'protection-keys',
      'pkru-switch',
      'pkru-deferred',
      'kernel-fpu-pkru',
      'io-worker',
      'ptrace-pkru',
      'suspend-pkru',
    ];
    const needTiles = [
      'amx',
      'amx-life',
      'amx-signal',
      'amx-migration',
      'amx-threads',
      'ptrace-tiles',
      'cpu-hotplug-amx',
      'suspend-amx',
    ];
    const needPasid = [
      'enqcmd',
      'enqcmd-threads',
      'enqcmd-smp',
      'enqcmd-fork',
      'enqcmd-exec',
      'enqcmd-signal',
      'enqcmd-signal-smp',
      'enqcmd-update',
    ];
    const needKvm = [
      'kvm-run',
      'kvm-emulation',
      'kvm-migration',
      'kvm-cr3',
      'kvm-xcr0',
      'kvm-pkru',
      'kvm-pkru-changed',
      'kvm-pkru-without-pke',
    ];
    const inOrder = (ids: readonly string[]): readonly string[] =>
      SCENARIOS.map(({ id }) => id).filter((id) => ids.includes(id));
    const refused = [bareMetal, xenPv].flatMap((platform) =>
      [eager, () => lazyCr0Ts({ era: 'linux-4.2' })].map((policy) => {
        const composes = (each: Scenario): boolean =>
          isSupported({ platform: platform(), policies: [policy()], scenario: each });
        return SCENARIOS.filter((each) => !composes(each)).map(({ id }) => id);
      }),
    );
    const needPkeys = ['pkey-update'];
    const needMore = [...needTiles, ...needPasid, ...needKvm, ...needPkeys];
    expect(refused).toEqual([inOrder(needMore), ...Array(3).fill(inOrder([...needPkru, ...needMore]))]);
  });
});

describe('a modifier', () => {
  const base = (): ReturnType<typeof quietPolicy> =>
    answering({ exec: [step('first', () => {}), step('last', () => {})], 'cpu-up': CLEAR_TS });

  it('adds steps at its anchors, in routines of its base policy; they run there', () => {
    const machine = compose({
      platform: bareMetal(),
      policies: [base(), modifier(insertion('test.exec', 'last'))],
      scenario,
    });
    const lines = story(machine, eventsOf(machine)).filter((line) => line.includes('test.exec/'));
    expect(lines).toEqual(['A test.exec/first', 'A test.exec/inserted', 'A test.exec/last']);
    expect(machine.composition.title).toBe('quiet + my-modifier on bare-metal');
  });

  it('can call routines of its own and has slots of its own', () => {
    const calls = slot.machine('calls', 'number');
    const own: ModifierPolicy = {
      ...modifier({
        edit: 'insert-after',
        routine: 'test.exec',
        step: 'first',
        nodes: [step('call', (k) => k.call('mine'))],
      }),
      slots: [calls],
      routines: [routine('mine', [step('count', (k) => k.write(calls, 0, k.read(calls, 0) + 1))])],
    };
    const machine = compose({ platform: bareMetal(), policies: [base(), own], scenario });
    const seen = eventsOf(machine);
    expect(machine.state.words[calls.base]).toBe(1);
    expect(seen.filter(({ type, by }) => type === 'slot.written' && by === 'my-modifier')).toHaveLength(1);
  });

  it('can be patched like a base policy', () => {
    const machine = compose({
      platform: bareMetal(),
      policies: [base(), modifier(insertion('test.exec', 'last'))],
      patches: [patch('undo', { edit: 'remove', routine: 'test.exec', step: 'inserted' })],
      scenario,
    });
    expect(machine.stepLabels).not.toContain('test.exec/inserted');
    expect(machine.composition.title).toBe('quiet + my-modifier on bare-metal + undo');
  });
});

describe('patches', () => {
  it('change routines of policies and platforms, in order', () => {
    const machine = compose({
      platform: platformWith({ routines: [routine('hv', [step('a', () => {})])] }),
      policies: [answering({ exec: [step('b', () => {})] })],
      patches: [
        patch('one', insertion('hv', 'a')),
        patch('two', { ...insertion('test.exec', 'b') }, { edit: 'remove', routine: 'hv', step: 'inserted' }),
      ],
      scenario,
    });
    const labels = machine.stepLabels.filter((label) => /^(hv|test\.exec)\//.test(label));
    expect(labels).toEqual(['test.exec/inserted', 'test.exec/b', 'hv/a']);
  });

  it('leave the plugin objects as they were', () => {
    const policy = answering({ exec: [step('b', () => {})] });
    compose({
      platform: bareMetal(),
      policies: [policy],
      patches: [patch('p', insertion('test.exec', 'b'))],
      scenario,
    });
    expect(policy.routines[0].body).toHaveLength(1);
  });
});

describe('compose refuses', () => {
  it('FPU101: a CPU model that nobody knows', () => {
    expect(refusal({ cpu: 'z80' })).toEqual({
      code: 'FPU101',
      message: `no CPU model 'z80'; known: ${CPU_IDS.join(', ')}`,
    });
  });

  it('FPU201: two base policies', () => {
    expect(refusal({ policies: [eager(), lazyCr0Ts({ era: 'linux-3.6' })] })).toEqual({
      code: 'FPU201',
      message:
        "'eager FPU switching, Linux 4.6 to 4.9' and 'lazy FPU switching with CR0.TS, Linux 3.6' both own the switch hooks; a composition has one base policy",
    });
  });

  it('FPU202: no policy at all', () => {
    expect(refusal({ policies: [] })).toEqual({
      code: 'FPU202',
      message: 'nobody owns the switch hooks: a composition needs one base policy, found no policy at all',
    });
  });

  it('FPU202: modifiers alone', () => {
    expect(refusal({ policies: [modifier(), { ...modifier(), id: 'other' }] })).toEqual({
      code: 'FPU202',
      message:
        'nobody owns the switch hooks: a composition needs one base policy, found only the modifiers my-modifier, other',
    });
  });

  it.each<PolicyHook>([
    'switch-out',
    'switch-in',
    'trap-nm',
    'irq-fpu-usable',
    'kernel-fpu-begin',
    'kernel-fpu-end',
    'fork',
    'exec',
    'exit',
  ])("FPU202: the hook '%s' that the policy does not own", (hook) => {
    const hooks = Object.fromEntries(Object.entries(quietPolicy().hooks).filter(([owned]) => owned !== hook));
    expect(refusal({ policies: [{ ...quietPolicy(), hooks }] })).toEqual({
      code: 'FPU202',
      message: `the kernel asks its policy at '${hook}', but 'quiet' does not own that hook; name a routine, or 'nothing' to leave it alone`,
    });
  });

  it("but not a policy without 'exit-to-user' and 'cpu-up', which nobody has to own", () => {
    expect(quietPolicy().hooks).not.toHaveProperty('exit-to-user');
    expect(() => compose({ platform: bareMetal(), policies: [quietPolicy()], scenario })).not.toThrow();
  });

  it('FPU203: a modifier whose anchor is absent, with modifier, policy and what is there', () => {
    const policies = [answering({ exec: [step('first', () => {})] }), modifier(insertion('test.exec', 'last'))];
    expect(refusal({ policies })).toEqual({
      code: 'FPU203',
      message:
        "the modifier 'my-modifier' does not fit the policy 'quiet': patch 'my-modifier' needs exactly one 'last' in test.exec, found 0; there: first",
    });
  });

  it('FPU203: a modifier for a routine of another policy', () => {
    const { code, message } = refusal({ policies: [eager(), modifier(insertion('math_state_restore', 'clts'))] });
    expect(code).toBe('FPU203');
    expect(message).toMatch(
      /^the modifier 'my-modifier' does not fit the policy 'eager': patch 'my-modifier' changes the routine 'math_state_restore', which nobody here declares; declared: 'switch_fpu_prepare', /,
    );
  });

  it('FPU203: a patch that does not fit, with patch, policy and platform', () => {
    const { code, message } = refusal({ patches: [patch('my-patch', insertion('absent', 'clts'))] });
    expect(code).toBe('FPU203');
    expect(message).toContain("the patch 'my-patch' does not fit quiet on bare-metal");
  });

  it('FPU204: a program that the CPU cannot run', () => {
    const options = { scenario: scenarioWith({ tasks: { A: [avx.read()] } }), cpu: 'nehalem' };
    expect(refusal(options)).toEqual({
      code: 'FPU204',
      message: "task A of the scenario 'test' needs 'avx', which the CPU model 'nehalem' lacks",
    });
  });

  it('FPU204: a program that the platform hides the feature from', () => {
    const options = {
      scenario: scenarioWith({ tasks: { A: [avx.read()] } }),
      platform: platformWith({ hides: ['avx'] }),
    };
    expect(refusal(options)).toEqual({
      code: 'FPU204',
      message: "task A of the scenario 'test' needs 'avx', which the platform 'bare-metal' hides",
    });
  });

  it('FPU204: a program whose component the kernel does not enable', () => {
    const options = {
      scenario: scenarioWith({ tasks: { A: [avx.read()] } }),
      policies: [quietPolicy({ xfeatures: 0b11 })],
    };
    expect(refusal(options)).toEqual({
      code: 'FPU204',
      message: "task A of the scenario 'test' needs 'avx', which the policy 'quiet' does not enable",
    });
  });

  it('FPU209: components that no kernel can enable', () => {
    expect(refusal({ policies: [quietPolicy({ xfeatures: 0b101 })] })).toEqual({
      code: 'FPU209',
      message: "the policy 'quiet' enables x87+avx, but x87 and SSE are always enabled",
    });
    expect(refusal({ policies: [quietPolicy({ xfeatures: 0b11 | (1 << 11) })] }).message).toBe(
      "the policy 'quiet' enables x87+sse+cet_u, of which it cannot save supervisor state without XSAVES",
    );
  });

  it('FPU209: a hook that the kernel never asks', () => {
    const policy = quietPolicy();
    expect(refusal({ policies: [{ ...policy, hooks: { ...policy.hooks, cpuup: NOTHING } as never }] })).toEqual({
      code: 'FPU209',
      message: `'quiet' answers 'cpuup', which is no hook of a policy; hooks: ${POLICY_HOOKS.join(', ')}`,
    });
  });

  it('FPU204: a policy that needs what the CPU lacks or the platform hides', () => {
    const needy = (): ReturnType<typeof quietPolicy> => quietPolicy({ requires: ['xsaveopt'] });
    expect(refusal({ policies: [needy()], cpu: 'sandybridge' }).message).toBe(
      "'quiet' needs 'xsaveopt', which the CPU model 'sandybridge' lacks",
    );
    expect(refusal({ policies: [needy()], cpu: 'haswell', platform: platformWith({ hides: ['xsaveopt'] }) })).toEqual({
      code: 'FPU204',
      message: "'quiet' needs 'xsaveopt', which the platform 'bare-metal' hides",
    });
    expect(() => compose({ platform: bareMetal(), policies: [needy()], scenario, cpu: 'haswell' })).not.toThrow();
  });

  it('FPU204: a modifier or a platform that needs what the CPU lacks', () => {
    const policies = [quietPolicy(), { ...modifier(), requires: ['avx'] as const }];
    expect(refusal({ policies, cpu: 'nehalem' }).message).toContain("'my-modifier' needs 'avx'");
    const platform = platformWith({ requires: ['avx'] });
    expect(refusal({ platform, cpu: 'nehalem' }).message).toContain("'bare-metal' needs 'avx'");
  });

  it.each([
    ['two modifiers', { policies: [quietPolicy(), modifier(), modifier()] }, 'my-modifier'],
    ['a policy and a platform', { policies: [quietPolicy({ id: 'bare-metal' })] }, 'bare-metal'],
    ['two patches', { patches: [patch('p'), patch('p')] }, 'p'],
    ['a patch and a policy', { patches: [patch('quiet')] }, 'quiet'],
  ])('FPU205: one id for %s', (_, options, id) => {
    expect(refusal(options)).toEqual({ code: 'FPU205', message: `'${id}' is there twice` });
  });

  it('FPU205: a routine of a policy that has the name of a kernel routine', () => {
    expect(refusal({ policies: [quietPolicy({ routines: [routine('schedule', [])] })] })).toEqual({
      code: 'FPU205',
      message: "the routine 'schedule' is declared twice, by kernel and by quiet",
    });
  });

  it('FPU205: one slot name twice in a plugin', () => {
    const slots = [slot.cpu('owner', 'task'), slot.task('owner', 'task')];
    expect(refusal({ policies: [quietPolicy({ slots })] })).toEqual({
      code: 'FPU205',
      message: "the field 'quiet.owner' is declared twice",
    });
  });

  it('FPU206: a policy object of another machine', () => {
    const policy = lazyCr0Ts({ era: 'linux-3.6' });
    compose({ platform: bareMetal(), policies: [policy], scenario });
    expect(refusal({ policies: [policy] })).toEqual({
      code: 'FPU206',
      message: "'lazy-cr0-ts' is part of another machine already; create one plugin object per machine",
    });
  });

  it('FPU206: a platform object of another machine', () => {
    const platform = xenPv();
    compose({ platform, policies: [quietPolicy()], scenario });
    expect(refusal({ platform }).message).toBe(
      "'xen-pv' is part of another machine already; create one plugin object per machine",
    );
  });

  it('FPU206: one slot object in two plugins', () => {
    const shared = slot.cpu('owner', 'task');
    const policies = [quietPolicy({ slots: [shared] }), { ...modifier(), slots: [shared] }];
    expect(refusal({ policies }).code).toBe('FPU206');
  });

  it('a refused composition leaves its plugins as they were: they can be used in another one', () => {
    const [policy, platform] = [lazyCr0Ts({ era: 'linux-3.6' }), xenPv()];
    compose({ platform, policies: [quietPolicy()], scenario });
    expect(refusal({ policies: [policy], platform }).code).toBe('FPU206');
    expect(() => compose({ platform: xenPv(), policies: [policy], scenario })).not.toThrow();

    const clashing = quietPolicy({ slots: [slot.cpu('s', 'flag')], routines: [routine('schedule', [])] });
    expect(refusal({ policies: [clashing] }).code).toBe('FPU205');
    expect(clashing.slots[0].base).toBe(-1);
  });

  it('FPU207: a policy hook that names a routine which nobody declares', () => {
    expect(refusal({ policies: [quietPolicy({ hooks: { 'switch-in': 'typo' } })] })).toEqual({
      code: 'FPU207',
      message: "'quiet' answers 'switch-in' with the routine 'typo', which it does not declare",
    });
  });

  it('FPU207: a platform hook that names a routine which nobody declares', () => {
    expect(refusal({ platform: platformWith({ hooks: { 'nm-raised': 'typo' } }) })).toEqual({
      code: 'FPU207',
      message: "'bare-metal' answers 'nm-raised' with the routine 'typo', which it does not declare",
    });
  });

  it('FPU207: at run time, a step that calls a routine which nobody declares', () => {
    const policy = answering({ exec: [step('call', (k) => k.call('typo'))] });
    const error = fpuErrorOf(() => machineOf({ tasks: { A: [] }, policy }).run());
    expect([error.code, error.message]).toEqual(['FPU207', "nobody declares the routine 'typo'"]);
  });

  it.each([0, -1, 1.5, NaN, CPUS_MAX + 1])('FPU208: %s CPUs', (cpus) => {
    expect(refusal({ cpus })).toEqual({ code: 'FPU208', message: `a machine has 1 to 8 CPUs, found ${cpus}` });
  });

  it('FPU208: two tasks of one name', () => {
    const [task] = scenario.tasks;
    expect(refusal({ scenario: { ...scenario, tasks: [task, task] } })).toEqual({
      code: 'FPU208',
      message: "the scenario 'test' has two tasks called 'A'",
    });
  });

  it('FPU208: more than 64 tasks', () => {
    const crowd = (count: number): ReturnType<typeof scenarioWith> =>
      scenarioWith({ tasks: Object.fromEntries(Array.from({ length: count }, (_, number) => [`T${number}`, []])) });
    expect(refusal({ scenario: crowd(65) })).toEqual({
      code: 'FPU208',
      message: "the scenario 'test' has 65 tasks; a machine has at most 64",
    });
    const machine = compose({ platform: bareMetal(), policies: [quietPolicy()], scenario: crowd(64), cpus: CPUS_MAX });
    expect(machine.taskNames).toHaveLength(64 + CPUS_MAX);
  });

  it.each(['idle', 'idle0', 'idle7', 'idle12'])("FPU208: a task called '%s'", (name) => {
    expect(refusal({ scenario: scenarioWith({ tasks: { A: [], [name]: [] } }) })).toEqual({
      code: 'FPU208',
      message: `the scenario 'test' calls a task '${name}', which is what idle tasks are called`,
    });
  });

  it.each(['idler', 'Idle0', 'my idle0', 'idle0b'])("but not a task called '%s'", (name) => {
    expect(machineOf({ tasks: { [name]: [] } }).taskNames).toEqual([name, 'idle0']);
  });

  it.each([
    ['of no task', { tasks: { A: [fork('C')] } }],
    ['of a task that is born at boot', { tasks: { A: [fork('C')], C: [] } }],
  ])('FPU208: a fork %s', (_, options) => {
    expect(refusal({ scenario: scenarioWith(options) })).toEqual({
      code: 'FPU208',
      message: "task A forks 'C', but the scenario 'test' has no unborn task of that name",
    });
  });

  it('FPU208: a program that does not compile', () => {
    const endless = scenarioWith({ tasks: { A: [{ kind: 'loop', times: Infinity, body: [] }] } });
    expect(refusal({ scenario: endless }).code).toBe('FPU208');
  });

  it('FPU504: a scenario that nobody knows', () => {
    const error = fpuErrorOf(() => scenarioOf('nothing'));
    expect(error.code).toBe('FPU504');
    expect(error.message).toBe(`no scenario 'nothing'; known: ${SCENARIOS.map(({ id }) => id).join(', ')}`);
  });

  it('FPU301 at run time: a schedule that wants a task which is not there', () => {
    const machine = machineOf({ tasks: { A: [mmx.read()], B: [] }, schedule: { pick: ['Z'] } });
    const error = fpuErrorOf(() => machine.run());
    expect(error.code).toBe('FPU301');
    expect(error.message).toBe("the schedule wants 'Z' at pick number 1, but enabled are: A, B");
  });
});
