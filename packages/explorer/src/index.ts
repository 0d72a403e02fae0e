/** @packageDocumentation The model checker: every interleaving of a composition, shortest counterexamples, complete verdicts. */
export {
  DEFAULT_BOUNDS,
  explore,
  type Compose,
  type ComposeModule,
  type Exploration,
  type ExploreOptions,
  type Phase,
} from './explore';
export type { Counterexample } from './counterexample';
export { ALL_REDUCTIONS, NO_REDUCTIONS, REDUCTIONS, type Bounds, type Reductions, type Strategy } from './options';
export type { SearchEnd, SearchProgress } from './search';
