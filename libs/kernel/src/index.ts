export { CONTROL_NAMES, type ControlName } from './control-name.js';
export { addSeconds, earliest, type Clock } from './clock.js';
export { type ClockReading, clockReading, HEADER_SECONDS } from './clock-reading.js';
export { GroupCommit, type GroupCommitOptions } from './group-commit.js';
export {
  decisionOfTask,
  isId,
  newId,
  taskOfDecision,
  type AgentId,
  type AuditEntryId,
  type DecisionId,
  type ChangeId,
  type Id,
  type IdPrefix,
  type LeaseId,
  type LockdownId,
  type ReconciliationId,
  type TaskId,
} from './ids.js';
export { canonicalJson, digestOf, type Json, type JsonObject } from './json.js';
export { LabelsSchema, NameSchema, type Labels } from './names.js';
export { nearest } from './nearest.js';
export type { Page, PageRequest } from './page.js';
export { pageView, positionOf } from './page-cursor.js';
export { present } from './present.js';
export {
  Problem,
  problemThrownBy,
  type FieldError,
  type ProblemCode,
  type ProblemExtensions,
  type ProblemOptions,
} from './problem.js';
export { parseStrictJson, type JsonFault } from './strict-json.js';
export { systemCodeOf } from './system-code.js';
