/** Whether a search has reached what its scenario wants reached. */
import type { Machine, MachineEvent, Probe } from '@fpulab/core';
import type { Subscription } from 'rxjs';
import { combinations } from './permutations';

/** Listens to a machine's events until everything has been reached. */
export class SometimesWatch {
  private readonly flags: Int32Array;
  /** `flags` when all have been reached. */
  private readonly everything: number;
  /** Per `sometimes`: the tasks that it may be about. Interchangeable tasks stand for each other. */
  private readonly candidates: readonly (readonly (readonly number[])[])[];
  private subscription: Subscription | undefined;

  constructor(
    private readonly machine: Machine,
    probe: Probe,
    symmetry: boolean,
    memory: SharedArrayBuffer,
  ) {
    this.flags = new Int32Array(memory);
    const groups = symmetry ? probe.interchangeableTasks() : [];
    const groupOf = (task: number): readonly number[] => groups.find((group) => group.includes(task)) ?? [task];
    const { sometimes } = machine.composition.settings.scenario;
    this.everything = sometimes.reduce((flags, _, index) => flags | (1 << index), 0);
    this.candidates = sometimes.map(({ tasks }) =>
      combinations(tasks.map((name) => groupOf(machine.taskNames.indexOf(name)))).filter(
        (numbers) => new Set(numbers).size === numbers.length,
      ),
    );
    if (Atomics.load(this.flags, 0) === this.everything) return;
    this.subscription = machine.events$.subscribe((event) => this.look(event));
  }

  /** Whether each was reached, by this machine or another worker's. */
  get reached(): readonly boolean[] {
    const { sometimes } = this.machine.composition.settings.scenario;
    return sometimes.map((_, index) => (Atomics.load(this.flags, 0) & (1 << index)) !== 0);
  }

  /** True while something is left to be reached, so that somebody has to look. */
  get isWatching(): boolean {
    return this.subscription !== undefined;
  }

  private look(event: MachineEvent): void {
    const { sometimes } = this.machine.composition.settings.scenario;
    const known = Atomics.load(this.flags, 0);
    for (let index = 0; index < sometimes.length; index++) {
      if (known & (1 << index)) continue;
      const { test } = sometimes[index];
      if (this.candidates[index].some((tasks) => test(event, tasks, this.machine))) {
        Atomics.or(this.flags, 0, 1 << index);
      }
    }
    if (Atomics.load(this.flags, 0) === this.everything) {
      this.subscription?.unsubscribe();
      this.subscription = undefined;
    }
  }
}
