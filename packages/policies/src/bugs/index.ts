/** Historic bugs, each a patch on the kernel that has its fix. */
import type { Bug } from './bug';
import { F01 } from './F01-owner-ctx-cached';
import { F03 } from './F03-failed-xrstor-user';
import { F04 } from './F04-exec-last-cpu';
import { F05 } from './F05-irq-in-fpregs-lock';
import { F42 } from './F42-sigframe-usedfpu-nonatomic';
import { F49 } from './F49-frame-drop-before-commit';

export type { Bug } from './bug';

/** By number. */
export const BUGS: readonly Bug[] = [F01, F03, F04, F05, F42, F49];
