/** Injection tokens. `Symbol.for`, so that two copies of this package agree. */

/** Multi-injected: every policy and modifier of a composition. */
export const POLICY = Symbol.for('@fpulab/core/Policy');
/** Multi-injected: the platform; more than one is refused. */
export const PLATFORM = Symbol.for('@fpulab/core/Platform');
/** What else a composition is made of. */
export const SETTINGS = Symbol.for('@fpulab/core/Settings');
