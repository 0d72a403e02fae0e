/**
 * The rows `ptrace read (stopped)`, `ptrace write` and `core dump (current)` of the table of kernel generations by hooks, cell by cell.
 *
 * `before` states what a cell starts from, `changes` everything that it changes: what `changes` does not name (registers, images, TS,
 * owner, flags) stayed as it was.
 */
import {
  mmx,
  program,
  ptrace,
  sse,
  syscall,
  type Operation,
  type Patch,
  type Regset,
  type TraceRequest,
} from '@fpulab/core';
import { changes } from '@fpulab/core/testing';
import { FPRESTORE_FIXUP, presetOf } from '../src';
import { noFpu, onBareMetal, removing } from './support';

const stop = syscall('ptrace_stop');

/** A, which has done `before`, is stopped; D asks for its registers. */
function traced(
  preset: string,
  request: TraceRequest,
  { regset = 'xstate', before = [sse.write()], ...more }: Partial<Options> = {},
) {
  const [policy] = presetOf(preset).policies();
  return onBareMetal(policy, {
    tasks: {
      A: program(...before, stop, sse.read()),
      D: program(ptrace('A', request, regset), ptrace('A', 'cont')),
    },
    pick: ['A', 'D'],
    ...more,
  });
}

interface Options {
  readonly regset: Regset;
  readonly before: readonly Operation[];
  readonly alloc: readonly string[];
  readonly cpu: string;
  readonly patches: Parameters<typeof onBareMetal>[1]['patches'];
}

const read = (preset: string, options?: Partial<Options>) =>
  traced(preset, 'read', options).when('ptrace-read', { task: 'D' });
const write = (preset: string, request: TraceRequest = 'write', options?: Partial<Options>) =>
  traced(preset, request, options).when('ptrace-write', { task: 'D' });

/** A, which has done `before`, aborts. */
function dumping(preset: string, before: readonly Operation[] = [sse.write()], cpu?: string) {
  const [policy] = presetOf(preset).policies();
  const tasks = { A: program(...before, syscall('abort')), B: noFpu };
  return onBareMetal(policy, { tasks, pick: ['A'], ...(cpu === undefined ? {} : { cpu }) });
}
/** From the question to the end of the task: who asks a register set through another routine has not answered yet. */
function dump(preset: string, ...rest: [before?: readonly Operation[], cpu?: string]) {
  const run = dumping(preset, ...rest);
  const before = run.untilAsked('core-dump', { task: 'A' });
  const from = run.moments.length;
  const after = run.until('A: do_group_exit');
  return { before, after, changes: changes(before, after), moments: run.moments.slice(from) };
}

const ALL_WRITTEN = 'x87=A:2 sse=A:2 avx=A:2';
const LEGACY_WRITTEN = 'x87=A:2 sse=A:2';

describe('ptrace read (stopped), A1: linux-2.6.32', () => {
  it('used_math: nothing; nobody trusts registers that were not loaded', () => {
    const cell = read('linux-2.6.32', { regset: 'fpregs' });
    expect(cell.before).toMatchObject({ 'A.image': 'sse=A:1', 'A.TS_USEDFPU': 0, 'A.PF_USED_MATH': 1 });
    expect(cell.changes).toEqual({});
  });

  it('not used_math: memory is allocated, initialised, PF_USED_MATH set', () => {
    const cell = read('linux-2.6.32', { regset: 'fpregs', before: [] });
    expect(cell.changes).toEqual({ 'A.image': 'none -> INIT', 'A.PF_USED_MATH': '0 -> 1' });
  });

  it('there is no NT_X86_XSTATE', () => {
    const cell = read('linux-2.6.32');
    expect(cell.changes).toEqual({});
    expect(cell.moments[0]).toBe('D: xstateregs_get/return -EIO');
  });
});

describe.each(['linux-3.6', 'linux-4.1'])('ptrace read (stopped), A2 and A3L: %s', (preset) => {
  it('used_math: last_cpu = ~0', () => {
    const cell = read(preset);
    expect(cell.before).toMatchObject({ TS: 1, fpregs: 'sse=A:1', fpu_owner_task: 'A', 'A.image': 'sse=A:1' });
    expect(cell.changes).toEqual({ 'A.last_cpu': 'cpu0 -> none' });
  });

  it('not used_math: memory is allocated, initialised, PF_USED_MATH set', () => {
    const cell = read(preset, { before: [] });
    expect(cell.changes).toEqual({ 'A.image': 'none -> INIT', 'A.PF_USED_MATH': '0 -> 1' });
  });

  it('no memory: -ENOMEM, nothing is shown', () => {
    const run = traced(preset, 'read', { before: [], alloc: ['fail'] });
    const cell = run.when('ptrace-read', { task: 'D' });
    expect(cell.changes).toEqual({});
    expect(cell.moments).toContain('D: xstateregs_get/return -ENOMEM');
  });
});

describe('ptrace read (stopped), A3E: linux-4.1-eager', () => {
  it('last_cpu = ~0', () => {
    expect(read('linux-4.1-eager').changes).toEqual({ 'A.last_cpu': 'cpu0 -> none' });
  });
});

describe.each(['linux-4.2', 'linux-4.2-eager', 'linux-4.8', 'linux-4.14', 'linux-5.10', 'linux-5.15', 'linux-6.1'])(
  'ptrace read (stopped), B to F: %s',
  (preset) => {
    it('memory is current: nothing', () => {
      const cell = read(preset);
      expect(cell.before).toMatchObject({ 'A.image': 'sse=A:1' });
      expect(cell.changes).toEqual({});
    });
  },
);

describe('ptrace read (stopped), BL: linux-4.2', () => {
  it('not fpstate_active: the embedded image is initialised', () => {
    expect(read('linux-4.2', { before: [] }).changes).toEqual({ 'A.fpstate_active': '0 -> 1' });
  });
});

describe('what a tracer reads', () => {
  const shownBy = (regset: Regset): readonly string[] => {
    const run = traced('linux-6.1', 'read', { regset, before: [sse.write(), mmx.write()] });
    const shown: string[] = [];
    run.machine.events$.subscribe(({ type, data }) => {
      if (type === 'fpstate.shown') shown.push(`${data.task} of ${data.target}: ${data.component}=${data.value}`);
    });
    run.when('ptrace-read', { task: 'D' });
    expect(run.violations).toEqual([]);
    return shown;
  };
  const A1 = 0x100001;

  it('FPREGS and XFPREGS are x87 and SSE, NT_X86_XSTATE is all user components', () => {
    const legacy = [`1 of 0: 0=${A1 + 1}`, `1 of 0: 1=${A1}`];
    expect(shownBy('fpregs')).toEqual(legacy);
    expect(shownBy('xfpregs')).toEqual(legacy);
    expect(shownBy('xstate')).toEqual([...legacy, '1 of 0: 2=0']);
  });

  it('a target that is not stopped: ESRCH, the policy is not asked', () => {
    const [policy] = presetOf('linux-6.1').policies();
    const tasks = { A: program(sse.write(), sse.read()), D: program(ptrace('A', 'read')) };
    const run = onBareMetal(policy, { tasks, pick: ['D'] });
    run.finish();
    expect(run.moments).toContain('D: ptrace(A, read xstate)');
    expect(run.moments.join()).not.toContain('copy_regset_to_user');
  });
});

describe('ptrace write', () => {
  it('A1, linux-2.6.32: the image is written', () => {
    expect(write('linux-2.6.32', 'write', { regset: 'fpregs' }).changes).toEqual({
      'A.image': `sse=A:1 -> ${LEGACY_WRITTEN}`,
    });
  });

  it.each([
    'linux-3.6',
    'linux-4.1',
    'linux-4.1-eager',
    'linux-4.2',
    'linux-4.8',
    'linux-4.14',
    'linux-5.10',
    'linux-6.1',
  ])('A2 to F, %s: the image is written and last_cpu is none, so that no registers count as the target’s', (preset) => {
    const cell = write(preset);
    expect(cell.changes).toEqual({ 'A.image': `sse=A:1 -> ${ALL_WRITTEN}`, 'A.last_cpu': 'cpu0 -> none' });
  });

  it('D to F: TIF_NEED_FPU_LOAD is set when the target is switched in, and it loads what was written', () => {
    const run = traced('linux-6.1', 'write');
    expect(run.until('D: copy_uabi_to_xstate')).toMatchObject({ 'A.TIF_NEED_FPU_LOAD': 0, 'A.last_cpu': 'none' });
    expect(run.until('A: set TIF_NEED_FPU_LOAD')).toMatchObject({ 'A.TIF_NEED_FPU_LOAD': 1 });
    expect(run.until('A: sse.read')).toMatchObject({ fpregs: ALL_WRITTEN, 'A.TIF_NEED_FPU_LOAD': 0 });
    expect(run.violations).toEqual([]);
  });

  it('XFPREGS: AVX and the rest of the image stay', () => {
    const cell = write('linux-6.1', 'write', { regset: 'xfpregs' });
    expect(cell.after).toMatchObject({ 'A.image': LEGACY_WRITTEN });
  });
});

describe('ptrace write of an image with a bad header', () => {
  it.each(['write-xcomp-bv', 'write-reserved'] as const)('linux-3.6, %s: the bits are cleared', (request) => {
    const cell = write('linux-3.6', request);
    expect(cell.after).toMatchObject({ 'A.image': ALL_WRITTEN });
    expect(cell.moments).toContain('D: xstateregs_set/these bits must be zero');
  });

  it('linux-4.1: the bytes behind XCOMP_BV are cleared, XCOMP_BV is stored', () => {
    const cleared = 'D: xstateregs_set/these bits must be zero';
    expect(write('linux-4.1', 'write-reserved').moments).toContain(cleared);
    expect(write('linux-4.1', 'write-xcomp-bv').moments).not.toContain(cleared);
    expect(write('linux-4.1', 'write-xcomp-bv').after).toMatchObject({ 'A.image': ALL_WRITTEN });
  });

  it.each(['linux-4.2', 'linux-4.2-eager', 'linux-4.8'])(
    '%s: XCOMP_BV is refused, and the target has INIT; the bytes behind it are cleared',
    (preset) => {
      expect(write(preset, 'write-xcomp-bv').changes).toEqual({
        'A.image': 'sse=A:1 -> INIT',
        'A.last_cpu': 'cpu0 -> none',
      });
      expect(write(preset, 'write-reserved').after).toMatchObject({ 'A.image': ALL_WRITTEN });
    },
  );

  it('linux-4.8 with XSAVES: of the header XSTATE_BV alone is looked at', () => {
    const cell = write('linux-4.8', 'write-xcomp-bv', { cpu: 'skylake-x' });
    expect(cell.moments).toContain('D: xstateregs_set/copyin_to_xsaves');
  });

  it.each(['linux-4.14', 'linux-5.10'])('%s: both are refused, and the target has INIT', (preset) => {
    for (const request of ['write-xcomp-bv', 'write-reserved'] as const) {
      expect(write(preset, request).changes).toEqual({ 'A.image': 'sse=A:1 -> INIT', 'A.last_cpu': 'cpu0 -> none' });
    }
  });

  it.each(['linux-5.15', 'linux-6.1'])('%s: both are refused, and the target keeps what it has', (preset) => {
    for (const request of ['write-xcomp-bv', 'write-reserved'] as const) {
      expect(write(preset, request).changes).toEqual({ 'A.last_cpu': 'cpu0 -> none' });
    }
  });

  it('of a length that is no multiple of 8: the policy is not asked', () => {
    const run = traced('linux-6.1', 'write-truncated');
    run.finish();
    expect(run.moments.join()).not.toContain('copy_regset_from_user');
    expect(run.violations).toEqual([]);
  });
});

describe('an image that XRSTOR refuses', () => {
  /** D stores it, for nobody looks; then A is switched in. */
  const after = (preset: string, patches: Options['patches'] = []) => {
    const run = traced(preset, 'write-xcomp-bv', { patches });
    run.when('ptrace-write', { task: 'D' });
    return run;
  };

  it('linux-3.6: #NM gives the registers up and ends the task', () => {
    const run = after('linux-3.6', [removing('unchecked', 'xstateregs_set', 'these bits must be zero')]);
    expect(run.until('A: stts')).toMatchObject({ TS: 1, fpu_owner_task: 'nobody', 'A.has_fpu': 0 });
    run.until('A: do_exit/exit_thread');
  });

  it('linux-4.1: #NM drops the state and ends the task', () => {
    const run = after('linux-4.1');
    expect(run.until('A: fpu_reset_state/drop_fpu/preempt_enable')).toMatchObject({ TS: 1, 'A.PF_USED_MATH': 0 });
    run.until('A: do_exit/exit_thread');
  });

  it('linux-4.1-eager: the switch loads INIT instead', () => {
    const run = after('linux-4.1-eager');
    expect(run.until('A: restore_init_xstate')).toMatchObject({ fpregs: 'INIT', fpu_owner_task: 'A' });
  });

  it('linux-4.8: the registers stay as they are, and A counts as their owner; with the fix-up they are INIT', () => {
    const unchecked = removing('unchecked', 'xstateregs_set', 'xcomp_bv must be 0');
    const seen = after('linux-4.8', [unchecked]).until('A: copy_fpstate_to_fpregs');
    expect(seen).toMatchObject({ fpu_fpregs_owner_ctx: 'A', fpregs: 'INIT', 'A.image': ALL_WRITTEN });
    const fixed = after('linux-4.8', [unchecked, FPRESTORE_FIXUP]);
    expect(fixed.until('A: copy_kernel_to_fpregs, or init_fpstate')).toMatchObject({ fpregs: 'INIT' });
  });

  it.each(['linux-4.14', 'linux-6.1'])('%s: the fix-up loads INIT', (preset) => {
    const check = preset === 'linux-4.14' ? 'validate_xstate_header' : 'validate_user_xstate_header';
    const withHeader: Patch = {
      id: 'standard',
      title: 'header and all',
      source: 'hypothetical',
      edits: [
        {
          edit: 'insert-after',
          routine: 'xstateregs_set',
          step: check === 'validate_xstate_header' ? 'copy_user_to_xstate' : 'copy_uabi_to_xstate',
          nodes: [{ kind: 'step', name: 'header', run: (k) => k.writeHeader(k.fpstateOf(k.target), 1 + 1) }],
        },
      ],
    };
    const run = after(preset, [withHeader, removing('unchecked', 'xstateregs_set', check)]);
    const step = preset === 'linux-4.14' ? 'copy_kernel_to_fpregs' : 'restore_fpregs_from_fpstate';
    expect(run.until(`A: ${step}`)).toMatchObject({ fpregs: 'INIT' });
  });
});

describe('core dump (current)', () => {
  it('A1, linux-2.6.32: unlazied: saved, stts, TS_USEDFPU = 0', () => {
    expect(dump('linux-2.6.32').changes).toEqual({
      'A.image': 'INIT -> sse=A:1',
      'A.TS_USEDFPU': '1 -> 0',
      TS: '0 -> 1',
    });
  });

  it.each(['linux-3.6', 'linux-4.1'])('A2 and A3L, %s: unlazied: saved, stts, has_fpu = 0, owner = NULL', (preset) => {
    const cell = dump(preset);
    expect(cell.before).toMatchObject({ TS: 0, fpregs: 'sse=A:1' });
    expect(cell.changes).toEqual({
      'A.image': 'INIT -> sse=A:1',
      'A.has_fpu': '1 -> 0',
      fpu_owner_task: 'A -> nobody',
      TS: '0 -> 1',
    });
  });

  it.each(['linux-4.1-eager', 'linux-4.2', 'linux-4.2-eager', 'linux-4.8', 'linux-4.14', 'linux-5.10', 'linux-6.1'])(
    'A3E to F, %s: saved, and the registers are kept',
    (preset) => {
      const cell = dump(preset);
      expect(cell.before).toMatchObject({ fpregs: 'sse=A:1', 'A.image': 'INIT' });
      expect(cell.changes).toEqual({ 'A.image': 'INIT -> sse=A:1' });
    },
  );

  it.each(['linux-5.10', 'linux-6.1'])('D to F, %s: TIF_NEED_FPU_LOAD is set: memory is current', (preset) => {
    const run = dumping(preset, [sse.write(), syscall('kernel_fpu')]);
    run.until('A: kernel_fpu');
    run.until('A: abort');
    const cell = run.when('core-dump', { task: 'A' });
    expect(cell.moments).toContain('A: xstateregs_get/copy_xstate_to_uabi_buf');
    expect(run.violations).toEqual([]);
  });

  it.each(['linux-2.6.32', 'linux-3.6', 'linux-4.1', 'linux-4.2'])(
    '%s, a task without FPU state: there is nothing to dump',
    (preset) => {
      const cell = dump(preset, []);
      expect(cell.changes).toEqual({});
      expect(cell.moments.join()).not.toContain('user_regset_copyout');
    },
  );

  it('BL, linux-4.2, FNSAVE: the registers are gone, so they are given up', () => {
    const cell = dump('linux-4.2', [mmx.write()], 'pentium-mmx');
    expect(cell.changes).toEqual({
      fpregs: 'x87=A:1 -> INIT',
      'A.image': 'INIT -> x87=A:1',
      'A.fpregs_active': '1 -> 0',
      fpu_fpregs_owner_ctx: 'A -> nobody',
      TS: '0 -> 1',
    });
  });

  it('BE, linux-4.2-eager, FNSAVE: they are given up as well, and nobody traps (F45)', () => {
    const cell = dump('linux-4.2-eager', [mmx.write()], 'pentium-mmx');
    expect(cell.changes).toEqual({
      fpregs: 'x87=A:1 -> INIT',
      'A.image': 'INIT -> x87=A:1',
      'A.fpregs_active': '1 -> 0',
      fpu_fpregs_owner_ctx: 'A -> nobody',
    });
  });

  it('C1, linux-4.8, FNSAVE: the registers are loaded again at once', () => {
    expect(dump('linux-4.8', [mmx.write()], 'pentium-mmx').changes).toEqual({ 'A.image': 'INIT -> x87=A:1' });
  });
});
