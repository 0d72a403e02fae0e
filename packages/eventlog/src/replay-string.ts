/**
 * Replay strings: a whole run in one word for a command line, a mail or a URL.
 *
 *     r1.<scenario>.<composition>.<cpu>.<cpus>.<seed>.<choices>.<check>
 *
 * The composition is preset, platform and patches, joined by `~`. In ids, `.` is written `_`. The choices are packed
 * bits: as many per choice as it takes to tell its alternatives apart. How many those are is known only when the run
 * asks, so a string is read by running it.
 */
import {
  CHOICE_KINDS,
  FpuError,
  digestOf,
  isFpuError,
  parseSeed,
  type ChoiceDriver,
  type ChoiceRequest,
  type MachineEvent,
} from '@fpulab/core';
import { BitReader, BitWriter, digitsFor } from './base32';

/** What a replay string composes, beside the choices. */
export interface ReplaySetup {
  readonly scenario: string;
  readonly preset: string;
  readonly platform: string;
  readonly patches: readonly string[];
  /** Id of the CPU model. */
  readonly cpu: string;
  readonly cpus: number;
  /** The seed that the choices came from, or null. For people: the choices themselves are in the string. */
  readonly seed: bigint | null;
}

/** A decoded replay string. */
export interface Replay extends ReplaySetup {
  /** Answers as the recorded run was answered; see decodeReplay for what it throws. */
  readonly driver: ChoiceDriver;
}

/** Characters from which on a string is no help to people: print the path of the log instead. */
export const REPLAY_LENGTH_MAX = 200;

const VERSION = 'r1';
const FORM = 'r1.<scenario>.<preset>~<platform>[~<patch>...].<cpu>.<cpus>.<seed>.<choices>.<check>';
const PART_COUNT = 8;
const NONE = '-';
const CHECK_BITS = 10;
const ID = /^[a-z0-9.-]+$/;
const WRITTEN_ID = /^[a-z0-9_-]+$/;

/**
 * The replay string of a run.
 *
 * @param events of the whole run; its choices are picked out
 * @throws FpuError FPU303 for an id that a replay string cannot hold: it may have a-z, 0-9, `.` and `-`
 */
export function encodeReplay(setup: ReplaySetup, events: Iterable<MachineEvent>): string {
  const bits = new BitWriter();
  const made: number[] = [];
  for (const { type, data } of events) {
    if (type !== 'choice.made') continue;
    bits.write(data.index, bitsFor(data.count));
    made.push(data.kind, data.taken, data.count, data.enabled);
  }
  const composition = [setup.preset, setup.platform, ...setup.patches].map(writeId).join('~');
  return [
    VERSION,
    writeId(setup.scenario),
    composition,
    writeId(setup.cpu),
    String(setup.cpus),
    setup.seed === null ? NONE : `0x${setup.seed.toString(16)}`,
    bits.finish() || NONE,
    checkOf(made),
  ].join('.');
}

/**
 * Takes a replay string apart.
 *
 * The driver throws FPU302 from `choose` when the run asks for more choices than were recorded, or for one whose
 * recorded alternative is not enabled, and from `finish` when choices are left over or were made among others than
 * recorded. Any of that says that this is another machine than the one that was recorded.
 *
 * @throws FpuError FPU303 for text that is no replay string
 */
export function decodeReplay(text: string): Replay {
  const parts = text.split('.');
  if (parts[0] !== VERSION || parts.length !== PART_COUNT) throw malformed(text, `expected ${FORM}`);
  const [, scenario, composition, cpu, cpus, seed, choices, check] = parts;
  const [preset, platform, ...patches] = composition.split('~').map((id) => readId(text, id));
  if (platform === undefined) throw malformed(text, 'the composition needs a preset and a platform, joined by ~');
  if (!/^[1-9]\d?$/.test(cpus)) throw malformed(text, `'${cpus}' is no number of CPUs`);
  if (!BitReader.of(check) || check.length !== digitsFor(CHECK_BITS)) throw malformed(text, `'${check}' is no check`);
  const bits = choices === NONE ? BitReader.of('') : BitReader.of(choices);
  if (!bits || choices === '') throw malformed(text, `'${choices}' is no list of choices`);
  return {
    scenario: readId(text, scenario),
    preset,
    platform,
    patches,
    cpu: readId(text, cpu),
    cpus: Number(cpus),
    seed: readSeed(text, seed),
    driver: new ReplayStringDriver(bits, check),
  };
}

/** Bits that tell `count` alternatives apart. */
function bitsFor(count: number): number {
  return 32 - Math.clz32(count - 1);
}

/** Two digits over kind, taken alternative, count and enabled digest of every choice. */
function checkOf(made: readonly number[]): string {
  const digest = Number.parseInt(digestOf(Int32Array.from(made)).slice(-4), 16);
  const bits = new BitWriter();
  bits.write(digest, CHECK_BITS);
  return bits.finish();
}

function writeId(id: string): string {
  if (ID.test(id)) return id.replaceAll('.', '_');
  throw new FpuError('FPU303', `a replay string cannot hold the id '${id}': it may have a-z, 0-9, '.' and '-'`, { id });
}

function readId(text: string, id: string): string {
  if (!WRITTEN_ID.test(id)) throw malformed(text, `'${id}' is no id`);
  return id.replaceAll('_', '.');
}

function readSeed(text: string, seed: string): bigint | null {
  if (seed === NONE) return null;
  try {
    if (seed.startsWith('0x')) return parseSeed(seed);
  } catch (error) {
    if (!isFpuError(error)) throw error;
  }
  throw malformed(text, `'${seed}' is neither a seed like 0x2a nor '${NONE}'`);
}

function malformed(text: string, problem: string): FpuError {
  const shown = text.length > REPLAY_LENGTH_MAX ? `${text.slice(0, REPLAY_LENGTH_MAX)}...` : text;
  return new FpuError('FPU303', `'${shown}' is no replay string: ${problem}`, { text: shown });
}

/** One choice as it was answered: what the check covers, and the bits read up to it. */
interface Answer {
  readonly made: readonly [kind: number, taken: number, count: number, enabled: number];
  readonly bitsAfter: number;
}

/** Reads the choices of a replay string as the run asks for them. Its position counts choices. */
class ReplayStringDriver implements ChoiceDriver {
  private readonly answers: Answer[] = [];
  private position = 0;

  constructor(
    private readonly bits: BitReader,
    private readonly check: string,
  ) {}

  choose(request: ChoiceRequest): number {
    const { kind, count, enabled, alternatives } = request;
    const width = bitsFor(count);
    if (width > this.bits.left) throw this.misfit('the recorded choices end here, but the run goes on', request);
    const index = this.bits.read(width);
    if (index >= count) throw this.misfit(`alternative ${index} was taken, which is not enabled`, request);
    const made = [kind, alternatives[index], count, enabled] as const;
    this.answers[this.position++] = { made, bitsAfter: this.bits.at };
    return index;
  }

  finish(): void {
    const choices = this.position;
    if (!this.bits.isUsedUp) {
      throw new FpuError('FPU302', `the run ended after ${choices} choices, but more were recorded; ${CAUSE}`, {
        choices,
      });
    }
    const found = checkOf(this.answers.slice(0, choices).flatMap(({ made }) => made));
    if (found === this.check) return;
    throw new FpuError(
      'FPU302',
      `the ${choices} choices were made among others than recorded: expected the check ${this.check}, found ${found}; ${CAUSE}`,
      { choices, expected: this.check, found },
    );
  }

  getPosition(): number {
    return this.position;
  }

  setPosition(position: number): void {
    this.position = position;
    this.bits.at = position === 0 ? 0 : this.answers[position - 1].bitsAfter;
  }

  private misfit(problem: string, { kind, count, alternatives, name }: ChoiceRequest): FpuError {
    const enabled = Array.from(alternatives.subarray(0, count), (alternative) => name(alternative));
    const choice = this.position;
    const kindName = CHOICE_KINDS[kind];
    return new FpuError(
      'FPU302',
      `at choice ${choice} (${kindName}): ${problem}; enabled are: ${enabled.join(', ')}; ${CAUSE}`,
      { choice, kind: kindName, enabled },
    );
  }
}

const CAUSE = 'was it recorded with another composition or version?';
