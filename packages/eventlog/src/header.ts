import { FPSTATE_KINDS, cpuModelFile, type Machine } from '@fpulab/core';
import { FPULAB_VERSION, LOG_FORMAT, LOG_VERSION, type LogHeader } from './format';

/** What a header says about a run that its machine does not know. */
export interface LogMeta {
  /** Id of the preset that the policies are, or null. */
  readonly preset: string | null;
  /** The seed of the choices, 64 bits unsigned, or null when they did not come from one. */
  readonly seed: bigint | null;
  /** The replay string that the run was given, or null. */
  readonly replay: string | null;
}

/** The header of a log of this machine: its composition, and where its state lies. */
export function headerOf(machine: Machine, meta: LogMeta): LogHeader {
  const { base, modifiers, platform, settings } = machine.composition;
  const { layout, at } = machine.state;
  const { machine: one, cpu, task, fpstate } = layout.sizes;
  return {
    kind: 'header',
    format: LOG_FORMAT,
    version: LOG_VERSION,
    fpulab: FPULAB_VERSION,
    scenario: settings.scenario.id,
    preset: meta.preset,
    policies: [base, ...modifiers].map((policy) => policy.id),
    platform: platform.id,
    patches: settings.patches.map((patch) => patch.id),
    cpu: cpuModelFile(settings.cpu),
    cpus: settings.cpus,
    seed: meta.seed === null ? null : `0x${meta.seed.toString(16)}`,
    replay: meta.replay,
    oracles: settings.scenario.oracles,
    tasks: machine.taskNames,
    // One machine has one instance of its own space; the format says so.
    sizes: { machine: one as 1, cpu, task, fpstate },
    componentBits: at.componentBits,
    stackDepth: at.stackDepth,
    fpstateEmbedded: base.fpstate === 'embedded',
    fpstateKinds: FPSTATE_KINDS.filter((kind) => at.firstFpstate[kind] >= 0),
    signals: at.resume >= 0,
    dynamicXfeatures: at.dynamicXfeatures,
    borrowedMm: at.borrowedMm >= 0,
    ptrace: at.stopped >= 0,
    ...(at.updated === 0 ? {} : { updated: at.updated }),
    ...(at.execState < 0 ? {} : { deThreads: true }),
    ...(at.cpuState < 0 ? {} : { hotplug: machine.composition.runningFpu }),
    ...(machine.composition.guestsSetXcr0 ? { controls: machine.composition.runningFpu } : {}),
    slots: machine.composition.slotFields().map(({ name, space, kind, initial }) => ({
      name,
      space,
      kind,
      width: 1,
      initial,
    })),
    steps: machine.stepLabels,
    programs: machine.programs,
    roles: machine.composition.roleFields(),
  };
}
