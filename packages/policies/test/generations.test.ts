/**
 * The table of kernel generations by hooks. A row: which kernels, what the cell starts from (one task's image and flags, the CPU's TS,
 * registers and owner), and all that the answer to the hook changes.
 */
import { POLICY_HOOKS, type PolicyHook } from '@fpulab/core';
import { KERNELS, beforeText, changesText, type KernelName } from './cells';
import { COLUMNS, NO_COLUMN } from './columns';
import { IA32_SIGNALS_ROWS } from './rows/ia32-signals';
import { KERNEL_FPU_ROWS } from './rows/kernel-fpu';
import { LIFE_ROWS } from './rows/life';
import { REGSETS_ROWS } from './rows/regsets';
import { SIGNALS_ROWS } from './rows/signals';
import { SWITCH_ROWS } from './rows/switch';
import { TRAP_ROWS } from './rows/trap';
import { SITUATIONS } from './situations';

const ROWS = {
  ...SWITCH_ROWS,
  ...TRAP_ROWS,
  ...KERNEL_FPU_ROWS,
  ...LIFE_ROWS,
  ...SIGNALS_ROWS,
  ...IA32_SIGNALS_ROWS,
  ...REGSETS_ROWS,
};

describe.each(Object.keys(SITUATIONS))('%s', (name) => {
  const { kernels, run, task = 'A' } = SITUATIONS[name];
  const rows = ROWS[name].flatMap(([names, ...row]) => names.split(', ').map((kernel) => [kernel, ...row] as const));

  it('has a row for every kernel in which it is a cell', () => {
    expect(rows.map(([kernel]) => kernel).sort()).toEqual([...kernels].sort());
  });

  it.each(rows)('%s: %s: %s', (kernel, before, changes) => {
    const cell = run(KERNELS[kernel as KernelName]);
    expect(beforeText(cell.before, task)).toBe(before);
    expect(changesText(cell)).toBe(changes);
  });
});

const ALL = Object.keys(KERNELS) as readonly KernelName[];

const unanswered = Object.entries(COLUMNS).filter(([, column]) => column.unanswered.length > 0);

describe.each(unanswered)('%s: nobody answers', (_, { hooks, unanswered }) => {
  it.each(unanswered)('%s', (kernel) => {
    const policy = KERNELS[kernel]();
    expect(hooks.filter((hook) => policy.hooks[hook] !== undefined)).toEqual([]);
  });
});

describe('the table is complete', () => {
  it.each(Object.entries(COLUMNS))('%s: every kernel has a cell', (_, { kernels, unanswered, none }) => {
    const covered = [...kernels, ...unanswered, ...Object.keys(none)];
    expect(ALL.filter((kernel) => !covered.includes(kernel))).toEqual([]);
    expect(covered.filter((kernel) => !ALL.includes(kernel as KernelName))).toEqual([]);
    expect(Object.keys(none).filter((kernel) => kernels.includes(kernel as KernelName))).toEqual([]);
  });

  it('has a column for every hook, or says where else it is tested', () => {
    const inColumns = new Set(Object.values(COLUMNS).flatMap(({ hooks }) => hooks));
    const elsewhere = Object.keys(NO_COLUMN) as readonly PolicyHook[];
    expect([...inColumns, ...elsewhere].sort()).toEqual([...POLICY_HOOKS].sort());
  });
});
