/** What can be reproduced: runs of one scenario, each with the end that history gave it. */
import type { OracleId } from '@fpulab/core';

/** One composition and how it must end. */
export interface ReproductionRun {
  readonly id: string;
  readonly title: string;
  readonly preset: string;
  readonly platform: string;
  readonly patches: readonly string[];
  /** Oracles that must be violated; none for a clean run. */
  readonly expected: readonly OracleId[];
  /** Whether the diagram is printed. */
  readonly drawn: boolean;
}

/** A historic case. */
export interface Reproduction {
  readonly id: string;
  readonly title: string;
  readonly scenario: string;
  readonly runs: readonly ReproductionRun[];
}

const onXenPv = (
  id: string,
  title: string,
  patches: readonly string[],
  expected: readonly OracleId[],
): ReproductionRun => ({
  id,
  title,
  preset: 'linux-3.6',
  platform: 'xen-pv',
  patches,
  expected,
  drawn: false,
});

/** The Xen PV case of 2013. */
export const XEN_PV_LEAK: Reproduction = {
  id: 'xen-pv-leak',
  title: 'Linux 3.6 in a Xen PV guest mixes up FPU registers while a first-use allocation sleeps (xen-devel 2013)',
  scenario: 'xen-pv-leak',
  runs: [
    {
      id: 'xen-hvm',
      title: 'PVHVM: the guest sees a sticky TS',
      preset: 'linux-3.6',
      platform: 'xen-hvm',
      patches: [],
      expected: [],
      drawn: true,
    },
    {
      ...onXenPv('xen-pv', 'Xen clears TS before it bounces #NM', [], ['leak', 'lost-update', 'validity']),
      drawn: true,
    },
    onXenPv('xen-pv+guest-fix', 'stts() and clts() around the window, in the guest', ['guest-fix'], []),
    onXenPv(
      'xen-pv+real-ts-only',
      "Xen keeps only the processor's TS set",
      ['real-ts-only'],
      ['leak', 'lost-update', 'validity'],
    ),
    onXenPv('xen-pv+keep-both', 'Xen keeps both TS bits set', ['keep-both'], []),
    {
      id: 'linux-4.2-on-xen-pv',
      title: 'the state is embedded in the task: no allocation, no window',
      preset: 'linux-4.2',
      platform: 'xen-pv',
      patches: [],
      expected: [],
      drawn: false,
    },
    onXenPv(
      'classic-guest+keep-both',
      'a guest whose handler does no clts() recurses on #NM',
      ['classic-guest', 'keep-both'],
      ['unexpected-fault'],
    ),
  ],
};

/** Everything that `fpulab reproduce` knows. */
export const REPRODUCTIONS: readonly Reproduction[] = [XEN_PV_LEAK];
