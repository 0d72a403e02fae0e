/** The result of a run, as one document and as text. */
import { unreachable, type Machine, type MachineEvent } from '@fpulab/core';
import {
  countEvents,
  headerOf,
  openReplay,
  renderDiagram,
  tellStory,
  violationsOf,
  type Counters,
  type LogHeader,
  type LogMeta,
  type Paint,
  type Violation,
} from '@fpulab/eventlog';

/** What happened, whatever ran it. */
export interface RunReport {
  readonly verdict: 'clean' | 'violation' | null;
  readonly violations: readonly Violation[];
  readonly exposures: readonly Violation[];
  readonly counters: Counters;
  /** Ids of what the scenario says must be reached, and whether it was. */
  readonly sometimes: readonly { readonly id: string; readonly text: string; readonly reached: boolean }[];
}

/** Collects what a report needs while a machine runs. */
export class RunCollector {
  readonly events: MachineEvent[] = [];
  readonly header: LogHeader;
  private readonly watched;

  constructor(machine: Machine, meta: LogMeta) {
    this.header = headerOf(machine, meta);
    const { sometimes } = machine.composition.settings.scenario;
    this.watched = sometimes.map((one) => ({
      ...one,
      numbers: one.tasks.map((name) => machine.taskNames.indexOf(name)),
      reached: false,
    }));
    machine.events$.subscribe((event) => {
      this.events.push(event);
      for (const one of this.watched) one.reached ||= one.test(event, one.numbers, machine);
    });
  }

  report(verdict: RunReport['verdict']): RunReport {
    const { violations, exposures } = violationsOf(this.events, this.header);
    const reachedAll = this.watched.every(({ reached }) => reached);
    return {
      // A run that did not get where its scenario leads has shown nothing.
      verdict: verdict === 'clean' && !reachedAll ? null : verdict,
      violations,
      exposures,
      counters: countEvents(this.events),
      sometimes: this.watched.map(({ id, text, reached }) => ({ id, text, reached })),
    };
  }
}

/** The diagram of a run. */
export function diagramOf(
  { header, events }: { readonly header: LogHeader; readonly events: readonly MachineEvent[] },
  { title, violations }: { readonly title: string; readonly violations: readonly Violation[] },
  paint?: Paint,
): string {
  const lanes = tellStory(events, {
    state: openReplay(header),
    tasks: header.tasks,
    programs: header.programs,
    steps: header.steps,
    roles: header.roles,
    oracles: header.oracles,
  });
  const ids = [...new Set(violations.map((violation) => violation.id))];
  const verdict = ids.length === 0 ? 'clean' : ids.join(', ');
  return renderDiagram(
    lanes,
    { title, verdict, notes: violations.map((violation) => `! ${describeViolation(violation)}`) },
    paint,
  );
}

/** What ran, in one line: `xen-pv-leak: lazy-cr0-ts (linux-3.6) on xen-pv + guest-fix`. */
export function runTitle({ scenario, policies, preset, platform, patches }: LogHeader): string {
  const patched = patches.map((patch) => ` + ${patch}`).join('');
  return `${scenario}: ${policies.join(' + ')} (${preset ?? 'from a file'}) on ${platform}${patched}`;
}

function faultText({ fault, task }: Violation): string {
  switch (fault) {
    case 'double fault':
      return `the kernel stack of ${task} overflows, and the CPU stops`;
    case 'panic':
      return `the kernel panics in ${task}, and the CPU stops`;
    default:
      return `${task} takes #NM in kernel mode`;
  }
}

function staleMsrText({ task, component, value, expected, at }: Violation): string {
  if (component !== 'pasid') return `${task} runs user code while IA32_XFD is wrong for ${component}`;
  return at === '#GP'
    ? `ENQCMD of ${task} traps, and the kernel believes that IA32_PASID holds ${expected}`
    : `${task} runs user code while IA32_PASID holds ${value}, not ${expected}`;
}

/** `A[3] pkru.read`: an operation of a program, not a step of the kernel. */
const isUserCode = (at: string): boolean => /\[\d+\] /.test(at);

/** One sentence about a violation. */
export function describeViolation(violation: Violation): string {
  const { id, step, task, reader, component, value, writer, expected, chain } = violation;
  const way = chain.length > 1 ? `, by way of the events ${chain.join(' > ')}` : '';
  const at = `event ${step}`;
  switch (id) {
    case 'leak':
      return `leak at ${at}: ${task} can read ${value} in ${component}, which ${writer} wrote${way}`;
    case 'speculative-exposure':
      return `speculative-exposure at ${at}: ${task} runs while ${component} holds ${value}`;
    case 'lost-update':
      if (component === 'pasid') {
        return `lost-update at ${at}: kernel code changes a part of ${value} in ${component}, but ${task} has ${expected}${way}`;
      }
      if (component === 'pkru' && reader === task && !isUserCode(violation.at)) {
        return `lost-update at ${at}: kernel code finds ${value} in ${component} of ${task}, which has ${expected}${way}`;
      }
      return reader === task
        ? `lost-update at ${at}: ${task} reads ${value} in ${component}, but wrote ${expected}${way}`
        : `lost-update at ${at}: ${reader} is shown ${value} in ${component}, but ${task} has ${expected}${way}`;
    case 'validity':
      return component === null
        ? `validity at ${at}: ${task}'s registers were written without having been loaded`
        : `validity at ${at}: no copy of ${expected}, ${task}'s latest ${component}, is left${way}`;
    case 'kernel-fpu-clobber':
      return `kernel-fpu-clobber at ${at}: a kernel FPU section of ${task} finds ${value} in ${component}, not ${expected}`;
    case 'atomic-sleep':
      return `atomic-sleep at ${at}: ${task} may sleep with interrupts, bottom halves or preemption off`;
    case 'unexpected-fault':
      return `unexpected-fault at ${at}: ${faultText(violation)}, at ${violation.at}`;
    case 'pkru-mismatch':
      return `pkru-mismatch at ${at}: ${task} accesses user memory under PKRU ${value} instead of ${expected}, at ${violation.at}${way}`;
    case 'stale-msr':
      return `stale-msr at ${at}: ${staleMsrText(violation)}`;
    case 'image-overrun':
      return `image-overrun at ${at}: ${component} of ${task} is saved to an image without room for it`;
    case 'livelock':
      return `livelock at ${at}: ${task} goes round for ever, at ${violation.at}`;
    default:
      return unreachable(id);
  }
}
