/** A policy to start from: it saves nothing and loads nothing. docs/write-a-policy.md goes on from here. */
import { CR0_TS, NOTHING, routine, step, type BasePolicy } from '@fpulab/core';

/** My policy, for one machine. */
export default function myPolicy(): BasePolicy {
  return {
    kind: 'base',
    id: 'my-policy',
    title: 'saves nothing, loads nothing',
    source: 'kernel version, files and functions',
    requires: ['fxsr'], // FNSAVE leaves INIT in the registers: another story
    fpstate: 'embedded', // the image is part of the task, as in Linux 4.2 and later
    slots: [],
    roles: {},
    routines: [
      routine('fpu__init_cpu', [step('clear CR0.TS', (k) => k.writeCr0(k.readCr0() & ~CR0_TS))]),
      // more routines
    ],
    hooks: {
      'cpu-up': 'fpu__init_cpu',
      'switch-out': NOTHING,
      'switch-in': NOTHING,
      fork: NOTHING,
      exec: NOTHING,
      exit: NOTHING,
      'kernel-fpu-begin': NOTHING,
      'kernel-fpu-end': NOTHING,
      'irq-fpu-usable': NOTHING,
      'trap-nm': NOTHING,
    },
  };
}
