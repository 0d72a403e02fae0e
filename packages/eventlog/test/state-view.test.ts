import { describeState, replayLog, stateLines } from '@fpulab/eventlog';
import { read, record } from './helpers';

describe('a state for people', () => {
  const log = read(record().text);
  const leak = log.events.find(({ type, data }) => type === 'oracle.violated' && data.oracle === 0);
  const view = describeState(replayLog(log, { to: leak?.seq }).state, log.header);

  it('says whose values the registers hold while another task runs', () => {
    expect(view.cpus).toEqual([
      {
        cpu: 0,
        task: 'B',
        cr0: '0x33',
        ts: false,
        fpregs: { x87: 'X#1', sse: 'INIT', avx: 'INIT' },
        vcpuImage: { x87: 'INIT', sse: 'INIT', avx: 'INIT' },
        slots: {
          'lazy-cr0-ts.fpu_owner_task': 'X',
          'lazy-cr0-ts.preload': false,
          'xen-pv.guest_ts': false,
          'xen-pv.fpu_dirtied': true,
          'xen-pv.xen_cr0_value': '0x3b',
          'xen-pv.lazy_cpu_mode': false,
          'xen-pv.queued_fpu_taskswitch': 0,
          'xen-pv.trap_bounce': false,
        },
      },
    ]);
  });

  it('tells where every task is: A asleep in the allocation of its #NM handler, B about to run', () => {
    const [a, b, x, idle] = view.tasks;
    expect(a).toMatchObject({ task: 'A', lifecycle: 'alive', sleeping: true, validity: 'unused', image: null });
    expect(a.stack.map(({ at }) => at)).toEqual([
      'A[0] mmx.write',
      'device_not_available/iret',
      expect.stringMatching(/^math_state_restore/),
      'schedule/__switch_to/switch_fpu_finish',
    ]);
    expect(b.stack).toEqual([{ at: 'B[0] mmx.read', status: 'user' }]);
    expect(x).toMatchObject({
      validity: '2a',
      image: { x87: 'X#1', sse: 'INIT', avx: 'INIT' },
      architectural: { x87: 'X#1', sse: 'INIT', avx: 'INIT' },
      lastRan: 0,
    });
    expect(idle).toMatchObject({ task: 'idle0', validity: 'unused' });
  });

  it('is plain JSON', () => {
    expect(JSON.parse(JSON.stringify(view))).toEqual(view);
  });

  it('is text, too', () => {
    expect(stateLines(view).slice(0, 4)).toEqual([
      'cpu 0: B, CR0 0x33, TS 0',
      '  fpregs  x87=X#1  sse=INIT  avx=INIT',
      '  vcpu    x87=INIT  sse=INIT  avx=INIT',
      expect.stringMatching(/^ {2}slots {3}lazy-cr0-ts\.fpu_owner_task=X /),
    ]);
    expect(stateLines(view)).toContain('task A: alive, asleep, on cpu 0, FPU state unused');
    expect(stateLines(view)).toContain('  stack   B[0] mmx.read (user)');
  });

  it('shows nobody before boot', () => {
    const boot = describeState(replayLog(log, { to: -1 }).state, log.header);
    expect(boot.cpus[0].task).toBeNull();
    expect(boot.tasks[0]).toMatchObject({ lifecycle: 'unborn', lastRan: null, stack: [] });
    expect(boot.tasks[0].slots).toMatchObject({ 'lazy-cr0-ts.last_cpu': null });
    expect(stateLines(boot)).toContain('cpu 0: nobody, CR0 0x3b, TS 1');
  });

  it('leaves out the image of the vCPU where no hypervisor keeps one', () => {
    const bare = read(record({ platform: 'bare-metal', stepsMax: 1 }).text);
    const [cpu] = describeState(replayLog(bare).state, bare.header).cpus;
    expect(cpu).not.toHaveProperty('vcpuImage');
  });
});
