import { FpuError, type BasePolicy } from '@fpulab/core';
import { eager } from './eager';
import { lazyCr0Ts } from './lazy-cr0-ts';
import { loadFpuDeferral } from './load-fpu-deferral';

/** A real kernel, as a composition of policies. */
export interface Preset {
  readonly id: string;
  readonly title: string;
  /** Fresh policy objects, for one machine. */
  readonly policies: () => readonly BasePolicy[];
}

/** The kernels that are modelled. */
export const PRESETS: readonly Preset[] = [
  {
    id: 'linux-3.6',
    title: 'Linux 3.6: lazy, state allocated at first use with interrupts on',
    policies: () => [lazyCr0Ts({ era: 'linux-3.6' })],
  },
  {
    id: 'linux-4.2',
    title: 'Linux 4.2 to 4.5 without XSAVEOPT, or with eagerfpu=off: lazy, state embedded in the task',
    policies: () => [lazyCr0Ts({ era: 'linux-4.2' })],
  },
  { id: 'linux-4.8', title: 'Linux 4.6 to 4.9: eager (execve() as in 4.8.15 and 4.9)', policies: () => [eager()] },
  {
    id: 'linux-5.10',
    title: 'Linux 5.2 to 5.13: registers are loaded on the return to user code',
    policies: () => [loadFpuDeferral({ era: 'linux-5.2' })],
  },
  {
    id: 'linux-5.15',
    title: 'Linux 5.14 and 5.15: the same, PKRU apart',
    policies: () => [loadFpuDeferral({ era: 'linux-5.14' })],
  },
  {
    id: 'linux-6.1',
    title: 'Linux 5.16 and later: the same, fork() loads first',
    policies: () => [loadFpuDeferral({ era: 'linux-6.1' })],
  },
];

/**
 * The preset with this id.
 *
 * @throws FpuError FPU504 when there is none
 */
export function presetOf(id: string): Preset {
  const found = PRESETS.find((preset) => preset.id === id);
  if (found) return found;
  const known = PRESETS.map((preset) => preset.id);
  throw new FpuError('FPU504', `no preset '${id}'; known: ${known.join(', ')}`, { id, known });
}
