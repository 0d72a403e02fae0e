/**
 * CPUs go down and come up, and the machine is suspended to RAM.
 *
 * Linux 3.6 to 6.12 kernel/cpu.c; arch/x86/kernel/smpboot.c native_cpu_up(), native_kick_ap(), start_secondary(), native_play_dead();
 * arch/x86/xen/smp.c, smp_pv.c xen_cpu_up(), xen_play_dead(), cpu_bringup(); kernel/power/suspend.c suspend_enter();
 * arch/x86/power/cpu.c __save_processor_state(), __restore_processor_state().
 *
 * What Linux does on the CPU that brings another one up (`owner = NULL` in native_cpu_up()), that CPU does itself here, first of all:
 * nobody looks at what it keeps in between. cpu_down() does not wait until its CPU is dead. Tasks freeze wherever they can be taken from
 * their CPU; Linux waits until they are on their way to user code, or asleep where they may freeze.
 */
import * as events from '../machine/events';
import { CPU_STATE } from '../machine/state';
import { SUPERVISOR_COMPONENTS } from '../x86/components';
import { CR0_STARTUP, CR4_OSFXSR, CR4_OSXMMEXCPT, CR4_OSXSAVE, CR4_PKE } from '../x86/control-registers';
import type { CpuModel } from '../x86/cpu-model';
import { CHOICE } from './choices';
import type { Cpu } from './cpu';
import { at, exitPath, hookStep as hook, type ExitServices } from './exit-to-user';
import { NOBODY } from './kernel';
import type { PlatformHook, PolicyHook } from './hooks';
import type { SyscallName } from './program';
import { group, routine, when, type Condition, type Routine, type RoutineNode } from './routine';

/** System calls by which CPUs go down and come up. */
export const HOTPLUG_SYSCALLS: readonly SyscallName[] = ['cpu_down', 'cpu_up', 'suspend'];

/** What these routines need of the machine around them. */
export interface HotplugServices extends ExitServices {
  uses(name: SyscallName): boolean;
  /** The processor as the kernel sees it. */
  readonly model: CpuModel;
  /** The kernel asks its hypervisor for CPUs, which keeps what they hold: no INIT, no loss of power. */
  readonly paravirtualCpus: boolean;
}

/** The routine of suspend to RAM. */
export const SUSPEND_ROUTINE = 'sys_suspend';
/** Steps at which it waits for the other CPUs: until none is in one of these states. */
export const SUSPEND_WAITS: Readonly<Record<string, readonly number[]>> = {
  cpu_maps_update_begin: [CPU_STATE.starting],
  'wait for the other CPUs': [CPU_STATE.online, CPU_STATE.leaving],
};
const [UNTIL_UP, UNTIL_DEAD] = Object.keys(SUSPEND_WAITS);

const usesHotplug = ({ uses }: HotplugServices): boolean => HOTPLUG_SYSCALLS.some((name) => uses(name));

/** CR4 while Linux runs, as far as it concerns the FPU. */
export function runningCr4({ features }: CpuModel): number {
  return (
    (features.includes('fxsr') ? CR4_OSFXSR : 0) |
    (features.includes('sse') ? CR4_OSXMMEXCPT : 0) |
    (features.includes('xsave') ? CR4_OSXSAVE : 0) |
    (features.includes('pku') ? CR4_PKE : 0)
  );
}

const optional = (services: HotplugServices, name: PolicyHook | PlatformHook, node: RoutineNode) =>
  services.answers(name) ? [node] : [];

/** In the idle loop: the CPU stops when it has been told to, and goes on when another one kicks it. */
export function playDead(services: HotplugServices): readonly RoutineNode[] {
  if (!usesHotplug(services)) return [];
  const { model, paravirtualCpus } = services;
  const byInit: readonly RoutineNode[] = [
    ...optional(services, 'native-cpu-up', hook('native_cpu_up', events.NativeCpuUp)),
    at('INIT, SIPI', (k) => k.receiveInit()),
    at('secondary_startup_64', (k) => k.writeCr0(CR0_STARTUP)),
  ];
  return [
    when(isLeaving, [
      at('play_dead', (k) => {
        k.localIrqDisable();
        k.emit(events.CpuDied, k.cpu);
      }),
      group('start_secondary', [
        // The first step that a kicked CPU takes.
        ...(paravirtualCpus ? [at('VCPUOP_up', () => {})] : byInit),
        // CR4 and XCR0 are every kernel's, so they are no policy's; FNINIT needs neither.
        ...optional(services, 'cpu-init', hook('fpu__init_cpu', events.CpuInit)),
        at('cr4_set_bits', (k) => k.emit(events.Cr4Written, k.cpu, runningCr4(model))),
        ...enableXfeatures(model, 'cpu_init'),
        at('set_cpu_online', (k) => {
          k.emit(events.CpuOnline, k.cpu);
          k.localIrqEnable();
        }),
      ]),
    ]),
  ];
}

/** XSETBV, and WRMSR of IA32_XSS where the kernel has supervisor components. */
function enableXfeatures(model: CpuModel, by: string): readonly RoutineNode[] {
  if (!model.features.includes('xsave')) return [];
  const supervisor = (k: Cpu): number => k.xfeatures & SUPERVISOR_COMPONENTS;
  return [
    at(`xsetbv(XCR0) in ${by}`, (k) => k.emit(events.Xcr0Written, k.cpu, k.xfeatures & ~SUPERVISOR_COMPONENTS)),
    when(
      (k) => supervisor(k as Cpu) !== 0,
      [at(`wrmsrl(MSR_IA32_XSS) in ${by}`, (k) => k.emit(events.XssWritten, k.cpu, supervisor(k)))],
    ),
  ];
}

/** The system calls of those who take CPUs down and bring them up. */
export function hotplugRoutines(services: HotplugServices): readonly Routine[] {
  const { uses } = services;
  const syscall = (name: SyscallName, body: readonly RoutineNode[]): readonly Routine[] =>
    uses(name) ? [routine(`sys_${name}`, [...body, ...exitPath(services, 'sysret')])] : [];
  return [
    ...syscall('cpu_down', [when(nobodySuspends, [at('cpu_down', takeOneDown)])]),
    ...syscall('cpu_up', [when(nobodySuspends, [at('cpu_up', bringOneUp)])]),
    ...syscall('suspend', [when(nobodySuspends, suspend(services))]),
  ];
}

/** Otherwise -EBUSY. */
const nobodySuspends: Condition = (k) => (k as Cpu).frozenBy === NOBODY;

const isLeaving: Condition = (k) => (k as Cpu).stateOfCpu(k.cpu) === CPU_STATE.leaving;

/** Any CPU but the last one, its own too: the task has to leave then. */
function takeOneDown(k: Cpu): void {
  const online = k.cpusThatAre(CPU_STATE.online);
  if (online.length > 1) k.emit(events.CpuLeaving, k.choose(CHOICE.cpu, online));
}

function bringOneUp(k: Cpu): void {
  const dead = k.cpusThatAre(CPU_STATE.dead);
  if (dead.length > 0) k.emit(events.CpuKicked, k.choose(CHOICE.cpu, dead));
}

/** Local 0 is what __save_processor_state() keeps of CR0. */
function suspend(services: HotplugServices): readonly RoutineNode[] {
  const { model, paravirtualCpus } = services;
  const toSleep = paravirtualCpus
    ? // xen_acpi_suspend_lowlevel(): "Xen will save and restore CPU context".
      optional(services, 'suspend', hook('xen_acpi_suspend_lowlevel', events.Suspended))
    : [
        group('save_processor_state', [
          ...optional(services, 'cpu-suspend', hook('__save_processor_state', events.CpuSuspending)),
          hook('kernel_fpu_begin', events.KernelFpuBegin),
          at('ctxt->cr0 = read_cr0()', (k) => k.setLocal(0, k.readCr0())),
        ]),
        at('suspended to RAM', (k) => k.losePower()),
        group('restore_processor_state', [
          at('__write_cr4(ctxt->cr4)', (k) => k.emit(events.Cr4Written, k.cpu, runningCr4(model))),
          at('write_cr0(ctxt->cr0)', (k) => k.writeCr0(k.local(0))),
          ...enableXfeatures(model, 'fpu__resume_cpu'),
          ...optional(services, 'cpu-resume', hook('fpu__resume_cpu', events.CpuResumed)),
          hook('kernel_fpu_end', events.KernelFpuEnd),
        ]),
      ];
  return [
    at('freeze_processes', (k) => k.freezeOthers(true)),
    at(UNTIL_UP, () => {}),
    at('pm_sleep_disable_secondary_cpus', (k) => {
      for (const cpu of k.cpusThatAre(CPU_STATE.online)) if (cpu !== k.cpu) k.emit(events.CpuLeaving, cpu);
    }),
    at(UNTIL_DEAD, () => {}),
    at('arch_suspend_disable_irqs', (k) => k.localIrqDisable()),
    ...toSleep,
    at('arch_suspend_enable_irqs', (k) => k.localIrqEnable()),
    at('pm_sleep_enable_secondary_cpus', (k) => {
      for (const cpu of k.cpusThatAre(CPU_STATE.dead)) k.emit(events.CpuKicked, cpu);
    }),
    at('thaw_processes', (k) => k.freezeOthers(false)),
  ];
}
