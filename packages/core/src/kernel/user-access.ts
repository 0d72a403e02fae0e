/**
 * The kernel reads and writes user memory: under the PKRU that is in the register, and with faults that may sleep.
 *
 * Protection keys hold for the kernel's accesses to user pages, too (Intel SDM Vol. 3A "Protection Keys"). Linux 6.1 arch/x86/mm/fault.c
 * do_user_addr_fault().
 */
import { at } from './exit-to-user';
import { routine, when, whileHolds, type Routine, type RoutineNode } from './routine';

/** How an access to user memory went, in local 0 of the routine: it goes on, met a missing page, or is over. */
export const ACCESS = { goesOn: 0, faulted: 1, over: 2 } as const;

/** System calls, and functions that kernel threads call, with the routine that accesses user memory. */
export const USER_ACCESS = ['copy_to_user', 'copy_from_user'] as const;

/** copy_to_user() and copy_from_user(). */
export function userAccessRoutines(): readonly Routine[] {
  return USER_ACCESS.map((name) =>
    routine(name, [
      whileHolds(
        (k) => k.local(0) !== ACCESS.over,
        [
          at('access user memory', (k) => k.accessUserMemory()),
          when((k) => k.local(0) === ACCESS.faulted, [at('do_user_addr_fault', (k) => k.faultInUserMemory())]),
        ],
      ),
    ]),
  );
}

/** The step that calls one of them. */
export const userAccess = (name: (typeof USER_ACCESS)[number]): RoutineNode => at(name, (k) => k.call(name));
