/** A run told step by step: what each step changed, and the choices that made it go this way. */
import { componentName, vectorName, type MachineEvent } from '@fpulab/core';
import { foldEvents, openReplay, operationName, valueName, type LogHeader } from '@fpulab/eventlog';
import { describeViolation } from '../report';
import { ChangeTeller } from './changes';
import { counted } from './numbers';
import type { Rerun, RunStep, TakenChoice } from './rerun';

const WIDTH = 132;
const LABEL_WIDTH_MAX = 76;

/** A step that has something to tell. */
interface ToldStep {
  readonly number: number;
  readonly where: string;
  readonly label: string;
  readonly facts: readonly string[];
  readonly choices: readonly string[];
  readonly violations: readonly string[];
}

/** One line per step that changed something, lines for choices before it, and for violations behind it. */
export function stepLines(run: Rerun): readonly string[] {
  const told = toldSteps(run);
  const digits = String(run.steps.length).length + 1;
  const where = Math.max(...told.map((step) => step.where.length));
  const label = Math.min(Math.max(...told.map((step) => step.label.length)), LABEL_WIDTH_MAX);
  const indent = ' '.repeat(digits + 2);
  const left = run.steps.length - told.length;
  return [
    ...told.flatMap((step) => [
      ...step.choices.map((choice) => `${indent}${choice}`),
      ...wrapped(
        `${`#${step.number}`.padEnd(digits)}  ${step.where.padEnd(where)}  ${step.label.padEnd(label)}`,
        step.facts,
      ),
      ...step.violations.map((violation) => `${indent}! ${violation}`),
    ]),
    ...(left > 0 ? [`${counted(left, 'step')} that changed nothing of this: not shown`] : []),
  ];
}

function toldSteps({ collector, steps, report }: Rerun): readonly ToldStep[] {
  const { header, events } = collector;
  const state = openReplay(header);
  const teller = new ChangeTeller(state, header);
  foldEvents(state, events.slice(0, steps[0].from));
  let running: number | undefined;
  return steps.flatMap((step, index) => {
    const own = events.slice(step.from, step.to);
    const before = state.words.slice();
    foldEvents(state, own);
    const cpu = cpuOf(own) ?? running ?? 0;
    const was = running;
    running = cpu;
    const task = before[state.at.current + cpu];
    const place = { header, task, userPc: before[state.at.framePc + task * state.at.stackDepth] };
    const told: ToldStep = {
      number: index + 1,
      where: `cpu${cpu} ${header.tasks[task] ?? ''}`,
      label: labelOf(own, place),
      facts: [...readFacts(own, header), ...teller.tell({ before, after: state.words, cpu })],
      choices: step.choices.filter((choice) => matters(choice, was)).map(choiceText),
      violations: violationsIn(step, report.violations),
    };
    return told.facts.length + told.choices.length + told.violations.length > 0 ? [told] : [];
  });
}

function cpuOf(events: readonly MachineEvent[]): number | undefined {
  return events.find(({ type, data }) => type !== 'choice.made' && 'cpu' in data)?.data.cpu;
}

/** All choices but those in which the CPU that was running just goes on. */
function matters({ continues, cpu }: TakenChoice, running: number | undefined): boolean {
  return !(continues && cpu === (running ?? 0));
}

function choiceText({ enabled, taken }: TakenChoice): string {
  return `choice: enabled: ${enabled.join(' ')}, taken: ${taken}`;
}

function violationsIn({ from, to }: RunStep, violations: Rerun['report']['violations']): readonly string[] {
  return violations.filter(({ step }) => step >= from && step < to).map(describeViolation);
}

function readFacts(events: readonly MachineEvent[], { tasks }: LogHeader): readonly string[] {
  return events.flatMap(({ type, data }) => {
    switch (type) {
      case 'fpregs.read':
      case 'kernel.fpregs-checked':
        return [`reads ${valueName(data.value, tasks)} in ${componentName(data.component)}`];
      case 'user-memory.accessed':
        return [`accesses user memory under PKRU ${valueName(data.pkru, tasks)}`];
      case 'kernel.pkru-changed':
        return ['watch: PKRU changes inside a kernel FPU section'];
      default:
        return [];
    }
  });
}

/** Where a step happened, before it did. */
interface StepPlace {
  readonly header: LogHeader;
  readonly task: number;
  /** The next operation of the task's program. */
  readonly userPc: number;
}

/** What a CPU did in a step: a trap, an operation, a kernel step, an interruption, or returns alone. */
function labelOf(events: readonly MachineEvent[], { header, task, userPc }: StepPlace): string {
  const last = (type: string): MachineEvent['data'] | undefined =>
    events.filter((event) => event.type === type).at(-1)?.data;
  const trap = last('trap.raised');
  const user = last('user.stepped') ?? last('kthread.stepped');
  if (trap) {
    const pc = user?.next ?? userPc; // behind an either()
    return `${vectorName(trap.vector)} at ${trap.user ? operationName(header, task, pc) : header.steps[trap.at]}`;
  }
  if (user) return operationName(header, task, user.at);
  const stepped = last('kernel.stepped');
  if (stepped) {
    const label = header.steps[stepped.at];
    const [routine, address] = label.split('@');
    return address === undefined ? label : `return from ${routine}`;
  }
  const entered = last('context.entered');
  if (entered) return `interrupted: ${header.steps[entered.at].split(/[/@]/)[0]}`;
  return events.find(({ type }) => type !== 'choice.made')?.type ?? '';
}

/** A line, and where facts go beyond its end, more lines below them. */
function wrapped(head: string, facts: readonly string[]): readonly string[] {
  const lines: string[] = [];
  let line = head;
  let isEmpty = true;
  for (const fact of facts) {
    const next = `${line}${isEmpty ? '  ' : ', '}${fact}`;
    if (!isEmpty && next.length > WIDTH) {
      lines.push(`${line},`);
      line = `${' '.repeat(head.length)}  ${fact}`;
    } else line = next;
    isEmpty = false;
  }
  return [...lines, line.trimEnd()];
}
