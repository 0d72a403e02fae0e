/** What a processor holds at one moment, to be compared with another. */
import type { ProcessorState } from '@fpulab/core';

/** A moment. x87 state and components are never written in place, so they are shared, not copied. */
export type Snapshot = Pick<
  ProcessorState,
  'x87' | 'mxcsr' | 'components' | 'inUse' | 'registers' | 'rflags' | 'control' | 'tracking'
> & {
  /** Components whose values the model does not know. */
  readonly open: number;
};

/** The state as it is now. */
export function snapshotOf(state: ProcessorState): Snapshot {
  return {
    ...state,
    components: [...state.components],
    registers: state.registers.slice(),
    control: { ...state.control },
    open: state.undetermined.components,
  };
}
