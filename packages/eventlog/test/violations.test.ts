import { ORACLES, step, type Kernel, type Patch } from '@fpulab/core';
import { CLASSIC_GUEST, GUEST_FIX } from '@fpulab/policies';
import { KEEP_BOTH } from '@fpulab/hypervisor';
import { headerOf, violationsOf, type LogHeader, type ViolationReport } from '@fpulab/eventlog';
import { everything, eventsOf, metaOf, read, record, type RunSetup } from './helpers';

function reportOf(setup: RunSetup = {}): ViolationReport & { readonly types: (chain: readonly number[]) => string[] } {
  const { events, header } = read(record(setup).text);
  return { ...violationsOf(events, header), types: (chain) => chain.map((seq) => events[seq].type) };
}

const SHOWS_NOTHING: Patch = {
  id: 'shows-nothing',
  title: 'what a tracer is shown is not what is in the image',
  source: 'hypothetical',
  edits: [
    {
      edit: 'insert-before',
      routine: 'xstateregs_get',
      step: 'copy_xstate_to_uabi_buf',
      nodes: [step('fpstate_init', (k) => k.initFpstate(k.fpstateOf(k.target)))],
    },
  ],
};

it('names the target of a tracer that is shown what its target does not have', () => {
  const { live, machine } = record({
    preset: 'linux-6.1',
    platform: 'bare-metal',
    scenario: 'ptrace',
    patches: [SHOWS_NOTHING],
    oracles: ['lost-update'],
  });
  const [first] = violationsOf(live, headerOf(machine, metaOf({ preset: 'linux-6.1' }))).violations;
  expect(first).toMatchObject({ id: 'lost-update', reader: 'D', task: 'A', value: 'INIT', expected: 'A#1' });
});

describe('violationsOf', () => {
  it('explains the leak of the 2013 thread: B can read what X wrote', () => {
    const { violations, types } = reportOf();
    const [leak, validity, lost] = violations;
    expect(leak).toMatchObject({
      id: 'leak',
      component: 'x87',
      task: 'B',
      reader: 'B',
      writer: 'X',
      value: 'X#1',
      expected: 'INIT',
      at: 'kernel_execve/return to user',
    });
    expect(types(leak.chain)).toEqual(['fpregs.written']);
    expect(validity).toMatchObject({ id: 'validity', task: 'B', at: 'math_state_restore/restore_fpu_checking' });
    expect(types(validity.chain)).toEqual(['fpregs.written', 'fpregs.restored']);
    expect(lost).toMatchObject({ id: 'lost-update', task: 'B', value: 'INIT', expected: 'B#1', at: 'B[3] mmx.read' });
    expect(types(lost.chain).at(-1)).toBe('fpregs.read');
    expect(violations).toHaveLength(3);
  });

  it('keeps violations of oracles that do not decide apart, as exposures', () => {
    const { violations, exposures } = reportOf({ patches: [GUEST_FIX] });
    expect(violations).toEqual([]);
    expect(new Set(exposures.map(({ id }) => id))).toEqual(new Set(['speculative-exposure']));
  });

  it('names violations without a component, without a way', () => {
    const { violations } = reportOf({ patches: [KEEP_BOTH] });
    for (const { component, chain } of violations.filter(({ id }) => id === 'unexpected-fault')) {
      expect(component).toBeNull();
      expect(chain).toEqual([]);
    }
  });

  it('names the kernel step that met an unexpected fault, not the hypervisor that delivers it', () => {
    const { events, header } = read(record({ patches: [CLASSIC_GUEST, KEEP_BOTH] }).text);
    const { violations, exposures } = violationsOf(events, header);
    expect(violations).toEqual([
      {
        id: 'unexpected-fault',
        component: null,
        task: 'X',
        step: events.findIndex(({ type }) => type === 'oracle.violated'),
        at: 'math_state_restore/restore_fpu_checking',
        fault: '#NM',
        writer: 'nobody',
        reader: 'X',
        value: 'INIT',
        expected: 'INIT',
        chain: [],
      },
    ]);
    expect(exposures).toEqual([]);
    const [{ step, at }] = violations;
    const latest = (type: string) => events.filter((event) => event.seq < step && event.type === type).at(-1);
    const trap = latest('trap.raised');
    expect(trap?.data).toMatchObject({ vector: 7, user: 0, at: header.steps.indexOf(at) });
    // Between the fault and its handler the hypervisor ran: the nearest step is one of its own.
    const nearest = latest('kernel.stepped');
    expect(nearest?.by).toBe('xen-pv');
    expect(nearest?.seq).toBeGreaterThan(trap?.seq ?? Infinity);
  });

  it.each([
    ['panic', 'panic', (k: Kernel) => k.killCurrent(), 'do_exit/schedule, never to return'],
    ['stack overflow', 'double fault', (k: Kernel) => k.call('fpu__init_cpu'), 'fpu__init_cpu/again'],
  ] as const)('names the step at which a CPU stops: %s', (id, fault, run, at) => {
    const nodes = [step('again', run)];
    const edits: Patch['edits'] = [{ edit: 'insert-before', routine: 'fpu__init_cpu', step: 'clts at boot', nodes }];
    const patches: readonly Patch[] = [{ id, title: id, source: 'test', edits }];
    const { violations } = reportOf({ preset: 'linux-4.8', platform: 'bare-metal', patches });
    expect(violations).toMatchObject([
      { id: 'unexpected-fault', task: 'idle0', component: null, fault, at, chain: [] },
    ]);
  });

  it('explains every violation of every scenario from the past of its run', () => {
    let explained = 0;
    const combinations = everything();
    for (const preset of ['linux-3.6', 'linux-4.2', 'linux-4.8']) {
      const runnable = combinations.filter(([id, platform]) => id === preset && platform === 'xen-pv');
      for (const [, , scenario] of runnable) {
        const setup = { preset, scenario, seed: 11n, stepsMax: 500 };
        const { machine, live: events } = eventsOf(setup);
        const header: LogHeader = headerOf(machine, metaOf(setup));
        const { violations, exposures } = violationsOf(events, header);
        const all = [...violations, ...exposures];
        expect(all).toHaveLength(events.filter((event) => event.type === 'oracle.violated').length);
        for (const { id, step, chain, at, component } of all) {
          expect(ORACLES[events[step].data.oracle]).toBe(id);
          expect([...chain].sort((a, b) => a - b)).toEqual(chain);
          expect(chain.every((seq) => seq < step)).toBe(true);
          expect(chain.length > 0).toBe(component !== null);
          expect(at).not.toBe('boot');
          explained++;
        }
      }
    }
    expect(explained).toBeGreaterThan(20);
  });
});
