import type { OracleId, Patch } from '@fpulab/core';

/** A bug of the past: a patch that puts it back into the kernel in which it was fixed. */
export interface Bug {
  /** Its number in the museum: `F05`. */
  readonly id: string;
  /** Id of its patch. */
  readonly name: string;
  /** The commit that fixed it, and where it was read. */
  readonly source: string;
  /** What it breaks. */
  readonly property: OracleId;
  /** What went wrong, in a paragraph. */
  readonly story: string;
  /** The scenario in which it is found. */
  readonly scenario: string;
  /** The fixed kernel. */
  readonly preset: string;
  readonly platform: string;
  readonly patch: Patch;
  /** Where the scenario's own CPU model will not do. */
  readonly cpu?: string;
  /** Where the scenario's own number of CPUs will not do. */
  readonly cpus?: number;
}
