/** Whether a search has reached what its scenario wants reached. */
import type { Machine, MachineEvent, Probe, Whereabouts } from '@fpulab/core';
import type { Subscription } from 'rxjs';
import { combinations } from './permutations';

/** Where tasks are, for somebody who looks while ways are learned: they depend on it from then on. */
export function whereabouts(machine: Machine, probe: Probe): Whereabouts {
  const { at } = machine.state;
  return {
    isInside(task, routine) {
      probe.footprint.readWord(at.depth + task);
      return machine.isInside(task, routine);
    },
  };
}

/**
 * Listens to a machine's events until everything has been reached. A way that was learned was seen when it was: what happens
 * on it is a function of what it looks at, and where tasks are then is looked at here.
 */
export class SometimesWatch {
  private readonly flags: Int32Array;
  /** `flags` when all have been reached. */
  private readonly everything: number;
  /** Per `sometimes`: the tasks that it may be about. Interchangeable tasks stand for each other. */
  private readonly candidates: readonly (readonly (readonly number[])[])[];
  private readonly where: Whereabouts;
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
    this.where = whereabouts(machine, probe);
    if (Atomics.load(this.flags, 0) === this.everything) return;
    this.subscription = machine.events$.subscribe((event) => this.look(event));
  }

  /** Whether each was reached, by this machine or another worker's. */
  get reached(): readonly boolean[] {
    const { sometimes } = this.machine.composition.settings.scenario;
    return sometimes.map((_, index) => (Atomics.load(this.flags, 0) & (1 << index)) !== 0);
  }

  private look(event: MachineEvent): void {
    const { sometimes } = this.machine.composition.settings.scenario;
    const known = Atomics.load(this.flags, 0);
    for (let index = 0; index < sometimes.length; index++) {
      if (known & (1 << index)) continue;
      const { test } = sometimes[index];
      if (this.candidates[index].some((tasks) => test(event, tasks, this.where))) {
        Atomics.or(this.flags, 0, 1 << index);
      }
    }
    if (Atomics.load(this.flags, 0) === this.everything) {
      this.subscription?.unsubscribe();
      this.subscription = undefined;
    }
  }
}
