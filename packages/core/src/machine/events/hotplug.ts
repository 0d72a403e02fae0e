/** CPUs go down and come up, and the machine loses its power. */
import { defineEvent, type Apply } from '../event-type';
import { CPU_STATE } from '../state';
import { INIT } from '../values';
import { SUPERVISOR_COMPONENTS, X87 } from '../../x86/components';

const stateOf =
  (state: number): Apply =>
  (s, cpu) => {
    s.words[s.at.cpuState + cpu] = state;
  };

/** A CPU was told to go down: the task that it runs has to leave it. Linux: cpu_down(), from any CPU. */
export const CpuLeaving = defineEvent('cpu.leaving', { target: 'cpu' }, stateOf(CPU_STATE.leaving));

/** The CPU stopped in its idle task, with nothing else to run. Linux: play_dead(). */
export const CpuDied = defineEvent('cpu.died', { cpu: 'cpu' }, stateOf(CPU_STATE.dead));

/** Another CPU had it start again: INIT and SIPI, or VCPUOP_up of Xen. */
export const CpuKicked = defineEvent('cpu.kicked', { target: 'cpu' }, stateOf(CPU_STATE.starting));

/** The CPU has come up. Linux: set_cpu_online(). */
export const CpuOnline = defineEvent('cpu.online', { cpu: 'cpu' }, stateOf(CPU_STATE.online));

/**
 * INIT: CR4 is 0. FPU registers, XCR0, IA32_XSS and IA32_XFD stay as they were; what CR0 becomes is an event of its own.
 *
 * Intel SDM Vol. 3A "Processor State After Reset" (10.1.1), the table of states after power-up, RESET, and INIT.
 */
export const InitReceived = defineEvent(
  'cpu.init-received',
  { cpu: 'cpu' },
  (s, cpu) => {
    s.words[s.at.cr4 + cpu] = 0;
  },
  { fpu: true },
);

/** The processor lost its power, and all that it held with it: it, or a vCPU with its image, is as RESET leaves it. What CR0 becomes is an event of its own. */
export const PowerLost = defineEvent(
  'cpu.power-lost',
  { cpu: 'cpu' },
  (s, cpu) => {
    const n = s.at.components;
    s.words.fill(INIT, s.at.fpregs + cpu * n, s.at.fpregs + (cpu + 1) * n);
    const image = s.at.vcpuFpstates + cpu;
    s.words.fill(INIT, s.at.image + image * n, s.at.image + (image + 1) * n);
    s.words[s.at.xstateBv + image] = 0;
    s.words[s.at.cr4 + cpu] = 0;
    s.words[s.at.xcr0 + cpu] = 1 << X87;
    if (s.at.xfd < 0) return;
    s.words[s.at.xfd + cpu] = 0;
    s.words[s.at.xfdErr + cpu] = 0;
  },
  { fpu: true },
);

/** CR4 got a value. */
export const Cr4Written = defineEvent(
  'cr4.written',
  { cpu: 'cpu', value: 'mask' },
  (s, cpu, value) => {
    s.words[s.at.cr4 + cpu] = value;
  },
  { fpu: true },
);

/** XCR0 got a value: XSETBV. */
export const Xcr0Written = defineEvent(
  'xcr0.written',
  { cpu: 'cpu', value: 'mask' },
  (s, cpu, value) => {
    s.words[s.at.xcr0 + cpu] = (s.words[s.at.xcr0 + cpu] & SUPERVISOR_COMPONENTS) | value;
  },
  { fpu: true },
);

/** IA32_XSS got a value. */
export const XssWritten = defineEvent(
  'xss.written',
  { cpu: 'cpu', value: 'mask' },
  (s, cpu, value) => {
    s.words[s.at.xcr0 + cpu] = (s.words[s.at.xcr0 + cpu] & ~SUPERVISOR_COMPONENTS) | value;
  },
  { fpu: true },
);

/** The task that suspends the machine has frozen all others. Linux: freeze_processes(). `by` is the word that says who did. */
export const TasksFrozen = defineEvent('tasks.frozen', { by: 'slot', task: 'task' }, (s, by, task) => {
  s.words[by] = task;
});

/** They go on. Linux: thaw_processes(). */
export const TasksThawed = defineEvent('tasks.thawed', { by: 'slot' }, (s, by) => {
  s.words[by] = -1;
});
