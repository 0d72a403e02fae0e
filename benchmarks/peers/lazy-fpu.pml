/*
 * Lazy FPU switching with CR0.TS as Linux did it before 4.2: one process per task, run by the CPU that it is on.
 *
 *   spin -a -DVARIANT=NATIVE|XENPV|XENPV_FIXED -DCPUS=1|2 -DTASKS=2..4 -DOPS=1..4 [-DMERGED] lazy-fpu.pml
 *
 * NATIVE       #NM leaves TS as it is: set
 * XENPV        the hypervisor clears TS before it bounces #NM to the guest: the bug
 * XENPV_FIXED  and the guest sets it again before it enables interrupts
 *
 * Plain: one transition per step. MERGED: a step that only its own CPU can see, interrupts off, is one transition with
 * the step before it.
 */
#define NATIVE      1
#define XENPV       2
#define XENPV_FIXED 3

/* What a task is about to do, while the instruction waits for the FPU. */
#define NONE  0
#define READ  1
#define WRITE 2

/* Values of registers and images: what FNINIT leaves, or the n-th value that this task wrote. */
#define INIT  0
#define MY(n) ((n) == 0 -> INIT : _pid * OPS + (n))

#if CPUS == 1
byte current[1] = {0};
#define ON_A_CPU (current[0] == _pid)
#define HERE     0
#define BUSY     1
#else
byte current[2] = {0, 1};
#define ON_A_CPU (current[0] == _pid || current[1] == _pid)
#define HERE     (current[1] == _pid)
#define BUSY     3
#endif

bit ts[CPUS] = 1;
byte fpregs[CPUS] = INIT;

/* Tasks that nobody may pick, as bits: they are on a CPU, or picked for one, or have finished. */
byte busy = BUSY;
#define PICKABLE(n)     (!(busy & (1 << (n))))
#define NOBODY_PICKABLE (busy == (1 << TASKS) - 1)

#if VARIANT == NATIVE
#define BOUNCE skip
#else
#define BOUNCE ts[HERE] = 0
#endif
#if VARIANT == XENPV_FIXED
#define STTS_IF_FIXED ts[HERE] = 1
#else
#define STTS_IF_FIXED skip
#endif

/* Ends a step and begins the next one, which is private to the CPU. */
#ifdef MERGED
#define AND_THEN ;
#else
#define AND_THEN }; d_step {
#endif

#define CLTS     ts[HERE] = 0
#define RESTORE  fpregs[HERE] = image; used_fpu = 1
#define SAVE     if :: used_fpu -> image = fpregs[HERE]; used_fpu = 0; ts[HERE] = 1 :: else fi
#define FINISHED (op == NONE && ops == OPS)

/* switch_to(): picked, save the FPU, change stacks. With two CPUs the last step lets the other CPU pick this task. */
#define LOAD \
	busy = (FINISHED -> busy : busy & ~(1 << _pid)); \
	current[HERE] = next; \
	next = 0
#ifndef MERGED
#define SWITCH_TO(n) d_step { PICKABLE(n) -> busy = busy | (1 << (n)); next = n }
#define SWITCHING(back) if :: d_step { SAVE } fi; d_step { LOAD }; goto back
#elif CPUS == 1
#define SWITCH_TO(n) d_step { PICKABLE(n) -> SAVE; busy = (FINISHED -> busy : busy & ~(1 << _pid)) | (1 << (n)); current[0] = n }
#define SWITCHING(back) goto back
#else
#define SWITCH_TO(n) d_step { PICKABLE(n) -> busy = busy | (1 << (n)); next = n; SAVE }
#define SWITCHING(back) if :: d_step { LOAD } fi; goto back
#endif

#if TASKS == 2
#define SWITCH_TO_ANY(there) :: SWITCH_TO(0); goto there :: SWITCH_TO(1); goto there
#elif TASKS == 3
#define SWITCH_TO_ANY(there) :: SWITCH_TO(0); goto there :: SWITCH_TO(1); goto there :: SWITCH_TO(2); goto there
#else
#define SWITCH_TO_ANY(there) :: SWITCH_TO(0); goto there :: SWITCH_TO(1); goto there \
	:: SWITCH_TO(2); goto there :: SWITCH_TO(3); goto there
#endif

active [TASKS] proctype task() provided (ON_A_CPU)
{
	byte ops;           /* operations done */
	byte writes;        /* of these: writes */
	byte image;         /* the FPU image in memory */
	unsigned op : 2;
	bit used_math;      /* PF_USED_MATH: the image is there */
	bit used_fpu;       /* TS_USEDFPU: used the FPU since it was switched to */
#if !defined(MERGED) || CPUS == 2
	byte next;
#endif

end_user:
	if
#ifdef MERGED
	:: d_step { !FINISHED && op != WRITE && ts[HERE] && used_math -> op = READ; CLTS; RESTORE }; goto end_user
	:: d_step { !FINISHED && op != READ && ts[HERE] && used_math -> op = WRITE; CLTS; RESTORE }; goto end_user
	:: d_step { !FINISHED && op != WRITE && ts[HERE] && !used_math -> op = READ; BOUNCE; STTS_IF_FIXED }; goto allocation
	:: d_step { !FINISHED && op != READ && ts[HERE] && !used_math -> op = WRITE; BOUNCE; STTS_IF_FIXED }; goto allocation
#else
	:: d_step { !FINISHED && op != WRITE && ts[HERE] -> op = READ; BOUNCE }; goto handler
	:: d_step { !FINISHED && op != READ && ts[HERE] -> op = WRITE; BOUNCE }; goto handler
#endif
	:: d_step { !FINISHED && op != WRITE && !ts[HERE] -> assert(fpregs[HERE] == MY(writes)); op = NONE; ops++ }; goto end_user
	:: d_step { !FINISHED && op != READ && !ts[HERE] -> writes++; fpregs[HERE] = MY(writes); op = NONE; ops++ }; goto end_user
	:: d_step { op == NONE && ops < OPS -> ops++ }; goto yield
	SWITCH_TO_ANY(user_switch)
	fi;
user_switch:
	SWITCHING(end_user);

yield:	/* sched_yield() */
	if
	SWITCH_TO_ANY(user_switch)
	:: d_step { NOBODY_PICKABLE -> skip }; goto end_user
	fi;

#ifndef MERGED
handler: /* of #NM, interrupts off */
	if
	:: d_step { used_math -> skip }; goto irqs_off
	:: d_step { !used_math -> STTS_IF_FIXED }; goto allocation
	fi;
#endif

allocation: /* interrupts on from here */
	if
	:: d_step { image = INIT; used_math = 1 }; goto allocated
	SWITCH_TO_ANY(allocation_switch)
	fi;
allocation_switch:
	SWITCHING(allocation);

allocated:
	if
#ifdef MERGED
	:: d_step { CLTS; RESTORE }; goto end_user
#else
	:: d_step { skip }; goto irqs_off
#endif
	SWITCH_TO_ANY(allocated_switch)
	fi;
allocated_switch:
	SWITCHING(allocated);

#ifndef MERGED
irqs_off:
	if :: d_step { CLTS } fi; d_step { RESTORE };
	goto end_user
#endif
}
