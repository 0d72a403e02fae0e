/** @packageDocumentation The public interface of the core. */

export { FpuError, isFpuError, unreachable, ERROR_CODES, type FpuErrorCode, type ErrorDetail } from './error';

export {
  AVX,
  COMPONENTS,
  SSE,
  X87,
  componentName,
  xfeaturesName,
  type Component,
  type Feature,
} from './x86/components';
export {
  CPU_MODELS,
  MOVE_INSTRUCTIONS,
  componentBits,
  cpuModel,
  saveAreaBytes,
  saveFormat,
  type CpuModel,
  type SaveFormat,
} from './x86/cpu-model';
export {
  CR0_BOOT,
  CR0_EM,
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_PE,
  CR0_TS,
  cr0AfterLmsw,
  withTs,
} from './x86/control-registers';
export { VECTOR, fpuFault, vectorName, type InstructionClass } from './x86/faults';

export {
  INIT,
  PRINCIPAL,
  principalOfTask,
  serialOf,
  taskOfPrincipal,
  valueBytes,
  valueId,
  writerOf,
} from './machine/values';
export {
  StateLayout,
  type Field,
  type FieldDeclaration,
  type FieldKind,
  type Space,
  type SpaceSizes,
} from './machine/layout';
export {
  LIFECYCLE,
  coreOffsets,
  createState,
  readField,
  type CoreOffsets,
  type Dimensions,
  type MachineState,
} from './machine/state';
export { digestOf } from './machine/digest';
export {
  applyEvent,
  eventType,
  eventTypes,
  isEvent,
  type EventFieldKind,
  type EventFields,
  type EventType,
  type MachineEvent,
} from './machine/event-type';
export * as events from './machine/events';
export {
  CONTEXT,
  CONTEXT_NAMES,
  contextOf,
  inInterrupt,
  irqsOff,
  isAtomic,
  isCalled,
  statusName,
  type Context,
} from './machine/frames';

export {
  avx,
  either,
  fork,
  forever,
  fwait,
  loop,
  mmx,
  program,
  sse,
  syscall,
  x87,
  type Operation,
  type SyscallName,
} from './kernel/program';
export {
  group,
  nodeNames,
  routine,
  step,
  unless,
  when,
  whileHolds,
  type Condition,
  type Patch,
  type PatchEdit,
  type Routine,
  type RoutineNode,
  type Step,
  type StepAction,
} from './kernel/routine';
export { NOBODY, slot, type Cr0Access, type Hypervisor, type Kernel, type Slot } from './kernel/kernel';
export type { Interference } from './kernel/interference';
export {
  CHOICE_KINDS,
  firstDriver,
  parseSeed,
  replayDriver,
  scriptDriver,
  seededDriver,
  type ChoiceDriver,
  type ChoiceKind,
  type ChoiceRequest,
  type Schedule,
} from './kernel/choices';

export {
  NOTHING,
  OPTIONAL_HOOKS,
  PLATFORM_HOOKS,
  POLICY_HOOKS,
  type PlatformHook,
  type PolicyHook,
} from './kernel/hooks';
export type { BasePolicy, ModifierPolicy, Platform, Plugin, Policy, PolicyRoles } from './plugin/plugin';
export { PLATFORM, POLICY, SETTINGS } from './plugin/tokens';
export { CPUS_MAX, compose, type ComposeOptions } from './plugin/compose';
export { Composition, type Settings } from './plugin/composition';
export { Machine, type RunOptions, type RunOutcome, type RunResult } from './plugin/machine';

export { ORACLES, ORACLE_TEXT, VALIDITY, VALIDITY_NAMES, type OracleId } from './oracle/oracles';

export { type Scenario, type Sometimes, type TaskSpec } from './scenario/scenario';
export { SCENARIOS, scenarioOf } from './scenario/catalogue';
