import {
  ALL_COMPONENTS,
  CONTEXT,
  CPU_STATE,
  EXEC_STATE,
  EXIT,
  FRAME_PAGES,
  HEADER,
  LIFECYCLE,
  MOVE_INSTRUCTIONS,
  PRINCIPAL,
  applyEvent,
  eventType,
  eventTypes,
  events,
  valueId,
} from '@fpulab/core';
import { BH_OFF, CALLED, IRQS_OFF, PREEMPT_OFF } from '../../src/machine/frames';
import { FULL, aliveTask, changedWords, inUse, setWords, smallState, wordOf, type Words } from '../support/states';

interface Example {
  readonly fact: string;
  readonly event: string;
  readonly data: Readonly<Record<string, number>>;
  /** Words that differ from a fresh state before the event. */
  readonly before?: Words;
  /** Words that the event changes, and nothing else. */
  readonly changes: Words;
}

const { syscall, hardirq, user, kthread: kernelThread } = CONTEXT;
const RETURN = events.RETURN;

const STEPS: readonly Example[] = [
  {
    fact: 'a step that faulted is where its frame goes on: the conditions before it are answered',
    event: 'kernel.reached',
    data: { cpu: 0, task: 1, at: 14 },
    before: aliveTask(1, 2),
    changes: { 'task.frame.pc[1.1]': 14 },
  },
  {
    fact: 'a choice changes nothing: what follows from it does',
    event: 'choice.made',
    data: { kind: 1, taken: 2, index: 1, count: 3, enabled: 0x1234 },
    changes: {},
  },
  {
    fact: 'a kernel step moves the top frame on',
    event: 'kernel.stepped',
    data: { cpu: 0, task: 1, at: 10, next: 11 },
    before: aliveTask(1, 2),
    changes: { 'task.frame.pc[1.1]': 11 },
  },
  {
    fact: 'a returning context leaves no trace: pc, status and locals are zeroed, the frame below is as it was',
    event: 'kernel.stepped',
    data: { cpu: 0, task: 1, at: 10, next: RETURN },
    before: {
      ...aliveTask(1, 2, 10, hardirq | IRQS_OFF | BH_OFF),
      'task.frame.pc[1.0]': 4,
      'task.frame.status[1.0]': syscall,
      'task.frame.local[1.2]': 8,
      'task.frame.local[1.3]': 9,
    },
    changes: {
      'task.depth[1]': 1,
      'task.frame.pc[1.1]': 0,
      'task.frame.status[1.1]': 0,
      'task.frame.local[1.2]': 0,
      'task.frame.local[1.3]': 0,
    },
  },
  {
    fact: 'a returning routine leaves its masks to its caller',
    event: 'kernel.stepped',
    data: { cpu: 0, task: 1, at: 10, next: RETURN },
    before: {
      ...aliveTask(1, 2, 10, syscall | CALLED | IRQS_OFF | PREEMPT_OFF),
      'task.frame.status[1.0]': syscall,
    },
    changes: {
      'task.depth[1]': 1,
      'task.frame.pc[1.1]': 0,
      'task.frame.status[1.1]': 0,
      'task.frame.status[1.0]': syscall | IRQS_OFF | PREEMPT_OFF,
    },
  },
  {
    fact: 'a called caller stays called when its callee returns',
    event: 'kernel.stepped',
    data: { cpu: 0, task: 1, at: 10, next: RETURN },
    before: {
      ...aliveTask(1, 3, 10, syscall | CALLED),
      'task.frame.status[1.1]': syscall | CALLED | IRQS_OFF,
    },
    changes: {
      'task.depth[1]': 2,
      'task.frame.pc[1.2]': 0,
      'task.frame.status[1.2]': 0,
      'task.frame.status[1.1]': syscall | CALLED,
    },
  },
  {
    fact: 'a user step moves the program on',
    event: 'user.stepped',
    data: { cpu: 0, task: 2, at: 0, next: 1 },
    before: aliveTask(2, 1, 0, user),
    changes: { 'task.frame.pc[2.0]': 1 },
  },
  {
    fact: 'a kernel thread notes in its bottom frame how far its program got',
    event: 'kthread.stepped',
    data: { cpu: 0, task: 2, at: 0, next: 1 },
    before: aliveTask(2, 2, 30, kernelThread),
    changes: { 'task.frame.local[2.1]': 1 },
  },
];

const CONTEXTS: readonly Example[] = [
  {
    fact: 'a context is a frame of its own on the stack of the current task',
    event: 'context.entered',
    data: { cpu: 0, task: 0, at: 33, status: hardirq | IRQS_OFF },
    before: aliveTask(0, 1),
    changes: { 'task.depth[0]': 2, 'task.frame.pc[0.1]': 33, 'task.frame.status[0.1]': hardirq | IRQS_OFF },
  },
  {
    fact: 'a called routine has the masks of its caller',
    event: 'routine.entered',
    data: { cpu: 0, task: 0, at: 33 },
    before: aliveTask(0, 1, 10, syscall | BH_OFF),
    changes: { 'task.depth[0]': 2, 'task.frame.pc[0.1]': 33, 'task.frame.status[0.1]': syscall | BH_OFF | CALLED },
  },
  {
    fact: 'a guest stands at the beginning of its program',
    event: 'guest.created',
    data: { task: 1 },
    changes: { 'task.lifecycle[1]': LIFECYCLE.alive, 'task.depth[1]': 1 },
  },
  {
    fact: 'guest mode is a frame of the thread that runs the guest',
    event: 'guest.entered',
    data: { cpu: 0, task: 0, guest: 1, at: 33, status: CONTEXT.guest | IRQS_OFF },
    before: aliveTask(0, 2, 10, syscall),
    changes: { 'task.depth[0]': 3, 'task.frame.pc[0.2]': 33, 'task.frame.status[0.2]': CONTEXT.guest | IRQS_OFF },
  },
  {
    fact: 'when a processor leaves guest mode, whoever had entered it knows why',
    event: 'guest.exited',
    data: { cpu: 0, task: 0, guest: 1, exit: EXIT.hlt },
    before: {
      ...aliveTask(0, 3, 10, syscall),
      'task.frame.pc[0.2]': 33,
      'task.frame.status[0.2]': CONTEXT.guest | IRQS_OFF,
    },
    changes: {
      'task.depth[0]': 2,
      'task.frame.pc[0.2]': 0,
      'task.frame.status[0.2]': 0,
      'task.frame.local[0.2]': EXIT.hlt,
    },
  },
  {
    fact: 'masks change in the top frame only',
    event: 'masks.changed',
    data: { cpu: 0, task: 0, status: syscall | PREEMPT_OFF },
    before: { ...aliveTask(0, 2, 10, syscall), 'task.frame.status[0.0]': syscall },
    changes: { 'task.frame.status[0.1]': syscall | PREEMPT_OFF },
  },
  {
    fact: 'a local is a word of its frame',
    event: 'local.written',
    data: { cpu: 0, task: 2, frame: 3, index: 1, value: -5 },
    before: aliveTask(2, 4),
    changes: { 'task.frame.local[2.7]': -5 },
  },
  {
    fact: 'an exhausted stack kills the task and stops the CPU; all that it had picked are free again',
    event: 'kernel.stack-overflowed',
    data: { cpu: 1, task: 2 },
    before: { ...aliveTask(2, 4), 'cpu.current[1]': 2, 'task.picked-by[0]': 2, 'task.picked-by[1]': 2 },
    changes: {
      'task.lifecycle[2]': LIFECYCLE.dead,
      'cpu.current[1]': -1,
      'task.picked-by[0]': -1,
      'task.picked-by[1]': -1,
    },
  },
  {
    fact: 'an exhausted stack does not free whom a sleeping task of that CPU had picked',
    event: 'kernel.stack-overflowed',
    data: { cpu: 1, task: 2 },
    before: {
      ...aliveTask(2, 4),
      'cpu.current[1]': 2,
      'task.last-ran[1]': 1,
      'task.sleeping[1]': 1,
      'task.picked-by[0]': 1,
    },
    changes: { 'task.lifecycle[2]': LIFECYCLE.dead, 'cpu.current[1]': -1 },
  },
  {
    fact: 'a panic kills the task and stops the CPU; whom it had picked is free again, whom a sleeping task of that CPU picked is not',
    event: 'kernel.panicked',
    data: { cpu: 0, task: 1 },
    before: {
      ...aliveTask(1, 3),
      'cpu.current[0]': 1,
      'task.last-ran[0]': 0,
      'task.sleeping[0]': 1,
      'task.picked-by[0]': 1,
      'task.picked-by[2]': 0,
    },
    changes: { 'task.lifecycle[1]': LIFECYCLE.dead, 'cpu.current[0]': -1, 'task.picked-by[0]': -1 },
  },
  {
    fact: 'a sleeping point changes nothing',
    event: 'kernel.might-sleep',
    data: { cpu: 0, task: 0, status: syscall },
    before: aliveTask(0, 1),
    changes: {},
  },
];

const TASKS: readonly Example[] = [
  {
    fact: "the ABI gives a component a value, which is the program's own from then on",
    event: 'architectural.set',
    data: { task: 1, component: 2, value: 77 },
    before: { 'task.execed[1]': 0b111 },
    changes: { 'task.architectural[1.2]': 77, 'task.execed[1]': 0b011 },
  },
  {
    fact: 'a new task has its program at the bottom of its stack and kernel code above it',
    event: 'task.created',
    data: { task: 1, at: 20, status: syscall | IRQS_OFF, user: 3, userStatus: user },
    changes: {
      'task.lifecycle[1]': LIFECYCLE.alive,
      'task.depth[1]': 2,
      'task.frame.pc[1.0]': 3,
      'task.frame.pc[1.1]': 20,
      'task.frame.status[1.1]': syscall | IRQS_OFF,
    },
  },
  {
    fact: 'a new task without a program (an idle task) has kernel code alone',
    event: 'task.created',
    data: { task: 2, at: 20, status: CONTEXT.kthread, user: -1, userStatus: 0 },
    changes: {
      'task.lifecycle[2]': LIFECYCLE.alive,
      'task.depth[2]': 1,
      'task.frame.pc[2.0]': 20,
      'task.frame.status[2.0]': CONTEXT.kthread,
    },
  },
  {
    fact: 'a booted CPU runs its idle task',
    event: 'cpu.booted',
    data: { cpu: 1, task: 2 },
    changes: { 'cpu.current[1]': 2, 'task.last-ran[2]': 1 },
  },
  {
    fact: 'a task sleeps until somebody picks it',
    event: 'task.slept',
    data: { cpu: 0, task: 1 },
    changes: { 'task.sleeping[1]': 1 },
  },
  {
    fact: 'a picked task is awake and reserved for the task that runs on that CPU',
    event: 'task.picked',
    data: { cpu: 1, task: 0 },
    before: { 'cpu.current[0]': 1, 'cpu.current[1]': 2, 'task.sleeping[0]': 1 },
    changes: { 'task.picked-by[0]': 2, 'task.sleeping[0]': 0 },
  },
  {
    fact: 'a task that its CPU picks again is awake, and not reserved: it runs there already',
    event: 'task.picked',
    data: { cpu: 1, task: 0 },
    before: { 'cpu.current[1]': 0, 'task.sleeping[0]': 1 },
    changes: { 'task.sleeping[0]': 0 },
  },
  {
    fact: 'a task that a nested schedule() picks does not free the one that the outer one picked',
    event: 'task.picked',
    data: { cpu: 1, task: 0 },
    before: { 'cpu.current[1]': 2, 'task.picked-by[1]': 2 },
    changes: { 'task.picked-by[0]': 2 },
  },
  {
    fact: 'a switch changes current and where the new task ran last; others stay reserved, fpregs and frames as they are',
    event: 'task.switched',
    data: { cpu: 1, prev: 2, next: 0 },
    before: { 'task.picked-by[0]': 2, 'task.picked-by[1]': 2, 'cpu.current[1]': 2, 'task.last-ran[0]': 0 },
    changes: { 'task.picked-by[0]': -1, 'cpu.current[1]': 0, 'task.last-ran[0]': 1 },
  },
  {
    fact: "a forked child has its parent's architectural state",
    event: 'task.forked',
    data: { cpu: 0, parent: 2, child: 0 },
    before: { 'task.architectural[2.0]': 77, 'task.architectural[2.2]': 78, 'task.architectural[0.1]': 5 },
    changes: { 'task.architectural[0.0]': 77, 'task.architectural[0.1]': 0, 'task.architectural[0.2]': 78 },
  },
  {
    fact: 'after execve() the architectural state is INIT',
    event: 'task.execed',
    data: { cpu: 0, task: 1 },
    before: { 'task.architectural[1.0]': 77, 'task.architectural[1.2]': 78, 'task.serial[1]': 4 },
    changes: { 'task.architectural[1.0]': 0, 'task.architectural[1.2]': 0, 'task.execed[1]': ALL_COMPONENTS },
  },
  {
    fact: 'an exiting task needs its state no more',
    event: 'task.exiting',
    data: { cpu: 0, task: 1 },
    before: { 'task.architectural[1.1]': 77 },
    changes: { 'task.architectural[1.1]': 0, 'task.execed[1]': ALL_COMPONENTS },
  },
  {
    fact: 'an exited task is dead',
    event: 'task.exited',
    data: { cpu: 0, task: 1 },
    before: { 'task.lifecycle[1]': LIFECYCLE.alive },
    changes: { 'task.lifecycle[1]': LIFECYCLE.dead },
  },
  {
    fact: 'an exited task frees all that it had picked; its CPU goes on',
    event: 'task.exited',
    data: { cpu: 0, task: 1 },
    before: { ...aliveTask(1, 2), 'cpu.current[0]': 1, 'task.picked-by[0]': 1, 'task.picked-by[2]': 1 },
    changes: { 'task.lifecycle[1]': LIFECYCLE.dead, 'task.picked-by[0]': -1, 'task.picked-by[2]': -1 },
  },
  {
    fact: 'an exited task does not free whom a sleeping task of that CPU had picked',
    event: 'task.exited',
    data: { cpu: 0, task: 1 },
    before: {
      ...aliveTask(1, 2),
      'cpu.current[0]': 1,
      'task.last-ran[0]': 0,
      'task.sleeping[0]': 1,
      'task.picked-by[2]': 0,
    },
    changes: { 'task.lifecycle[1]': LIFECYCLE.dead },
  },
];

const PROCESSOR: readonly Example[] = [
  { fact: 'CR0 is per CPU', event: 'cr0.written', data: { cpu: 1, value: 0x33 }, changes: { 'cpu.cr0[1]': 0x33 } },
  {
    fact: 'an exception changes nothing: entering its handler does',
    event: 'trap.raised',
    data: { cpu: 0, task: 0, vector: 7, user: 1, at: 0 },
    changes: {},
  },
  {
    fact: 'a hypercall changes nothing: what the hypervisor does about it does',
    event: 'hypercall.made',
    data: { cpu: 1, task: 2, number: 5, argument: 1 },
    before: { ...aliveTask(2, 2), 'cpu.current[1]': 2 },
    changes: {},
  },
  {
    fact: "a task's value goes into the fpregs and is its architectural one; its serial is noted",
    event: 'fpregs.written',
    data: { cpu: 1, component: 2, value: valueId(1, 9) },
    changes: { 'cpu.fpregs[1.2]': valueId(1, 9), 'task.architectural[0.2]': valueId(1, 9), 'task.serial[0]': 9 },
  },
  {
    fact: "a kernel section's value is nobody's architectural state",
    event: 'fpregs.written',
    data: { cpu: 0, component: 1, value: valueId(PRINCIPAL.kernel, 3) },
    changes: { 'cpu.fpregs[0.1]': valueId(PRINCIPAL.kernel, 3), 'kernel.serial': 3 },
  },
  {
    fact: "another guest's value has no serial here",
    event: 'fpregs.written',
    data: { cpu: 0, component: 0, value: valueId(PRINCIPAL.otherGuest, 1) },
    changes: { 'cpu.fpregs[0.0]': valueId(PRINCIPAL.otherGuest, 1) },
  },
  {
    fact: 'reading registers changes nothing',
    event: 'fpregs.read',
    data: { cpu: 0, task: 0, component: 1, value: 3 },
    changes: {},
  },
  {
    fact: 'a kernel section looking at its registers changes nothing',
    event: 'kernel.fpregs-checked',
    data: { cpu: 0, task: 0, component: 1, value: 3, expected: 4 },
    changes: {},
  },
  {
    fact: 'INIT goes to the components in the bitmap; bits of no component are ignored',
    event: 'fpregs.initialised',
    data: { cpu: 1, xfeatures: 0b1000_0101 },
    before: { 'cpu.fpregs[1.0]': 11, 'cpu.fpregs[1.1]': 12, 'cpu.fpregs[1.2]': 13, 'cpu.fpregs[0.0]': 14 },
    changes: { 'cpu.fpregs[1.0]': 0, 'cpu.fpregs[1.2]': 0 },
  },
  {
    fact: 'a save moves value ids into the image and leaves the registers',
    event: 'fpregs.saved',
    data: { cpu: 1, fpstate: 3, xfeatures: 0b011, bytes: 832, instruction: MOVE_INSTRUCTIONS.indexOf('XSAVE') },
    before: { 'cpu.fpregs[1.0]': 11, 'cpu.fpregs[1.1]': 12, 'cpu.fpregs[1.2]': 13 },
    changes: { 'fpstate.image[3.0]': 11, 'fpstate.image[3.1]': 12, 'fpstate.xstate-bv[3]': 0b011 },
  },
  {
    fact: 'a save clears the bits of components that are INIT, keeps those that it was not asked for, and makes a good header',
    event: 'fpregs.saved',
    data: { cpu: 1, fpstate: 3, xfeatures: 0b011, bytes: 832, instruction: MOVE_INSTRUCTIONS.indexOf('XSAVE') },
    before: { 'cpu.fpregs[1.0]': 11, 'fpstate.xstate-bv[3]': 0b110, 'fpstate.header[3]': HEADER.reserved },
    changes: { 'fpstate.image[3.0]': 11, 'fpstate.xstate-bv[3]': 0b101, 'fpstate.header[3]': HEADER.valid },
  },
  {
    fact: 'a save stores a component that XFD disables as INIT',
    event: 'fpregs.saved',
    data: { cpu: 1, fpstate: 3, xfeatures: 0b011, bytes: 832, instruction: MOVE_INSTRUCTIONS.indexOf('XSAVE') },
    before: { 'cpu.fpregs[1.0]': 11, 'cpu.fpregs[1.1]': 12, 'cpu.xfd[1]': 0b010 },
    changes: { 'fpstate.image[3.0]': 11, 'fpstate.xstate-bv[3]': 0b001 },
  },
  {
    fact: 'a restore moves value ids into the registers and leaves the image',
    event: 'fpregs.restored',
    data: { cpu: 0, fpstate: 2, xfeatures: 0b110, bytes: 832, instruction: MOVE_INSTRUCTIONS.indexOf('XRSTOR') },
    before: inUse({ 'fpstate.image[2.0]': 11, 'fpstate.image[2.1]': 12, 'fpstate.image[2.2]': 13 }),
    changes: { 'cpu.fpregs[0.1]': 12, 'cpu.fpregs[0.2]': 13 },
  },
  {
    fact: 'a restore puts components whose bit of XSTATE_BV is clear into INIT, whatever their slots hold',
    event: 'fpregs.restored',
    data: { cpu: 0, fpstate: 2, xfeatures: 0b110, bytes: 832, instruction: MOVE_INSTRUCTIONS.indexOf('XRSTOR') },
    before: { 'fpstate.image[2.1]': 12, 'fpstate.xstate-bv[2]': 0b100, 'cpu.fpregs[0.1]': 9, 'fpstate.image[2.2]': 13 },
    changes: { 'cpu.fpregs[0.1]': 0, 'cpu.fpregs[0.2]': 13 },
  },
  {
    fact: "a value that the kernel loads into a register is nobody's latest by that",
    event: 'fpregs.loaded',
    data: { cpu: 1, component: 2, value: valueId(1, 7) },
    changes: { 'cpu.fpregs[1.2]': valueId(1, 7) },
  },
  {
    fact: 'what user code puts into INIT state is what it ought to see from then on',
    event: 'fpregs.released',
    data: { cpu: 1, task: 2, xfeatures: 0b110 },
    before: {
      'cpu.fpregs[1.0]': 11,
      'cpu.fpregs[1.1]': 12,
      'task.architectural[2.0]': 11,
      'task.architectural[2.1]': 12,
      'task.execed[2]': 0b011,
    },
    changes: { 'cpu.fpregs[1.1]': 0, 'task.architectural[2.1]': 0, 'task.execed[2]': 0b001 },
  },
  {
    fact: 'IA32_XFD is per CPU',
    event: 'xfd.written',
    data: { cpu: 1, value: 0b100 },
    changes: { 'cpu.xfd[1]': 0b100 },
  },
  {
    fact: 'IA32_XFD_ERR is per CPU',
    event: 'xfd.err-written',
    data: { cpu: 0, value: 0b100 },
    changes: { 'cpu.xfd-err[0]': 0b100 },
  },
  {
    fact: 'a restore that is left out changes nothing',
    event: 'fpregs.restore-skipped',
    data: { cpu: 0, task: 1 },
    changes: {},
  },
];

const SVA: readonly Example[] = [
  {
    fact: 'the PASID of a process is kept with the task that stands for it',
    event: 'mm.pasid-written',
    data: { cpu: 1, leader: 2, value: valueId(PRINCIPAL.pasid, 1) },
    changes: { 'task.mm-pasid[2]': valueId(PRINCIPAL.pasid, 1) },
  },
  {
    fact: 'a value that the kernel gives a task is in the register, and what the task has from now on',
    event: 'fpregs.given',
    data: { cpu: 1, task: 2, component: 2, value: valueId(PRINCIPAL.pasid, 1) },
    before: { 'task.execed[2]': 0b111 },
    changes: {
      'cpu.fpregs[1.2]': valueId(PRINCIPAL.pasid, 1),
      'task.architectural[2.2]': valueId(PRINCIPAL.pasid, 1),
      'task.execed[2]': 0b011,
    },
  },
];

/** An image that holds AVX, the last component, alone: SMALL has no other that is extended, so XSAVES puts it where it is anyway. */
const ALONE: readonly Example[] = [
  {
    fact: 'XSAVES of one component leaves that one alone in the image, and in its XSTATE_BV',
    event: 'fpregs.saved-alone',
    data: { cpu: 1, fpstate: 0, component: 2, bytes: 832, instruction: MOVE_INSTRUCTIONS.indexOf('XSAVES') },
    before: inUse({ 'cpu.fpregs[1.2]': 7, 'fpstate.image[0.0]': 5, 'fpstate.image[0.1]': 6 }),
    changes: { 'fpstate.image[0.2]': 7, 'fpstate.xstate-bv[0]': 0b100, 'fpstate.alone[0]': 0b100 },
  },
  {
    fact: 'XSAVES of one component that is INIT writes nothing but the header',
    event: 'fpregs.saved-alone',
    data: { cpu: 1, fpstate: 0, component: 2, bytes: 832, instruction: MOVE_INSTRUCTIONS.indexOf('XSAVES') },
    before: inUse({ 'fpstate.image[0.1]': 6, 'fpstate.image[0.2]': 8 }),
    changes: { 'fpstate.xstate-bv[0]': 0, 'fpstate.alone[0]': 0b100 },
  },
  {
    fact: 'XRSTORS looks for it behind the header',
    event: 'fpregs.restored',
    data: { cpu: 0, fpstate: 0, xfeatures: 0b010, bytes: 832, instruction: MOVE_INSTRUCTIONS.indexOf('XRSTORS') },
    before: {
      'fpstate.alone[0]': 0b010,
      'fpstate.xstate-bv[0]': 0b010,
      'fpstate.image[0.1]': 6,
      'fpstate.image[0.2]': 8,
    },
    changes: { 'cpu.fpregs[0.1]': 8 },
  },
  {
    fact: 'XSAVES of all gives the image its usual layout again',
    event: 'fpregs.saved',
    data: { cpu: 0, fpstate: 0, xfeatures: 0b111, bytes: 832, instruction: MOVE_INSTRUCTIONS.indexOf('XSAVES') },
    before: { 'fpstate.alone[0]': 0b010, 'cpu.fpregs[0.1]': 4 },
    changes: { 'fpstate.alone[0]': 0, 'fpstate.image[0.1]': 4, 'fpstate.xstate-bv[0]': 0b010 },
  },
  {
    fact: 'a register goes to its slot, and XSTATE_BV stays',
    event: 'fpstate.register-stored',
    data: { cpu: 0, fpstate: 2, component: 1 },
    before: { 'cpu.fpregs[0.1]': 9 },
    changes: { 'fpstate.image[2.1]': 9 },
  },
  {
    fact: 'a part of what a slot holds changes, whatever it is based on',
    event: 'fpstate.changed',
    data: { cpu: 0, task: 2, fpstate: 2, component: 1, base: 8, value: 9 },
    before: { 'fpstate.image[2.1]': 8 },
    changes: { 'fpstate.image[2.1]': 9 },
  },
  {
    fact: 'a component that is about to be updated is noted',
    event: 'update.begun',
    data: { task: 1, component: 2 },
    changes: { 'task.updating[1]': 0b100 },
  },
  {
    fact: 'what an update gives is what the task has',
    event: 'update.finished',
    data: { task: 1, component: 2, value: 9 },
    before: { 'task.updating[1]': 0b100, 'task.execed[1]': 0b111 },
    changes: { 'task.updating[1]': 0, 'task.architectural[1.2]': 9, 'task.execed[1]': 0b011 },
  },
];

const IPI: readonly Example[] = [
  {
    fact: 'a CPU is asked to run a function',
    event: 'ipi.sent',
    data: { cpu: 1, target: 0 },
    changes: { 'cpu.ipi[0]': 1 },
  },
  {
    fact: 'a CPU has run the function that it was asked for',
    event: 'ipi.done',
    data: { cpu: 0 },
    before: { 'cpu.ipi[0]': 1, 'cpu.ipi[1]': 1 },
    changes: { 'cpu.ipi[0]': 0 },
  },
  {
    fact: 'a thread that is killed by execve() wakes up from ptrace_stop()',
    event: 'thread.killed',
    data: { cpu: 0, task: 2, target: 1 },
    before: { 'task.stopped[0]': 1, 'task.stopped[1]': 1 },
    changes: { 'task.exec-state[1]': EXEC_STATE.killed, 'task.stopped[1]': 0 },
  },
  {
    fact: 'a thread waits in execve()',
    event: 'exec.waited',
    data: { cpu: 0, task: 2 },
    changes: { 'task.exec-state[2]': EXEC_STATE.waits },
  },
  {
    fact: 'the last thread to die wakes the one in execve()',
    event: 'exec.woken',
    data: { cpu: 0, task: 1, target: 2 },
    before: { 'task.exec-state[1]': EXEC_STATE.killed, 'task.exec-state[2]': EXEC_STATE.waits },
    changes: { 'task.exec-state[2]': EXEC_STATE.none },
  },
];

const USER_MEMORY: readonly Example[] = [
  {
    fact: 'a kernel thread has an address space while it borrows one',
    event: 'mm.borrowed',
    data: { cpu: 0, task: 2, borrowed: 1 },
    changes: { 'task.borrowed-mm[2]': 1 },
  },
  {
    fact: 'an access to user memory changes nothing here: what PKRU was, and what it should have been',
    event: 'user-memory.accessed',
    data: { cpu: 0, task: 1, pkru: 5, expected: 6 },
    changes: {},
  },
  {
    fact: 'the watch of PKRU changes nothing',
    event: 'kernel.pkru-changed',
    data: { cpu: 0, task: 1, at: 33, from: 5, to: 6 },
    changes: {},
  },
];

const SIGNALS: readonly Example[] = [
  {
    fact: 'a signal is pending until it is taken',
    event: 'signal.sent',
    data: { task: 1 },
    changes: { 'task.signal-pending[1]': 1 },
  },
  {
    fact: 'a signal that was taken is not pending',
    event: 'signal.taken',
    data: { cpu: 0, task: 1 },
    before: { 'task.signal-pending[1]': 1 },
    changes: { 'task.signal-pending[1]': 0 },
  },
  {
    fact: 'where a frame is placed nothing is yet, and nobody knows its pages',
    event: 'signal.frame-placed',
    data: { cpu: 0, task: 1 },
    before: {
      ...inUse({ 'fpstate.image[4.0]': 11 }),
      'fpstate.header[4]': HEADER.reserved,
      'task.frame-pages[1]': FRAME_PAGES.gone,
      'task.interrupted[1.2]': 5,
      'task.returning[1]': 1,
    },
    changes: {
      'fpstate.image[4.0]': 0,
      'fpstate.xstate-bv[4]': 0,
      'fpstate.header[4]': HEADER.valid,
      'task.frame-pages[1]': FRAME_PAGES.unknown,
      'task.interrupted[1.2]': 0,
      'task.returning[1]': 0,
    },
  },
  {
    fact: 'an access finds out about the pages of a frame',
    event: 'signal.frame-pages',
    data: { task: 2, pages: FRAME_PAGES.there },
    changes: { 'task.frame-pages[2]': FRAME_PAGES.there },
  },
  {
    fact: 'a complete frame holds what the task returns to; its handler starts with INIT, but for what is not initialised',
    event: 'signal.frame-completed',
    data: { cpu: 0, task: 1, initialised: 0b011 },
    before: { 'task.architectural[1.0]': 11, 'task.architectural[1.2]': 13 },
    changes: { 'task.interrupted[1.0]': 11, 'task.interrupted[1.2]': 13, 'task.architectural[1.0]': 0 },
  },
  {
    fact: 'a handler is entered at its operation, and the program remembered',
    event: 'signal.handler-entered',
    data: { cpu: 0, task: 1, handler: 9 },
    before: aliveTask(1, 1, 4, user),
    changes: { 'task.resume[1]': 4, 'task.frame.pc[1.0]': 9 },
  },
  {
    fact: 'a frame that does not fit its stack changes nothing else',
    event: 'signal.frame-overflowed',
    data: { cpu: 0, task: 1 },
    changes: {},
  },
  {
    fact: 'what a 32-bit program writes to the FSAVE header of its frame is what it has when it returns, and its latest',
    event: 'signal.fsave-written',
    data: { task: 1, component: 0, value: valueId(2, 7) },
    before: { 'task.interrupted[1.0]': valueId(2, 5), 'task.architectural[1.0]': valueId(2, 6) },
    changes: {
      'fpstate.image[7.0]': valueId(2, 7),
      'task.interrupted[1.0]': valueId(2, 7),
      'task.serial[1]': 7,
    },
  },
  {
    fact: 'a task that returns through its frame ought to see what that holds, and INIT where it holds nothing',
    event: 'signal.frame-returned',
    data: { cpu: 0, task: 1, restored: 0b001, initialised: 0b010 },
    before: {
      'task.interrupted[1.0]': 11,
      'task.architectural[1.0]': 21,
      'task.architectural[1.1]': 22,
      'task.architectural[1.2]': 23,
    },
    changes: {
      'task.interrupted[1.0]': 0,
      'task.architectural[1.0]': 11,
      'task.architectural[1.1]': 0,
      'task.returning[1]': 1,
    },
  },
  {
    fact: 'a task that is back goes on where its handler interrupted it, and its frame is forgotten',
    event: 'signal.handler-left',
    data: { cpu: 0, task: 1 },
    before: {
      ...aliveTask(1, 2, 30, syscall),
      ...inUse({ 'fpstate.image[4.1]': 12 }),
      'task.frame.pc[1.0]': 9,
      'task.resume[1]': 4,
      'task.returning[1]': 1,
      'task.frame-pages[1]': FRAME_PAGES.there,
    },
    changes: {
      'task.frame.pc[1.0]': 4,
      'task.resume[1]': -1,
      'task.returning[1]': 0,
      'task.frame-pages[1]': FRAME_PAGES.unknown,
      'fpstate.image[4.1]': 0,
      'fpstate.xstate-bv[4]': 0,
    },
  },
];

const IMAGES: readonly Example[] = [
  {
    fact: 'a slot is written, and XSTATE_BV is not',
    event: 'fpstate.written',
    data: { fpstate: 2, component: 1, value: 12 },
    changes: { 'fpstate.image[2.1]': 12 },
  },
  {
    fact: 'XSTATE_BV is written, and no slot is',
    event: 'fpstate.xstate-bv-written',
    data: { fpstate: 2, xfeatures: 0b101 },
    changes: { 'fpstate.xstate-bv[2]': 0b101 },
  },
  {
    fact: 'a header is spoiled',
    event: 'fpstate.header-written',
    data: { fpstate: 2, header: HEADER.fxOnly },
    changes: { 'fpstate.header[2]': HEADER.fxOnly },
  },
  {
    fact: 'allocated memory holds whatever was there',
    event: 'fpstate.allocated',
    data: { fpstate: 1 },
    before: { 'fpstate.image[1.0]': 11 },
    changes: { 'fpstate.allocated[1]': 1 },
  },
  {
    fact: 'freed memory keeps its contents',
    event: 'fpstate.freed',
    data: { fpstate: 1 },
    before: { 'fpstate.image[1.0]': 11, 'fpstate.allocated[1]': 1 },
    changes: { 'fpstate.allocated[1]': 0 },
  },
  {
    fact: 'an initialised image is INIT in all components',
    event: 'fpstate.initialised',
    data: { fpstate: 1 },
    before: { 'fpstate.image[1.0]': 11, 'fpstate.image[1.2]': 12, 'fpstate.image[2.0]': 13 },
    changes: { 'fpstate.image[1.0]': 0, 'fpstate.image[1.2]': 0 },
  },
  {
    fact: 'a copied image is the same in all components, allocated or not',
    event: 'fpstate.copied',
    data: { from: 0, to: 3 },
    before: { 'fpstate.image[0.0]': 11, 'fpstate.image[0.2]': 12, 'fpstate.image[3.1]': 13 },
    changes: { 'fpstate.image[3.0]': 11, 'fpstate.image[3.1]': 0, 'fpstate.image[3.2]': 12 },
  },
];

const TEST_SLOT = smallState(FULL).layout.field('test.task-slot').base;

const PLUGINS_AND_ORACLES: readonly Example[] = [
  {
    fact: 'a slot is a word like any other',
    event: 'slot.written',
    data: { slot: TEST_SLOT + 2, value: 1 },
    changes: { 'test.task-slot[2]': 1 },
  },
  {
    fact: 'the validity of a task is noted',
    event: 'validity.changed',
    data: { task: 1, from: 0, to: 3 },
    changes: { 'task.validity[1]': 3 },
  },
  {
    fact: 'a violation is noted per oracle, task and component: bit component + 1',
    event: 'oracle.violated',
    data: { oracle: 1, cpu: 0, reader: 2, component: 1, value: 5, expected: 6 },
    before: { 'task.reported[2.1]': 0b1010 },
    changes: { 'task.reported[2.1]': 0b1110 },
  },
  {
    fact: 'a violation without a component has bit 0',
    event: 'oracle.violated',
    data: { oracle: 3, cpu: 0, reader: 0, component: -1, value: 0, expected: 0 },
    changes: { 'task.reported[0.3]': 1 },
  },
];

/** The word of the task that freezes others: one per machine. */
const FROZEN_BY = wordOf(smallState(FULL), 'kernel.frozen-by');

const HOTPLUG: readonly Example[] = [
  {
    fact: 'a CPU is told to go down',
    event: 'cpu.leaving',
    data: { target: 1 },
    changes: { 'cpu.state[1]': CPU_STATE.leaving },
  },
  { fact: 'it stops', event: 'cpu.died', data: { cpu: 1 }, changes: { 'cpu.state[1]': CPU_STATE.dead } },
  {
    fact: 'it starts again',
    event: 'cpu.kicked',
    data: { target: 1 },
    changes: { 'cpu.state[1]': CPU_STATE.starting },
  },
  {
    fact: 'it has come up',
    event: 'cpu.online',
    data: { cpu: 1 },
    before: { 'cpu.state[1]': CPU_STATE.starting },
    changes: { 'cpu.state[1]': CPU_STATE.online },
  },
  {
    fact: 'INIT clears CR4, and leaves FPU registers, XCR0 and IA32_XFD alone',
    event: 'cpu.init-received',
    data: { cpu: 1 },
    before: {
      'cpu.fpregs[1.0]': valueId(1, 1),
      'cpu.cr4[0]': 0x600,
      'cpu.cr4[1]': 0x600,
      'cpu.xcr0[1]': 7,
      'cpu.xfd[1]': 4,
    },
    changes: { 'cpu.cr4[1]': 0 },
  },
  {
    fact: 'without power a CPU is as RESET leaves it, and so is the image of its vCPU; CR0 is an event of its own',
    event: 'cpu.power-lost',
    data: { cpu: 1 },
    before: {
      'cpu.fpregs[0.0]': valueId(1, 1),
      'cpu.fpregs[1.0]': valueId(1, 1),
      'cpu.fpregs[1.1]': valueId(2, 1),
      'cpu.cr4[1]': 0x600,
      'cpu.xcr0[0]': 7,
      'cpu.xcr0[1]': 7,
      'cpu.xfd[1]': 4,
      'cpu.xfd-err[1]': 4,
    },
    changes: {
      'cpu.fpregs[1.0]': 0,
      'cpu.fpregs[1.1]': 0,
      'cpu.cr4[1]': 0,
      'cpu.xcr0[1]': 1,
      'cpu.xfd[1]': 0,
      'cpu.xfd-err[1]': 0,
    },
  },
  { fact: 'CR4 is per CPU', event: 'cr4.written', data: { cpu: 0, value: 0x600 }, changes: { 'cpu.cr4[0]': 0x600 } },
  {
    fact: 'XSETBV leaves the bits of IA32_XSS alone',
    event: 'xcr0.written',
    data: { cpu: 0, value: 0b111 },
    before: { 'cpu.xcr0[0]': (1 << 11) | 1 },
    changes: { 'cpu.xcr0[0]': (1 << 11) | 0b111 },
  },
  {
    fact: 'IA32_XSS leaves those of XCR0 alone',
    event: 'xss.written',
    data: { cpu: 0, value: 1 << 11 },
    before: { 'cpu.xcr0[0]': 0b111 },
    changes: { 'cpu.xcr0[0]': (1 << 11) | 0b111 },
  },
  {
    fact: 'one task freezes the others',
    event: 'tasks.frozen',
    data: { by: FROZEN_BY, task: 2 },
    changes: { 'kernel.frozen-by': 2 },
  },
  {
    fact: 'they go on',
    event: 'tasks.thawed',
    data: { by: FROZEN_BY },
    before: { 'kernel.frozen-by': 2 },
    changes: { 'kernel.frozen-by': -1 },
  },
];

const TRACERS: readonly Example[] = [
  {
    fact: 'a task that stopped for its tracer waits',
    event: 'task.stopped',
    data: { cpu: 0, task: 1 },
    changes: { 'task.stopped[1]': 1 },
  },
  {
    fact: 'a tracer lets its target go on',
    event: 'task.continued',
    data: { cpu: 0, task: 2, target: 1 },
    before: { 'task.stopped[0]': 1, 'task.stopped[1]': 1 },
    changes: { 'task.stopped[1]': 0 },
  },
  {
    fact: 'showing an image changes nothing',
    event: 'fpstate.shown',
    data: { cpu: 0, task: 2, target: 1, component: 1, value: valueId(2, 1) },
    changes: {},
  },
  {
    fact: "what a tracer writes is in the image, marked in XSTATE_BV, and its target's own latest value",
    event: 'fpstate.traced',
    data: { cpu: 0, target: 1, fpstate: 1, component: 2, value: valueId(2, 7) },
    before: { 'task.execed[1]': 0b111, 'fpstate.xstate-bv[1]': 0b1, 'cpu.fpregs[0.2]': valueId(2, 6) },
    changes: {
      'fpstate.image[1.2]': valueId(2, 7),
      'fpstate.xstate-bv[1]': 0b101,
      'task.architectural[1.2]': valueId(2, 7),
      'task.execed[1]': 0b011,
      'task.serial[1]': 7,
    },
  },
];

const EXAMPLES = [
  ...STEPS,
  ...CONTEXTS,
  ...TASKS,
  ...PROCESSOR,
  ...SVA,
  ...ALONE,
  ...IPI,
  ...USER_MEMORY,
  ...SIGNALS,
  ...TRACERS,
  ...HOTPLUG,
  ...IMAGES,
  ...PLUGINS_AND_ORACLES,
];

describe('what events do to the state', () => {
  it.each(EXAMPLES)('$event: $fact', ({ event, data, before = {}, changes }) => {
    const type = eventType(event);
    if (type === undefined) throw new Error(`no event type '${event}'`);
    expect(Object.keys(data).sort()).toEqual([...type.fieldNames].sort());
    const state = setWords(smallState(FULL), before);
    const words = state.words.slice();
    applyEvent(state, type, data);
    expect(changedWords(state, words)).toEqual(changes);
  });

  it('the examples cover every event type that is no hook', () => {
    const covered = new Set(EXAMPLES.map(({ event }) => event));
    const all = eventTypes().filter(({ hook }) => !hook);
    expect(all.map(({ name }) => name).filter((name) => !covered.has(name))).toEqual([]);
  });

  const hooks = eventTypes().filter(({ hook }) => hook);

  it.each(hooks.map(({ name }) => name))('%s changes nothing itself', (name) => {
    const state = setWords(smallState(), aliveTask(0, 1));
    const words = state.words.slice();
    applyEvent(state, eventType(name) ?? hooks[0], { cpu: 0, task: 0, next: 1, child: 1 });
    expect(changedWords(state, words)).toEqual({});
  });

  it('there is one hook for each thing that policies and platforms are asked', () => {
    expect(hooks.map(({ name }) => name.replace('hook.', ''))).toEqual([
      'kvm-vcpu-load',
      'kvm-vcpu-put',
      'kvm-run-begin',
      'kvm-run-end',
      'kvm-requests',
      'kvm-prepare-guest',
      'kvm-requests-pending',
      'kvm-enter-guest',
      'kvm-exit-guest',
      'kvm-get-fpu',
      'kvm-put-fpu',
      'kvm-guest-nm',
      'kvm-guest-cr3',
      'kvm-guest-xsetbv',
      'switch-out',
      'switch-in',
      'trap-nm',
      'irq-fpu-usable',
      'kernel-fpu-begin',
      'kernel-fpu-end',
      'fork',
      'exec',
      'exit',
      'exit-to-user-prepare',
      'signal-save',
      'signal-clear',
      'signal-restore',
      'signal-save-ia32',
      'signal-restore-ia32',
      'ptrace-read',
      'ptrace-write',
      'core-dump',
      'exit-to-user',
      'cpu-up',
      'trap-gp',
      'native-cpu-up',
      'cpu-init',
      'cpu-suspend',
      'cpu-resume',
      'idle',
      'request-xcomp-perm',
      'sigaltstack',
      'sva-bound',
      'call-function',
      'pkey-access',
      'kernel-fpu-section',
      'use-mm',
      'unuse-mm',
      'nm-raised',
      'context-switch-start',
      'context-switch-end',
      'halt',
      'vcpu-preempted',
      'suspend',
    ]);
  });
});
