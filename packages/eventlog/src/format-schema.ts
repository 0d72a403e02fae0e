/** The form of a log's lines. Loaded when a log is read: nothing else needs zod, which takes longer to load than many a run. */
import {
  CPUS_MAX,
  FPSTATE_KINDS,
  ORACLES,
  PRINCIPAL,
  cpuModelSchema,
  type FieldKind,
  type OracleId,
  type Space,
} from '@fpulab/core';
import { z } from 'zod';
import { LOG_FORMAT, LOG_OUTCOMES, LOG_VERSION, RETURN_LABEL } from './format';

/** x87 and SSE: no XCR0 is needed for them. */
const LEGACY_COMPONENTS = 0b11;

/** Tasks that values can name as their writer: principals below the kernel's. */
const TASKS_MAX = PRINCIPAL.kernel - 1;
const FRAMES_MAX = 256;
const SLOTS_MAX = 1024;

/** The members of a union as a list; the compiler complains when one is missing or too many. */
function membersOf<T extends string>(members: Readonly<Record<T, true>>): [T, ...T[]] {
  return Object.keys(members) as [T, ...T[]];
}

const SPACES = membersOf<Space>({ machine: true, cpu: true, task: true, fpstate: true });
const FIELD_KINDS = membersOf<FieldKind>({
  flag: true,
  number: true,
  task: true,
  cpu: true,
  value: true,
  pc: true,
  bits: true,
});

const id = z.string().min(1);
const count = z.int().nonnegative();
const ids = z.array(id).readonly();
const oracleIds: readonly OracleId[] = ORACLES;

/** A policy's or platform's slot, as a field of the packed state. */
const slotSchema = z.strictObject({
  name: id,
  space: z.enum(SPACES),
  kind: z.enum(FIELD_KINDS),
  width: z.literal(1),
  initial: z.int32(),
});

const headerShape = z.strictObject({
  kind: z.literal('header'),
  format: z.literal(LOG_FORMAT),
  version: z.literal(LOG_VERSION),
  fpulab: id,
  scenario: id,
  /** Preset that the policies are, or null for a composition without a name. */
  preset: id.nullable(),
  policies: ids,
  platform: id,
  patches: ids,
  /** The full CPU model, as its file has it, so that a model of the user's own can be replayed. */
  cpu: cpuModelSchema.readonly(),
  cpus: z.int().min(1).max(CPUS_MAX),
  /** 64 bits, `0x...`; null when choices did not come from a seed. */
  seed: z
    .string()
    .regex(/^0x(0|[1-9a-f][0-9a-f]{0,15})$/, 'expected a seed like "0x2a"')
    .nullable(),
  /** The replay string that the run was given; null when it was given none. */
  replay: id.nullable(),
  /** Oracles that decide the verdict. Violations of others are exposures. */
  oracles: z.array(z.enum(oracleIds)).readonly(),
  /** Names of all tasks by number, idle tasks last. */
  tasks: ids,
  sizes: z
    .strictObject({
      machine: z.literal(1),
      cpu: z.int().min(1).max(CPUS_MAX),
      task: z.int().min(1).max(TASKS_MAX),
      /** An image per task, and behind those one per CPU for a hypervisor. */
      fpstate: z.int(),
    })
    .readonly(),
  /** Components of the CPU model as XCR0 bits, ascending. */
  componentBits: z.array(z.int().min(0).max(30)).min(1).readonly(),
  stackDepth: z.int().min(1).max(FRAMES_MAX),
  /** True when the memory of every task's image is there from the start. */
  fpstateEmbedded: z.boolean(),
  /** The images that a task can have, in the order in which they lie. */
  fpstateKinds: z.array(z.enum(FPSTATE_KINDS)).min(1).readonly(),
  /** True when tasks have signal handlers: there are fields for them then. */
  signals: z.boolean(),
  /** Components that the kernel enables per task, as a bitmap; where there are some, there are fields for IA32_XFD. */
  dynamicXfeatures: z.int32(),
  /** True when kernel threads borrow address spaces: there is a field for that then. */
  borrowedMm: z.boolean(),
  /** True when tasks trace others: there is a field for them then. */
  ptrace: z.boolean(),
  /** User components that kernel code updates one by one, as a bitmap, where there are some. */
  updated: z.int32().optional(),
  /** True where execve() ends other threads: there is a field for that then. */
  deThreads: z.boolean().optional(),
  /** Where CPUs go down and come up there are fields for that: what CR4, and XCR0 with IA32_XSS, are while a CPU runs. */
  hotplug: z.strictObject({ cr4: z.int32(), xfeatures: z.int32() }).readonly().optional(),
  /** The same where CPUs stay up, but guests of KVM set their XCR0. */
  controls: z.strictObject({ cr4: z.int32(), xfeatures: z.int32() }).readonly().optional(),
  /** Fields of the packed state behind the core's own. */
  slots: z.array(slotSchema.readonly()).max(SLOTS_MAX).readonly(),
  /** A unique label per kernel address. */
  steps: ids,
  /** Text of every operation of each task's program. */
  programs: z.array(ids).readonly(),
  /** Slots that pictures show, by role, as `<plugin>.<slot>`. */
  roles: z
    .strictObject({ owner: id, active: id, used: id, guestTs: id, dirtied: id, cr0Cache: id })
    .partial()
    .readonly(),
});

/** What the parts of a header must agree on. */
const HEADER_RULES: readonly {
  readonly key: keyof z.infer<typeof headerShape>;
  readonly message: string;
  readonly holds: (header: z.infer<typeof headerShape>) => boolean;
}[] = [
  { key: 'cpus', message: 'expected as many CPUs as in sizes', holds: (h) => h.cpus === h.sizes.cpu },
  { key: 'tasks', message: 'expected as many tasks as in sizes', holds: (h) => h.tasks.length === h.sizes.task },
  {
    key: 'sizes',
    message: 'expected an image of each kind per task, and one per CPU',
    holds: ({ sizes, fpstateKinds }) => sizes.fpstate === fpstateKinds.length * sizes.task + sizes.cpu,
  },
  { key: 'programs', message: 'expected one for every task', holds: (h) => h.programs.length === h.sizes.task },
  {
    key: 'roles',
    message: 'expected names of slots',
    holds: (h) => Object.values(h.roles).every((name) => h.slots.some((slot) => slot.name === name)),
  },
  {
    key: 'componentBits',
    message: 'expected ascending bits',
    holds: (h) => h.componentBits.every((bit, index) => index === 0 || bit > h.componentBits[index - 1]),
  },
  {
    key: 'componentBits',
    message: 'expected components of the CPU model',
    holds: ({ componentBits, cpu }) => {
      const all = LEGACY_COMPONENTS | Number(cpu.xcr0) | Number(cpu.xss);
      return componentBits.every((bit) => all & (1 << bit));
    },
  },
  {
    key: 'steps',
    message: `expected unique labels other than "${RETURN_LABEL}"`,
    holds: (h) => new Set([...h.steps, RETURN_LABEL]).size === h.steps.length + 1,
  },
];

/** The first line. */
export const headerSchema = headerShape.superRefine((header, context) => {
  const broken = HEADER_RULES.find((rule) => !rule.holds(header));
  if (broken) context.addIssue({ code: 'custom', path: [broken.key], message: broken.message });
});

/** Every line between header and footer. What `data` may hold follows from the event type: see EventCodec. */
export const eventLineSchema = z.strictObject({
  /** Position in the total order, from 0 without gaps. */
  seq: count,
  /** Virtual time in ns. One event lasts one ns, so this is `seq` as a string. */
  t: z.string(),
  cpu: z.int().optional(),
  /** `cpu/N`, else `task/N`, else `machine`. */
  stream: id,
  /** Position within `stream`, from 0 without gaps. */
  pos: count,
  type: id,
  /** Version of the event type. */
  v: z.literal(1),
  /** Whose code did it. */
  by: id,
  task: z.int().optional(),
  data: z.record(z.string(), z.union([z.number(), z.string()])).readonly(),
  /** The step in whose course it happened; absent for steps themselves. */
  cause: count.optional(),
});

/** The last line. A log without one is truncated. */
export const footerSchema = z.strictObject({
  kind: z.literal('footer'),
  events: count,
  outcome: z.enum(LOG_OUTCOMES),
  verdict: z.enum(['clean', 'violation']).nullable(),
  /** Violations of the deciding oracles. */
  violations: count,
  /** Digest of the final state: 16 hexadecimal digits. */
  digest: z.string().regex(/^[0-9a-f]{16}$/, 'expected 16 hexadecimal digits'),
  /** Over every byte of the file before this value. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits'),
});

/** The first line of a log: what was run, and how its state is laid out. */
export type LogHeader = Readonly<z.infer<typeof headerSchema>>;
/** A line of a log that holds an event. */
export type EventLine = Readonly<z.infer<typeof eventLineSchema>>;
/** The last line of a log: how the run ended. */
export type LogFooter = Readonly<z.infer<typeof footerSchema>>;
