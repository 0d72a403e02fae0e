/**
 * Protection keys: a task asks its kernel for one, and the kernel changes the task's PKRU with that.
 *
 * Linux 5.10 mm/mprotect.c sys_pkey_alloc(), arch/x86/mm/pkeys.c __execute_only_pkey(). Which key it is, and giving it back (which leaves PKRU
 * alone), are left out.
 */
import * as events from '../machine/events';
import { at, hookStep } from './exit-to-user';
import type { SyscallName } from './program';
import { when, type Routine, type RoutineNode } from './routine';

/** What brings a task into arch_set_user_pkey_access(). */
export const PKEY_SYSCALLS = ['pkey_alloc', 'mmap_exec'] as const satisfies readonly SyscallName[];

/** The mmap lock may be taken by somebody else, and there may be no key left: like memory, it is there at once, after a sleep, or not at all. */
const takeKey = at('mmap_write_lock, mm_pkey_alloc', (k) => k.setLocal(0, k.allocationMaySleep() ? 1 : 0));
const setAccess = hookStep('arch_set_user_pkey_access', events.PkeyAccess);
/** The pages are looked up as those of a system call are that reads them. */
const populate = at('populate_vma_page_range', (k) => k.accessUserMemory());

/**
 * The system calls that some program makes.
 *
 * @param syscall makes a routine of what happens between entry and exit
 */
export function pkeyRoutines(
  { uses }: { uses(operation: SyscallName): boolean },
  syscall: (name: string, body: readonly RoutineNode[]) => Routine,
): readonly Routine[] {
  const bodies: Readonly<Record<(typeof PKEY_SYSCALLS)[number], readonly RoutineNode[]>> = {
    pkey_alloc: [takeKey, when((k) => k.local(0) !== 0, [setAccess])],
    mmap_exec: [takeKey, when((k) => k.local(0) !== 0, [setAccess]), populate],
  };
  return PKEY_SYSCALLS.filter((name) => uses(name)).map((name) => syscall(`sys_${name}`, bodies[name]));
}
