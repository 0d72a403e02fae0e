/** Historic bugs, each a patch on the kernel that has its fix. */
import type { Bug } from './bug';
import { F01 } from './F01-owner-ctx-cached';
import { F03 } from './F03-failed-xrstor-user';
import { F04 } from './F04-exec-last-cpu';
import { F05 } from './F05-irq-in-fpregs-lock';
import { F07 } from './F07-pkru-init';
import { F08 } from './F08-pkru-kthread-mm';
import { F09 } from './F09-pkru-current-cached';
import { F14 } from './F14-xfd-signal';
import { F25 } from './F25-ptrace-lazy';
import { F32 } from './F32-bogus-xcomp-bv';
import { F35 } from './F35-xfd-nm-sleep';
import { F42 } from './F42-sigframe-usedfpu-nonatomic';
import { F44 } from './F44-xen-pv-nm';
import { F49 } from './F49-frame-drop-before-commit';

export type { Bug } from './bug';
export { FPRESTORE_FIXUP } from './F32-bogus-xcomp-bv';

/** By number. */
export const BUGS: readonly Bug[] = [F01, F03, F04, F05, F07, F08, F09, F14, F25, F32, F35, F42, F44, F49];
