import type { CpuView, SlotsView, StateView, TaskView } from './state-view';

/** A state as lines of text, for terminals. */
export function stateLines({ cpus, tasks, slots }: StateView): readonly string[] {
  return [...indented('machine', [pairs(slots)]), ...cpus.flatMap(cpuLines), ...tasks.flatMap(taskLines)];
}

function cpuLines({ cpu, task, cr0, ts, fpregs, vcpuImage, slots }: CpuView): readonly string[] {
  return indented(`cpu ${cpu}: ${task ?? 'nobody'}, CR0 ${cr0}, TS ${ts ? 1 : 0}`, [
    `fpregs  ${pairs(fpregs)}`,
    vcpuImage && `vcpu    ${pairs(vcpuImage)}`,
    pairs(slots) && `slots   ${pairs(slots)}`,
  ]);
}

function taskLines(task: TaskView): readonly string[] {
  const where = task.lastRan === null ? '' : `, on cpu ${task.lastRan}`;
  const asleep = task.sleeping ? ', asleep' : '';
  return indented(`task ${task.task}: ${task.lifecycle}${asleep}${where}, FPU state ${task.validity}`, [
    ...task.stack.map(({ at, status }) => `stack   ${at} (${status})`),
    `latest  ${pairs(task.architectural)}`,
    `image   ${task.image ? pairs(task.image) : 'none'}`,
    pairs(task.slots) && `slots   ${pairs(task.slots)}`,
  ]);
}

/** A title and its lines; nothing at all when there are none. */
function indented(title: string, lines: readonly (string | undefined)[]): readonly string[] {
  const present = lines.filter((line) => line);
  return present.length === 0 ? [] : [title, ...present.map((line) => `  ${line}`)];
}

function pairs(values: SlotsView): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${shown(value)}`)
    .join('  ');
}

function shown(value: SlotsView[string]): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  return value === null ? 'nobody' : String(value);
}
