import type { ModifierPolicy } from '@fpulab/core';

/** What differs between the forms. */
export type Form = Pick<ModifierPolicy, 'title' | 'source' | 'slots' | 'edits'>;

/** Marks steps that execute RDPKRU or WRPKRU: neither looks at CR0.TS. */
export const WRPKRU = { instruction: 'pkru' } as const;
