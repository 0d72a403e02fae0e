import type { OracleId, Patch } from '@fpulab/core';

/** A kernel with or without a bug: what is composed. */
export interface Side {
  readonly preset: string;
  /** Changes to it; none when left out. */
  readonly patches?: readonly Patch[];
}

/** A kernel without the bug. */
export interface Fix extends Side {
  /** What cured it: a commit, a release. */
  readonly by: string;
  /** All that it cures, where that is less than every oracle of the scenario. */
  readonly cures?: readonly OracleId[];
}

/**
 * A bug of the past: a kernel that has it, and one for each of its fixes. Where the fix is a patch, the kernel is the
 * fixed one with a patch that puts the bug back.
 */
export interface Bug {
  /** Its number in the museum: `F05`. */
  readonly id: string;
  readonly name: string;
  /** What happens, in half a line. */
  readonly title: string;
  /** When it was fixed, or found where it never got into a release. */
  readonly year: number;
  readonly cve?: string;
  /** Releases that had it. */
  readonly kernels: string;
  /** The commit that fixed it, or the mail that it was found in. */
  readonly source: string;
  /** What it breaks. */
  readonly property: OracleId;
  /** What went wrong, in a paragraph. */
  readonly story: string;
  /** The scenario in which it is found. */
  readonly scenario: string;
  readonly platform: string;
  /** Where the scenario's own CPU model will not do. */
  readonly cpu?: string;
  readonly buggy: Side;
  readonly fixes: readonly Fix[];
}
