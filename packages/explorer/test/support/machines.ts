/** Machines in states that can be reached. */
import { compose, seededDriver, type Machine } from '@fpulab/core';
import type { Compose } from '../../src';

/** A machine after some steps of a random run, or at the run's end. */
export function machineAfter(composeOptions: Compose, seed: number, steps: number): Machine {
  const machine = compose({ ...composeOptions(), choices: seededDriver(BigInt(seed)) });
  for (let step = 0; step < steps && machine.step(); step++);
  return machine;
}
