/** @packageDocumentation The public interface of the core. */

export { assert, FpuError, isFpuError, unreachable, ERROR_CODES, type FpuErrorCode, type ErrorDetail } from './error';

export {
  ALL_COMPONENTS,
  APX,
  AVX,
  BNDCSR,
  BNDREGS,
  CET_S,
  CET_U,
  COMPONENTS,
  HDC,
  HI16_ZMM,
  HWP,
  LBR,
  OPMASK,
  PASID,
  PKRU,
  PT,
  SSE,
  SUPERVISOR_COMPONENTS,
  TILECFG,
  TILEDATA,
  UINTR,
  USER_COMPONENTS,
  X87,
  ZMM_HI256,
  bitsOf,
  componentName,
  hasComponent,
  xfeaturesName,
  type Component,
  type EnablingRegister,
  type Feature,
} from './x86/components';
export {
  CPU_IDS,
  componentBits,
  componentsOf,
  cpuModel,
  hasFeature,
  withoutFeatures,
  type ComponentEnumeration,
  type CpuBehaviour,
  type CpuModel,
  type CpuidRegisters,
} from './x86/cpu-model';
export { CPU_MODEL_SCHEMA, cpuModelFile, cpuModelSchema, parseCpuModel } from './x86/cpu-model-file';
export type { CpuModelFile } from './x86/cpu-model-schema';
export { cpuid, type CpuidControl } from './x86/cpuid';
export {
  CR0_BOOT,
  CR0_RESET,
  CR0_EM,
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_PE,
  CR0_TS,
  cr0AfterLmsw,
  withTs,
} from './x86/control-registers';
export {
  VECTOR,
  availabilityFault,
  faultText,
  fpuFault,
  vectorName,
  type ControlRegisters,
  type Fault,
  type InstructionClass,
} from './x86/faults';
export { FAULT_REASONS, type FaultReason } from './x86/fault-reasons';
export { decode, execute, formatInstruction, isModelledInFull } from './x86/on-demand';
export { DEVIATIONS, type Deviation } from './x86/deviations';
export type { InitTracking } from './x86/init-tracking';
export type { CodeMode, Instruction, MemoryOperand, MemoryUse } from './x86/instruction';
export type { Code, Execution } from './x86/execute';
export { loadX87Image } from './x86/instructions/fxsave';
export { ARITHMETIC_FLAGS } from './x86/instructions/general';
export { readMsr } from './x86/instructions/msr';
export { componentOfMsr } from './x86/instructions/supervisor-state';
export { Memory, type Access, type Region } from './x86/memory';
export { GPR, Processor, type ProcessorChoices } from './x86/processor';
export {
  FLAT_SELECTORS,
  sseInUse,
  MXCSR_INIT,
  apply,
  bootState,
  hasLongMode,
  initialBytes,
  isInitial,
  type ControlState,
  type ProcessorEvent,
  type ProcessorState,
  type RestoreTracking,
  type Undetermined,
} from './x86/processor-state';
export {
  X87_INIT,
  abridgedTagWord,
  fullTagWord,
  physicalOrder,
  stackOrder,
  topOf,
  type X87State,
} from './x86/x87-state';
export {
  decode as decodeImage,
  encode as encodeImage,
  xcompBvOf,
  type DecodeForm,
  type FsaveImage,
  type FxsaveImage,
  type Image,
  type XsaveImage,
} from './x86/image/image';
export {
  areaLayout,
  gapsOf,
  savesMxcsr,
  EXTENDED_OFFSET,
  HEADER_BYTES,
  HEADER_OFFSET,
  LEGACY_BYTES,
  type AreaForm,
  type AreaLayout,
  type Gap,
  type Placement,
} from './x86/layout';
export {
  compareLayouts,
  explainSize,
  type LayoutDifference,
  type LayoutDifferenceCode,
  type LayoutSide,
  type SizeExplanation,
  type SizeMatch,
} from './x86/layout-comparison';
export {
  bitsOfMask,
  described,
  explainMask,
  explainXcr0,
  explainXss,
  hasCompactedForm,
  type Illegality,
  type IllegalityCode,
} from './x86/legality';
export {
  LINUX_DYNAMIC_XFEATURES,
  LINUX_XSTATE_ERAS,
  LINUX_XSTATE_LATEST,
  calculateXstateBufSizeFromMask,
  linuxFpuConfig,
  xstateBufferConfig,
  xstateCalculateSize,
  type FpuStateConfig,
  type LinuxFpuConfig,
  type LinuxXstateEra,
  type XstateBufferConfig,
} from './kernel/fpstate-size';

export {
  DEFAULT_PKRU,
  INIT,
  PRINCIPAL,
  nextSerial,
  principalOfTask,
  serialOf,
  taskOfPrincipal,
  valueBytes,
  valueId,
  valueOfBytes,
  writerOf,
} from './machine/values';
export { fpstateImage, valuesOfImage, type FpstateImageOptions } from './machine/fpstate-image';
export {
  StateLayout,
  type Field,
  type FieldDeclaration,
  type FieldKind,
  type Space,
  type SpaceSizes,
} from './machine/layout';
export {
  CPU_STATE,
  FPSTATE_KINDS,
  FRAME_PAGES,
  HEADER,
  EXEC_STATE,
  LIFECYCLE,
  LOCALS,
  coreOffsets,
  createState,
  readField,
  type CoreOffsets,
  type Dimensions,
  type FpstateKind,
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
  bhOffDepth,
  contextOf,
  inHardirq,
  inInterrupt,
  irqsOff,
  isAtomic,
  isCalled,
  statusName,
  type Context,
} from './machine/frames';
export { PART, partOfField } from './machine/footprint';

export {
  avx,
  amx,
  enqcmd,
  either,
  fork,
  munmapFrame,
  forever,
  frame,
  fwait,
  loop,
  mmx,
  pkru,
  program,
  sse,
  syscall,
  x87,
  type Operation,
  type SyscallName,
} from './kernel/program';
export { ABIS, type Abi } from './kernel/abi';
export { kthread, type TaskKind } from './kernel/kernel-thread';
export { KERNEL_FPU_SECTION } from './kernel/skeleton';
export { EXIT, EXITS, guest, kvm, type Exit, type GuestConfiguration, type GuestOperation } from './kernel/guest';
export {
  REGSETS,
  TRACED_HEADER,
  TRACE_REQUESTS,
  ptrace,
  type Regset,
  type TraceOperation,
  type TraceRequest,
} from './kernel/trace-request';
export {
  applyPatch,
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
export {
  MOVE_INSTRUCTIONS,
  saveArea,
  saveAreaBytes,
  saveFormat,
  type SaveArea,
  type SaveDemand,
  type SaveFormat,
} from './kernel/save-format';
export {
  NOBODY,
  slot,
  type CounterRange,
  type Cr0Access,
  type Hypervisor,
  type Kernel,
  type Slot,
  type UserRestore,
} from './kernel/kernel';
export type { Interference } from './kernel/interference';
export {
  ACTION,
  ACTION_BITS,
  CHOICE,
  CHOICE_KINDS,
  PAGE,
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
export { IA32_FSAVE_BYTES, convertFromFxsr, convertToFxsr, type Ia32Kernel } from './kernel/ia32-fsave';
export {
  fpregsGet,
  fpregsSet,
  xfpregsGet,
  xfpregsSet,
  xstateRegsetBytes,
  xstateregsGet,
  xstateregsSet,
  type RegsetRead,
} from './kernel/regset';
export {
  FP_XSTATE_MAGIC1,
  FP_XSTATE_MAGIC2,
  FP_XSTATE_MAGIC2_BYTES,
  FREGS_STATE_BYTES,
  X86_FXSR_MAGIC,
  allocMathframe,
  copyFpstateToSigframe,
  fsaveHeaderBytes,
  sigframeXsaveMask,
  swReserved,
  fpstateUserSize,
  type SavedRegisters,
  type SigframePkru,
  type SignalContext,
  type SignalFramePlace,
} from './kernel/signal-frame';
export {
  FX_ONLY_REASONS,
  checkXstateInSigframe,
  restoreIa32Sigframe,
  sigreturnPlan,
  type FxOnlyReason,
  type SigframeContents,
  type SigframeSizes,
  type SigreturnPlan,
} from './kernel/sigreturn';
export { UABI_REFUSALS, type Errno, type Refusal, type RefusalCode } from './kernel/uabi-refusal';
export {
  copyUabiToXstate,
  copyXstateToUabiBuf,
  uabiContext,
  validateUserXstateHeader,
  type UabiContext,
  type UabiCopyMode,
  type UabiRequest,
  type UabiWrite,
} from './kernel/uabi-xstate';
export { SW_RESERVED, initialLegacyRegion } from './kernel/xstate-buffer';

export type { XfdMsrs } from './kernel/xfd';
export {
  NOTHING,
  OPTIONAL_HOOKS,
  PLATFORM_HOOKS,
  POLICY_HOOKS,
  type PlatformHook,
  type PolicyHook,
} from './kernel/hooks';
export type {
  BasePolicy,
  Belief,
  DynamicState,
  ModifierPolicy,
  Platform,
  Plugin,
  Policy,
  PolicyRoles,
} from './plugin/plugin';
export { resolveHooks, type HookAnswers, type ResolvedEdits } from './plugin/hook-edits';
export { PLATFORM, POLICY, SETTINGS } from './plugin/tokens';
export { CPUS_MAX, compose, type ComposeOptions } from './plugin/compose';
export { Composition, type Settings } from './plugin/composition';
export { Machine, type RunOptions, type RunOutcome, type RunResult } from './plugin/machine';

export { ORACLE, ORACLES, ORACLE_TEXT, VALIDITY, VALIDITY_NAMES, type OracleId } from './oracle/oracles';

export { type Scenario, type Sometimes, type TaskSpec, type Whereabouts } from './scenario/scenario';
export { anyPrograms, withBystanders, withInterrupts, withMigration, withNesting } from './scenario/variants';
export { USED_BY_ALL } from './scenario/sometimes';
export { Probe } from './plugin/probe';
export { SCENARIOS, scenarioOf } from './scenario/catalogue';
