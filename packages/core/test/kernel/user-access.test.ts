import { DEFAULT_PKRU, kthread, pkru, step, syscall, type BasePolicy } from '@fpulab/core';
import { CLEAR_TS, answering, dataOf, eventsOf, machineOf, story } from '../support/machines';

const PKRU_BIT = 9;
const faulting = { interference: { userFaults: true, allocation: { sleep: true } } } as const;

/** The steps of the routine in which the kernel accesses user memory. */
function accesses(page: readonly string[]): readonly string[] {
  const machine = machineOf({ tasks: { A: [syscall('read')], B: [] }, ...faulting, schedule: { page } });
  return story(machine, eventsOf(machine))
    .filter((line) => /copy_to_user\/|> B|B > A/.test(line))
    .map((line) => line.replace('A copy_to_user/', ''));
}

describe('copy_to_user()', () => {
  it.each([
    ['one access where the page is there', ['there'], ['access user memory']],
    ['again after a fault', ['missing', 'there'], ['access user memory', 'do_user_addr_fault', 'access user memory']],
    [
      'as often as pages are missing',
      ['missing', 'there', 'missing', 'there'],
      ['access user memory', 'do_user_addr_fault', 'access user memory', 'do_user_addr_fault', 'access user memory'],
    ],
    [
      'others run while the page is fetched',
      ['missing', 'sleep'],
      ['access user memory', 'do_user_addr_fault', 'A > B', 'B > A', 'access user memory'],
    ],
    ['-EFAULT where there is no page', ['missing', 'gone'], ['access user memory', 'do_user_addr_fault']],
  ])('%s', (_fact, page, expected) => {
    expect(accesses(page).slice(0, expected.length)).toEqual(expected);
    expect(accesses(page).filter((name) => name.startsWith('access'))).toHaveLength(
      expected.filter((name) => name.startsWith('access')).length,
    );
  });

  it('may sleep where it faults', () => {
    const machine = machineOf({ tasks: { A: [syscall('read')] }, ...faulting, schedule: { page: ['missing'] } });
    expect(dataOf(eventsOf(machine), 'kernel.might-sleep')).toHaveLength(1);
  });
});

describe('the PKRU of an access', () => {
  const zen3 = { compose: { cpu: 'zen3' } } as const;
  const quiet = (overrides: Partial<BasePolicy> = {}): BasePolicy => ({
    ...answering({ 'cpu-up': CLEAR_TS }),
    ...overrides,
  });
  const mismatches = (machine: ReturnType<typeof machineOf>) =>
    dataOf(eventsOf(machine), 'oracle.violated').filter(({ oracle }) => oracle === 7);

  it("is the register's, and should be the task's own", () => {
    const machine = machineOf({ tasks: { A: [pkru.write(), syscall('write')] }, ...zen3 });
    const [access] = dataOf(eventsOf(machine), 'user-memory.accessed');
    expect(access.pkru).not.toBe(0);
    expect(access.expected).toBe(access.pkru);
  });

  it("of a kernel thread should be the kernel's default, where the kernel has one", () => {
    const tasks = { A: [], K: [kthread.useMm('A'), kthread.copyFromUser(), kthread.unuseMm()] };
    const access = (newPkru: 'init' | 'restrictive') =>
      dataOf(
        eventsOf(machineOf({ tasks, kinds: { K: 'kthread' }, policy: quiet({ newPkru }), ...zen3 })),
        'user-memory.accessed',
      );
    expect(access('restrictive')).toEqual([{ cpu: 0, task: 1, pkru: 0, expected: DEFAULT_PKRU }]);
    expect(access('init')).toEqual([{ cpu: 0, task: 1, pkru: 0, expected: 0 }]);
  });

  it('is a mismatch when the kernel accesses user memory under that of another task', () => {
    const tasks = { A: [pkru.write(), syscall('sched_yield')], B: [syscall('read')] };
    const found = mismatches(machineOf({ tasks, ...zen3, schedule: { pick: ['A', 'B'] } }));
    expect(found.map(({ reader, component, expected }) => ({ reader, component, expected }))).toEqual([
      { reader: 1, component: PKRU_BIT, expected: 0 },
    ]);
  });

  it('is a mismatch when user code runs under it, whatever that does', () => {
    const tasks = { A: [pkru.write(), syscall('sched_yield')], B: [syscall('getpid')] };
    expect(mismatches(machineOf({ tasks, ...zen3, schedule: { pick: ['A', 'B'] } }))).toHaveLength(1);
  });

  it("is none of the oracles' business on processors without protection keys", () => {
    const tasks = { A: [syscall('read')], K: [kthread.useMm('A'), kthread.copyToUser(), kthread.unuseMm()] };
    const policy = quiet({ newPkru: 'restrictive' });
    expect(mismatches(machineOf({ tasks, kinds: { K: 'kthread' }, policy }))).toEqual([]);
  });
});

describe('the watch of PKRU in kernel FPU sections', () => {
  const wrpkru = step('wrpkru', (k) => k.writeRegister(PKRU_BIT, DEFAULT_PKRU), { instruction: 'pkru' });
  const culprits = (hook: string) => {
    const machine = machineOf({
      tasks: { A: [syscall('kernel_fpu')] },
      policy: answering({ 'cpu-up': CLEAR_TS, [hook]: [wrpkru] }),
      compose: { cpu: 'zen3' },
    });
    return dataOf(eventsOf(machine), 'kernel.pkru-changed').map(({ at, from, to }) => [
      machine.stepLabels[at],
      from,
      to,
    ]);
  };

  it.each(['kernel-fpu-begin', 'kernel-fpu-section'])('names the step that changes it, in %s', (hook) => {
    expect(culprits(hook)).toEqual([[`test.${hook}/wrpkru`, 0, DEFAULT_PKRU]]);
  });

  it.each(['kernel-fpu-end', 'switch-in', 'exit-to-user'])('says nothing of changes outside, in %s', (hook) => {
    expect(culprits(hook)).toEqual([]);
  });
});
