/** The ways to update one component that were proposed, side by side for two clients, and what is known of each. */
import { group, step, type Patch, type RoutineNode } from '@fpulab/core';
import { SET_ACCESS } from '../eager-pkru/pkey-access';
import { CLIENTS } from './clients';
import { updateFeature, type UpdateHelper, type UpdateWay } from './helper';

/** Who gives a component to a task. */
export type ClientId = keyof typeof CLIENTS;

/** A way, and what is expected of it. */
export interface NamedWay {
  readonly id: string;
  readonly client: ClientId;
  readonly title: string;
  /** The kernel that it is tried in. */
  readonly preset: string;
  readonly scenario: string;
  /** What brings it into that kernel; null for the way that the kernel has. */
  readonly patch: Patch | null;
  /** Whether no run goes wrong with it. */
  readonly safe: boolean;
}

/** A way of the thread, for whichever client. */
interface Proposal {
  readonly id: string;
  readonly title: string;
  /** Where the title does not hold for PKRU. */
  readonly ofPkru?: string;
  readonly way: UpdateWay;
  /** Clients for which some run goes wrong. */
  readonly unsafe: readonly ClientId[];
}

const THREAD: UpdateHelper = {
  old: 'read',
  xstateBv: 'begin',
  load: 'xrstors',
  init: 'processor',
  invalidates: true,
  writesRegister: false,
  caller: 'changes',
};

const helper = (id: string, title: string, unsafe: readonly ClientId[], differs: Partial<UpdateHelper>): Proposal => ({
  id,
  title,
  way: { ...THREAD, ...differs },
  unsafe,
});

const BOTH: readonly ClientId[] = ['pasid', 'pkru'];

/** In the order of the thread. RD is RDMSR or RDPKRU. */
const PROPOSALS: readonly Proposal[] = [
  {
    id: 'register-or-image',
    title: 'WR if the registers are live, else the image',
    ofPkru: 'WRPKRU, and the image if the registers are not live',
    way: 'register-or-image',
    unsafe: [],
  },
  {
    id: 'lock-and-load',
    title: 'load all if they are not live, then WR (6.6, for shadow stacks)',
    way: 'lock-and-load',
    unsafe: [],
  },
  helper('rd+xrstors', 'update: RD, XRSTORS at once', [], {}),
  helper('rd+xrstors, at finish', 'the same, XSTATE_BV set at finish', [], { xstateBv: 'finish' }),
  helper('xsaves-one+xrstors', 'update: XSAVES of one feature, XRSTORS at once', BOTH, { old: 'xsaves-one' }),
  helper('xsaves-all+xrstors', 'update: XSAVES of all, XRSTORS at once', [], { old: 'xsaves-all' }),
  helper('rd+tif', 'update: RD, TIF left set', BOTH, { load: 'deferred' }),
  helper('xsaves-one+tif', 'update: XSAVES of one feature, TIF left set', BOTH, {
    old: 'xsaves-one',
    load: 'deferred',
  }),
  helper('xsaves-all+tif', 'update: XSAVES of all, TIF left set', [], { old: 'xsaves-all', load: 'deferred' }),
  helper('xsaves-all+tif, at finish', 'the same, XSTATE_BV set at finish', [], {
    old: 'xsaves-all',
    load: 'deferred',
    xstateBv: 'finish',
  }),
  helper('full+xrstors', 'full: nothing is saved, the caller writes all, XRSTORS at once', [], {
    old: 'left',
    caller: 'replaces',
  }),
  helper('full+tif', 'full: nothing is saved, the caller writes all, TIF left set', BOTH, {
    old: 'left',
    caller: 'replaces',
    load: 'deferred',
  }),
  helper('full, a part changes', 'full, and the caller changes a part after all', BOTH, { old: 'left' }),
  helper('no init state', 'update: the slot is left as it is where XSTATE_BV says INIT', BOTH, { init: 'left' }),
  helper('no init state, full', 'the same, and the caller writes all', [], { init: 'left', caller: 'replaces' }),
  helper('no invalidation', 'update: last_cpu stays where TIF is set', ['pasid'], { invalidates: false }),
  helper('xsaves-all+tif, no invalidation', 'XSAVES of all, TIF left set, last_cpu stays', ['pasid'], {
    old: 'xsaves-all',
    load: 'deferred',
    invalidates: false,
  }),
];

const NO_WRPKRU = 'no wrpkru';

/** What only PKRU has: another value than INIT that tasks begin with, and a kernel that looks at the register. */
const FOR_PKRU: readonly Proposal[] = [
  helper('init_pkru_value', 'update: init_pkru_value where XSTATE_BV says INIT', ['pkru'], { init: 'kernel' }),
  helper(NO_WRPKRU, 'update: PKRU comes with the other registers where TIF is set', ['pkru'], {}),
];

/** PKRU is the running task's in the kernel as well, so that every way writes the register unless it says otherwise. */
const forPkru = ({ way, ...proposal }: Proposal): Proposal => ({
  ...proposal,
  way: typeof way === 'string' ? way : { ...way, writesRegister: proposal.id !== NO_WRPKRU },
});

const named =
  (client: ClientId, kernel: Pick<NamedWay, 'preset' | 'scenario'>) =>
  ({ id, title: thread, ofPkru = thread, way, unsafe }: Proposal): NamedWay => {
    const spoken = (text: string): string => {
      const [read, write] = client === 'pasid' ? ['RDMSR', 'WRMSR'] : ['RDPKRU', 'WRPKRU'];
      return text.replace(/\bRD\b/, read).replace(/\bWR\b/, write);
    };
    const title = spoken(client === 'pkru' ? ofPkru : thread);
    const wayId = id.replace(/^rd\b/, client === 'pasid' ? 'rdmsr' : 'rdpkru');
    return {
      id: wayId,
      client,
      title,
      ...kernel,
      patch: patchOf(client, wayId, title, updateFeature(CLIENTS[client], way)),
      safe: !unsafe.includes(client),
    };
  };

const SOURCE = 'hypothetical: LKML, 2021-09-28, in the thread "x86/traps: Demand-populate PASID MSR via #GP"';

function patchOf(client: ClientId, wayId: string, title: string, update: readonly RoutineNode[]): Patch {
  const common = { id: `${client}-update-${wayId.replace(/[^a-z0-9]+/g, '-')}`, source: SOURCE };
  return client === 'pasid'
    ? {
        ...common,
        title: `the thread that binds gets its PASID at once. ${title}`,
        edits: [{ edit: 'append', routine: 'hook:sva-bound', nodes: [bindFillsRegister(update)] }],
      }
    : {
        ...common,
        title: `PKRU changes with a new protection key. ${title}`,
        edits: [{ edit: 'replace', routine: 'hook:pkey-access', step: SET_ACCESS, nodes: [group(SET_ACCESS, update)] }],
      };
}

/** What the kernel would do where a thread binds: from then on that thread does not trap. */
const bindFillsRegister = (update: readonly RoutineNode[]): RoutineNode =>
  group('the binding thread gets its PASID', [
    step('pasid = current->mm->pasid', (k) => k.setLocal(0, k.mmPasid)),
    ...update,
    step('current->pasid_activated = 1', (k) => k.write(k.slotNamed('pasid_activated'), k.task, 1)),
  ]);

const PASID_KERNEL = { preset: 'linux-6.1', scenario: 'enqcmd-update' } as const;
/** The last kernels that have PKRU in an image that is loaded. */
const PKRU_KERNEL = { preset: 'linux-5.10', scenario: 'pkey-update' } as const;

/** All ways, each client's behind what its kernel does. */
export const UPDATE_WAYS: readonly NamedWay[] = [
  {
    id: 'trap-gp',
    client: 'pasid',
    title: 'WRMSR in the #GP handler, interrupts off (merged, 5.18)',
    ...PASID_KERNEL,
    patch: null,
    safe: true,
  },
  ...PROPOSALS.map(named('pasid', PASID_KERNEL)),
  {
    id: 'write-pkru',
    client: 'pkru',
    title: 'RDPKRU; the image, if it has PKRU, and WRPKRU (5.2 to 5.13)',
    ...PKRU_KERNEL,
    patch: null,
    safe: false,
  },
  ...[...PROPOSALS, ...FOR_PKRU].map(forPkru).map(named('pkru', PKRU_KERNEL)),
];

/** The patches that bring them in. */
export const UPDATE_PATCHES: readonly Patch[] = UPDATE_WAYS.flatMap(({ patch }) => (patch === null ? [] : [patch]));
