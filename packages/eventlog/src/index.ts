/** @packageDocumentation Event logs: write, read, replay, compare and explain them. */

export {
  FPULAB_VERSION,
  LOG_FORMAT,
  LOG_OUTCOMES,
  LOG_VERSION,
  eventLineSchema,
  footerSchema,
  headerSchema,
  type EventLine,
  type LogFooter,
  type LogHeader,
  type LogOutcome,
  type LogVerdict,
} from './format';
export { headerOf, type LogMeta } from './header';
export { fileSink, memorySink, type LogSink, type MemorySink } from './sink';
export { LogRecorder, recordLog, type LogSummary } from './writer';
export { LOG_BYTES_MAX } from './input';
export { readLog, type EventLog } from './reader';
export { foldEvents, openReplay, replayLog, type FoldOptions, type ReplayResult } from './replay';
export { VerdictCounter } from './verdict';

export { operationName, valueName, writerName } from './names';
export {
  describeState,
  type CpuView,
  type FrameView,
  type RegisterView,
  type SlotsView,
  type StateNames,
  type StateView,
  type TaskView,
} from './state-view';
export { stateLines } from './state-text';
export { firstDifference, type Difference } from './compare';
export { trackProvenance, valueAt, type NamedOrigin, type Origin, type Place, type Provenance } from './provenance';
export { violationsOf, type Violation, type ViolationReport } from './violations';
export { NO_COUNTS, countEvent, countEvents, type Counters } from './counters';
export { REPLAY_LENGTH_MAX, decodeReplay, encodeReplay, type Replay, type ReplaySetup } from './replay-string';
export { logDriver } from './log-driver';
export {
  DIAGRAM_SIZE,
  PLAIN,
  renderDiagram,
  tellStory,
  type Caption,
  type DiagramContext,
  type DiagramRoles,
  type Lane,
  type Paint,
  type StoryLine,
} from './diagram';
