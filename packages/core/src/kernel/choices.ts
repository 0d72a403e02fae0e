/** All nondeterminism goes through choices, and drivers answer them. */
import { FpuError } from '../error';

/** What can be chosen. The order is part of the log and replay formats. */
export const CHOICE_KINDS = [
  'next',
  'pick',
  'alloc',
  'program',
  'fault',
  'count',
  'work',
  'page',
  'cpu',
  'idle',
] as const;

/** `next`: which CPU acts and whether something intervenes; `pick`: which task runs next; `alloc`: how an allocation ends; `program`: which way a program goes; `fault`: which components an XRSTOR had loaded when it faulted; `count`: whether an abstract counter passes its threshold; `work`: what there is to do before the return to user code; `page`: whether user memory is there; `cpu`: which CPU goes down or comes up; `idle`: how deep a CPU idles. */
export type ChoiceKind = (typeof CHOICE_KINDS)[number];

/** Index of each kind in CHOICE_KINDS. */
export const CHOICE: Readonly<Record<ChoiceKind, number>> = {
  next: 0,
  pick: 1,
  alloc: 2,
  program: 3,
  fault: 4,
  count: 5,
  work: 6,
  page: 7,
  cpu: 8,
  idle: 9,
};

/** How an allocation that may sleep ends: values of the choice `alloc`. */
export const ALLOC = { ok: 0, sleep: 1, fail: 2 } as const;

/** What there is to do before the return to user code: bits of the answers to the choice `work`. */
export const WORK = { none: 0, resched: 1, signal: 2 } as const;

/** What an access to user memory finds: answers to the choice `page`. `sleep`: it has to wait for the page; `gone`: SIGSEGV. */
export const PAGE = { there: 0, missing: 1, sleep: 2, gone: 3 } as const;

/** How deep a CPU idles: answers to the choice `idle`. */
export const IDLE = { deep: 0, shallow: 1 } as const;

/** What a CPU can do next: low bits of the alternatives of the choice `next`; the CPU is above them. */
export const ACTION = { continue: 0, preempt: 1, hardirq: 2, softirq: 3, vcpu: 4, vmExit: 5, ipi: 6 } as const;

/** Bits of an action within an alternative of the choice `next`. */
export const ACTION_BITS = 3;

/** A question: `alternatives[0..count)` are enabled. The array is reused; copy what you keep. */
export interface ChoiceRequest {
  kind: number;
  readonly alternatives: Int32Array;
  count: number;
  /** Digest of kind and alternatives. */
  enabled: number;
  /** A word for an alternative: `B`, `sleep`, `cpu0:preempt`. */
  name(alternative: number): string;
}

/** Answers choices. Its own progress can be read and set, so that a run can be put back. */
export interface ChoiceDriver {
  /** Index of the alternative to take, in [0, count). */
  choose(request: ChoiceRequest): number;
  /** Called when the run is over: a driver that must have been used up complains here. */
  finish?(): void;
  getPosition(): number;
  setPosition(position: number): void;
}

/** Always takes the first alternative: carry on, round robin, allocations succeed. */
export function firstDriver(): ChoiceDriver {
  return { choose: () => 0, getPosition: () => 0, setPosition: () => {} };
}

/** Wanted answers per kind of choice, in order. What is not listed takes the first alternative. */
export type Schedule = Readonly<Partial<Record<ChoiceKind, readonly string[]>>>;

/**
 * Answers from lists of names, one list per kind of choice.
 *
 * @throws FpuError FPU301 from `choose`, when the wanted alternative is not enabled
 */
export function scriptDriver(schedule: Schedule): ChoiceDriver {
  const used = CHOICE_KINDS.map(() => 0);
  /** What was used of each queue at the positions that somebody asked for. */
  const positions: (readonly number[])[] = [[...used]];
  return {
    choose(request) {
      const kind = CHOICE_KINDS[request.kind];
      const wanted = schedule[kind]?.[used[request.kind]];
      if (wanted === undefined) return 0;
      used[request.kind]++;
      const names = Array.from({ length: request.count }, (_, index) => request.name(request.alternatives[index]));
      const index = names.indexOf(wanted);
      if (index >= 0) return index;
      throw new FpuError(
        'FPU301',
        `the schedule wants '${wanted}' at ${kind} number ${used[request.kind]}, but enabled are: ${names.join(', ')}`,
        { kind, wanted, enabled: names },
      );
    },
    getPosition() {
      const known = positions.findIndex((position) => position.every((count, kind) => count === used[kind]));
      return known >= 0 ? known : positions.push([...used]) - 1;
    },
    setPosition(position) {
      positions[position].forEach((count, kind) => {
        used[kind] = count;
      });
    },
  };
}

/** One in so many answers of a seeded driver lets something intervene; the others carry on. */
const INTERFERENCE_ONE_IN = 8;

/**
 * Answers at random from a 64-bit seed; the same seed gives the same run. Where something could intervene at every
 * step, it mostly does not: programs get on.
 */
export function seededDriver(seed: bigint): ChoiceDriver {
  let position = 0;
  const low = Number(seed & 0xffffffffn);
  const high = Number((seed >> 32n) & 0xffffffffn);
  return {
    choose(request) {
      const random = mix(mix(low ^ Math.imul(++position, 0x9e3779b9)) ^ high);
      if (request.kind === CHOICE.next && random % INTERFERENCE_ONE_IN !== 0) {
        return carryOn(request, Math.floor(random / INTERFERENCE_ONE_IN));
      }
      return Math.floor((random / 0x100000000) * request.count);
    },
    getPosition: () => position,
    setPosition(next) {
      position = next;
    },
  };
}

/** The alternative in which one of the CPUs just goes on. */
function carryOn({ alternatives, count }: ChoiceRequest, random: number): number {
  const isContinue = (index: number): boolean => (alternatives[index] & ((1 << ACTION_BITS) - 1)) === ACTION.continue;
  let wanted = 0;
  for (let index = 0; index < count; index++) if (isContinue(index)) wanted++;
  wanted = random % wanted;
  for (let index = 0; index < count; index++) if (isContinue(index) && wanted-- === 0) return index;
  return 0;
}

/** Answers from a list of indices, as a replay does. Past the end it is an error. */
export function replayDriver(indices: readonly number[]): ChoiceDriver {
  let position = 0;
  return {
    choose(request) {
      if (position >= indices.length) {
        throw new FpuError(
          'FPU302',
          `the recorded choices end after ${indices.length}, but the run goes on; was it recorded with another composition?`,
          {
            choices: indices.length,
          },
        );
      }
      const index = indices[position++];
      if (index < request.count) return index;
      throw new FpuError(
        'FPU302',
        `choice ${position - 1} took alternative ${index}, but only ${request.count} are enabled now`,
        {
          choice: position - 1,
          index,
          count: request.count,
        },
      );
    },
    finish() {
      if (position === indices.length) return;
      throw new FpuError('FPU302', `the run ended after ${position} choices, but ${indices.length} were recorded`, {
        used: position,
        recorded: indices.length,
      });
    },
    getPosition: () => position,
    setPosition(next) {
      position = next;
    },
  };
}

/**
 * A 64-bit seed from text: decimal or `0x...`.
 *
 * @throws FpuError FPU304 when it is neither, or too large
 */
export function parseSeed(text: string): bigint {
  const wellFormed = /^(0x[0-9a-fA-F]{1,16}|\d{1,20})$/.test(text);
  const seed = wellFormed ? BigInt(text) : -1n;
  if (seed >= 0n && seed < 1n << 64n) return seed;
  throw new FpuError('FPU304', `a seed is a number from 0 to 2^64 - 1, decimal or 0x..., found '${text}'`, {
    found: text,
  });
}

function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}
