/** What can follow a state: every answer to every choice, and the steps on to the next choice. */
import { ACTION, ACTION_BITS, CHOICE, type ChoiceRequest, type Machine, type Probe } from '@fpulab/core';

/** How far one way on goes. */
export interface SuccessorOptions {
  /** Go on to the next choice; otherwise one step. */
  readonly choicePoints: boolean;
  /** A step that stays on its CPU, where that CPU has nothing else to do, is taken before other CPUs' steps. */
  readonly partialOrder: boolean;
  /** Oracles that matter, as a bitmap of their numbers. */
  readonly oracles: number;
  /** Go on behind a violation. */
  readonly beyondViolations: boolean;
}

/** Hears of each way on. The machine is in the state that it leads to. */
export interface SuccessorVisitor {
  /** @param alive false when nothing can run in that state */
  reached(choices: number, steps: number, alive: boolean): void;
  /** An oracle was violated on the way, after so many choices and steps. */
  violated(oracle: number, choices: number, steps: number): void;
}

/** Deterministic steps after which a state is stored all the same: loops without a choice have to be seen. */
const CHAIN_MAX = 2000;

/** Drives a machine from a state to all states that follow. Takes over its driver. */
export class Successors {
  /** Answers of the way that is being tried, and how many alternatives each had. */
  private readonly script: number[] = [];
  private scriptLength = 0;
  /** Answers after those, which the partial order gave. */
  private readonly forced: number[] = [];
  private forcedLength = 0;
  private readonly counts: number[] = [];
  private asked = 0;
  /** While probing, a question ends the way instead of being answered. */
  private probing = false;
  /** Answer to the next question of the kind `next` while probing; -1 for none. */
  private forcedNext = -1;
  private readonly probe: Probe;
  private readonly words: Int32Array;
  private readonly beforeStep: Int32Array;
  private violations = 0;
  private readonly candidates: Int32Array;

  constructor(
    machine: Machine,
    probe: Probe,
    private readonly options: SuccessorOptions,
  ) {
    this.probe = probe;
    this.words = machine.state.words;
    this.beforeStep = this.words.slice();
    this.candidates = new Int32Array(machine.state.at.cpus);
    probe.onViolation((oracle) => {
      this.violations |= 1 << oracle;
    });
    machine.driver = {
      choose: (request) => this.answer(request),
      getPosition: () => 0,
      setPosition: () => {},
    };
  }

  private answer({ kind, count }: ChoiceRequest): number {
    if (this.probing) {
      if (kind === CHOICE.next && this.forcedNext >= 0) return this.forcedNext;
      this.asked++;
      return 0;
    }
    this.probe.footprint.asked(count);
    const position = this.asked++;
    if (position >= this.scriptLength) this.script[this.scriptLength++] = 0;
    this.counts[position] = count;
    return this.script[position];
  }

  /** During a visit: the answers that led there. */
  taken(): readonly number[] {
    return [...this.script.slice(0, this.scriptLength), ...this.forced.slice(0, this.forcedLength)];
  }

  /**
   * Visits every way on from a state.
   *
   * @param load puts the machine into that state; called before each way
   * @param answers only ways that begin with these
   */
  visit(visitor: SuccessorVisitor, load: () => void, answers: readonly number[] = []): void {
    this.begin(answers);
    do {
      load();
      this.tryScript(visitor);
    } while (this.nextScript(answers.length));
  }

  /** Visits the first of these ways. */
  visitFirst(visitor: SuccessorVisitor, load: () => void, answers: readonly number[]): void {
    this.begin(answers);
    load();
    this.tryScript(visitor);
  }

  private begin(answers: readonly number[]): void {
    for (let index = 0; index < answers.length; index++) this.script[index] = answers[index];
    this.scriptLength = answers.length;
  }

  /** Goes on without a choice, as from the start of a run. */
  visitWithoutChoice(visitor: SuccessorVisitor): void {
    this.scriptLength = 0;
    this.forcedLength = 0;
    this.violations = 0;
    if (this.options.choicePoints) this.goOn(visitor, 0, 0);
    else visitor.reached(0, 0, true);
  }

  /** The next answers in lexicographic order, the first `fixed` being as they are. False when all have been tried. */
  private nextScript(fixed: number): boolean {
    const { script, counts } = this;
    let last = this.scriptLength - 1;
    while (last >= fixed && script[last] + 1 >= counts[last]) last--;
    this.scriptLength = last + 1;
    if (last < fixed) return false;
    script[last]++;
    return true;
  }

  private tryScript(visitor: SuccessorVisitor): void {
    const { probe } = this;
    this.asked = 0;
    this.violations = 0;
    this.forcedLength = 0;
    probe.footprint.clear();
    const enabled = probe.enabledActions();
    if (enabled === 0) return;
    probe.stepAmong(enabled);
    this.scriptLength = this.asked;
    const choices = this.asked;
    if (this.violations !== 0 && this.report(visitor, choices, 1)) return;
    if (this.options.choicePoints) this.goOn(visitor, choices, 1);
    else visitor.reached(choices, 1, true);
  }

  /** True when the way ends here. */
  private report(visitor: SuccessorVisitor, choices: number, steps: number): boolean {
    const found = this.violations & this.options.oracles;
    this.violations = 0;
    for (let oracle = 0; found >> oracle !== 0; oracle++) {
      if (found & (1 << oracle)) visitor.violated(oracle, choices, steps);
    }
    return found !== 0 && !this.options.beyondViolations;
  }

  /** Takes steps until one asks. */
  private goOn(visitor: SuccessorVisitor, fromChoices: number, fromSteps: number): void {
    const { probe } = this;
    let choices = fromChoices;
    let steps = fromSteps;
    for (;;) {
      const enabled = probe.enabledActions();
      if (enabled === 0) return visitor.reached(choices, steps, false);
      if (steps - fromSteps >= CHAIN_MAX) return visitor.reached(choices, steps, true);
      if (enabled > 1) {
        if (!this.options.partialOrder || !this.stepAlone(enabled)) return visitor.reached(choices, steps, true);
        choices++;
      } else if (!this.stepUnlessAsked()) {
        return visitor.reached(choices, steps, true);
      }
      steps++;
      if (this.violations !== 0 && this.report(visitor, choices, steps)) return;
    }
  }

  /** Takes the only step there is, unless it asks: then the state is as before. */
  private stepUnlessAsked(): boolean {
    const { probe, words, beforeStep } = this;
    beforeStep.set(words);
    this.probing = true;
    this.forcedNext = -1;
    this.asked = 0;
    probe.stepAmong(1);
    this.probing = false;
    if (this.asked === 0) return true;
    words.set(beforeStep);
    this.violations = 0;
    return false;
  }

  /** Takes a step of a CPU that has only this to do, if no other CPU and no oracle can tell when it happens. */
  private stepAlone(enabled: number): boolean {
    const { probe, words, beforeStep, candidates } = this;
    let count = 0;
    const { alternatives } = probe;
    for (let index = 0; index < enabled; index++) {
      const cpu = alternatives[index] >> ACTION_BITS;
      const isContinue = (alternatives[index] & ((1 << ACTION_BITS) - 1)) === ACTION.continue;
      const isOnly = index + 1 === enabled || alternatives[index + 1] >> ACTION_BITS !== cpu;
      if (isContinue && isOnly && probe.isShielded(cpu)) candidates[count++] = index;
    }
    if (count === 0) return false;
    beforeStep.set(words);
    for (let candidate = 0; candidate < count; candidate++) {
      if (candidate > 0) {
        words.set(beforeStep);
        probe.enabledActions();
      }
      this.probing = true;
      this.forcedNext = candidates[candidate];
      this.asked = 0;
      probe.touchedShared = false;
      probe.stepAmong(enabled);
      this.probing = false;
      if (this.asked === 0 && !probe.touchedShared) {
        this.forced[this.forcedLength++] = candidates[candidate];
        return true;
      }
      this.violations = 0;
    }
    words.set(beforeStep);
    return false;
  }
}
