/** What a search may do, and where it has to stop. */

/** Each can be switched off; docs/explorer.md says why each preserves verdicts. */
export interface Reductions {
  /** Values carry no version: programs may loop for ever. */
  readonly versionFree: boolean;
  /** States between two choices are not stored. */
  readonly choicePoints: boolean;
  /** One representative for states that differ only in who is who among interchangeable tasks and CPUs. */
  readonly symmetry: boolean;
  /** With several CPUs, steps that nobody else can tell are taken first. For proofs; counterexamples are searched without. */
  readonly partialOrder: boolean;
  /** Whether a counter is above its threshold is a choice. For proofs; counterexamples are searched without. */
  readonly abstractCounters: boolean;
  /** What lies in the image of a vCPU whose registers are live is forgotten. For proofs; counterexamples are searched without. */
  readonly deadValues: boolean;
}

/** The names of all reductions, as flags have them. */
export const REDUCTIONS = {
  versionFree: 'version-free',
  choicePoints: 'choice-points',
  symmetry: 'symmetry',
  partialOrder: 'partial-order',
  abstractCounters: 'abstract-counters',
  deadValues: 'dead-values',
} as const satisfies Record<keyof Reductions, string>;

/** All reductions on. */
export const ALL_REDUCTIONS: Reductions = {
  versionFree: true,
  choicePoints: true,
  symmetry: true,
  partialOrder: true,
  abstractCounters: true,
  deadValues: true,
};

/** All reductions off. */
export const NO_REDUCTIONS: Reductions = {
  versionFree: false,
  choicePoints: false,
  symmetry: false,
  partialOrder: false,
  abstractCounters: false,
  deadValues: false,
};

/** Where a search stops without a verdict. */
export interface Bounds {
  /** Stored states. */
  readonly statesMax: number;
  /** Choices from the start. */
  readonly depthMax: number;
  readonly timeoutMs: number;
  /** Bytes for stored states and what belongs to them. */
  readonly memoryMax: number;
}

/** How the space is searched. */
export type Strategy = 'bfs' | 'dfs' | 'random';
