/** What differs between two states, for people: registers, images, slots, masks, who runs. No bookkeeping. */
import {
  CR0_TS,
  LIFECYCLE,
  componentName,
  contextOf,
  CONTEXT_NAMES,
  statusName,
  type Field,
  type MachineState,
} from '@fpulab/core';
import { valueName, type LogHeader } from '@fpulab/eventlog';

/** Two states of one machine. */
export interface Difference {
  readonly before: Int32Array;
  readonly after: Int32Array;
  /** The CPU that did it: its fields need no name before them. */
  readonly cpu: number;
}

/** Tells differences between states of one machine. */
export class ChangeTeller {
  private readonly slots: readonly Field[];
  private readonly names: readonly string[];

  constructor(
    private readonly state: Pick<MachineState, 'at' | 'layout'>,
    private readonly header: Pick<LogHeader, 'tasks' | 'steps' | 'slots'>,
  ) {
    this.slots = header.slots.map(({ name }) => state.layout.field(name));
    this.names = header.tasks;
  }

  /** `cr0.TS 1>0`, `fpregs.x87 X#1>B#1`, `A.has_fpu 0>1`, ... */
  tell(difference: Difference): readonly string[] {
    const { cpus, tasks } = this.state.at;
    return [
      ...numbers(cpus).flatMap((cpu) => this.cpu(difference, cpu)),
      ...numbers(tasks).flatMap((task) => this.task(difference, task)),
      ...this.slots.flatMap((slot) => numbers(slot.instances).flatMap((each) => this.slot(difference, slot, each))),
    ];
  }

  private cpu(difference: Difference, cpu: number): readonly string[] {
    const { at } = this.state;
    const prefix = this.prefix(difference, cpu);
    const task = (word: number): string => this.names[word] ?? 'none';
    const current = changed(difference, at.current + cpu, task, `${prefix}current`);
    return [
      ...current,
      ...(current.length === 0 ? this.masks(difference, cpu) : []),
      ...changed(difference, at.cr0 + cpu, (word) => (word & CR0_TS ? '1' : '0'), `${prefix}cr0.TS`),
      ...changed(difference, at.cr0 + cpu, (word) => hex(word & ~CR0_TS), `${prefix}cr0`),
      ...this.values(difference, at.fpregs + cpu * at.components, `${prefix}fpregs`),
      ...this.values(difference, at.image + (at.vcpuFpstates + cpu) * at.components, `${prefix}vcpu-image`),
    ];
  }

  /** Context and masks of the frame that runs. */
  private masks({ before, after, cpu: here }: Difference, cpu: number): readonly string[] {
    const prefix = here === cpu ? '' : `cpu${cpu}.`;
    const [old, now] = [before, after].map((words) => this.status(words, cpu));
    if (old === undefined || now === undefined || old === now) return [];
    const off = (status: number): readonly string[] => statusName(status).split(' ').slice(1);
    const [context, contextNow] = [old, now].map((status) => CONTEXT_NAMES[contextOf(status)]);
    const masks = [...new Set([...off(old), ...off(now)])];
    return [
      ...(context === contextNow ? [] : [`${prefix}context ${context}>${contextNow}`]),
      ...masks
        .filter((mask) => off(old).includes(mask) !== off(now).includes(mask))
        .map((mask) => `${prefix}${mask.replace(/-off$/, '')} ${off(now).includes(mask) ? 'on>off' : 'off>on'}`),
    ];
  }

  private status(words: Int32Array, cpu: number): number | undefined {
    const { at } = this.state;
    const task = words[at.current + cpu];
    const depth = words[at.depth + task];
    return task < 0 || !depth ? undefined : words[at.frameStatus + task * at.stackDepth + depth - 1];
  }

  private task(difference: Difference, task: number): readonly string[] {
    const { at } = this.state;
    const name = this.names[task];
    const hasImage = difference.after[at.allocated + task] !== 0;
    return [
      ...changed(difference, at.lifecycle + task, lifecycleName, `${name}.lifecycle`),
      ...changed(difference, at.sleeping + task, String, `${name}.sleeping`),
      ...changed(difference, at.allocated + task, (word) => (word ? 'allocated' : 'none'), `${name}.image`),
      ...(hasImage ? this.values(difference, at.image + task * at.components, `${name}.image`) : []),
    ];
  }

  private values(difference: Difference, base: number, name: string): readonly string[] {
    const { componentBits } = this.state.at;
    return componentBits.flatMap((bit, index) =>
      changed(
        difference,
        base + index,
        (word) => valueName(word, this.names),
        `${name}.${componentName(bit).toLowerCase()}`,
      ),
    );
  }

  private slot(difference: Difference, { name, space, kind, base }: Field, instance: number): readonly string[] {
    const short = name.slice(name.indexOf('.') + 1);
    const prefix =
      space === 'cpu' ? this.prefix(difference, instance) : space === 'task' ? `${this.names[instance]}.` : '';
    return changed(difference, base + instance, (word) => this.word(word, kind), prefix + short);
  }

  private word(word: number, kind: Field['kind']): string {
    switch (kind) {
      case 'task':
        return this.names[word] ?? 'none';
      case 'cpu':
        return word < 0 ? 'none' : `cpu${word}`;
      case 'value':
        return valueName(word, this.names);
      case 'pc':
        return this.header.steps[word] ?? 'none';
      case 'bits':
        return hex(word);
      case 'flag':
      case 'number':
        return String(word);
    }
  }

  private prefix({ cpu: here }: Difference, cpu: number): string {
    return cpu === here ? '' : `cpu${cpu}.`;
  }
}

function numbers(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** `name 0>1` where a word differs in a way that shows. */
function changed({ before, after }: Difference, word: number, show: (word: number) => string, name: string): string[] {
  if (before[word] === after[word]) return [];
  const [old, now] = [show(before[word]), show(after[word])];
  return old === now ? [] : [`${name} ${old}>${now}`];
}

function lifecycleName(word: number): string {
  return Object.entries(LIFECYCLE).find(([, value]) => value === word)?.[0] ?? String(word);
}

function hex(word: number): string {
  return `0x${(word >>> 0).toString(16)}`;
}
