export type { PolicyJudge } from './policy-control.js';
export type {
  Ancestor,
  Delegated,
  Delegation,
  DelegationRule,
  DelegationStore,
  NewDelegation,
  TreeNode,
} from './delegations/delegation.store.js';
export { Delegations } from './delegations/delegations.js';
export { Assessor } from './assessment.js';
export { FactSets, type FactStore } from './decisions/declared-facts.js';
export { AccessEvaluations, type AccessAnswer, type AccessQuestion } from './decisions/access-evaluations.js';
export { ControlTraces } from './decisions/control-trace.js';
export { Decisions } from './decisions/decisions.js';
export { GrantedDecisions } from './decisions/granted-decision.js';
export { DecisionRecorder } from './decisions/decision-recorder.js';
export type { IssuanceMetrics } from './issuance-metrics.js';
export type {
  ActivatedLease,
  IssuanceStore,
  LeaseIntent,
  OpenVerdict,
  TaskActivation,
  TaskIntent,
  WakeUp,
  KeptMaterial,
} from './issuance.store.js';
export { KeyHolds, type KeyedAnswer, type KeyHoldStore, type UsedKey } from './key-holds.js';
export { Minter } from './minting.js';
export { Planner } from './plan.js';
export type { KeyHold, KeyOwner, Requester, TaskRequest } from './request.js';
export { requesterOf } from './requester.js';
export { SingleUse } from './single-use.js';
export { taskView } from './task.view.js';
export { TaskIssuance, type Grant, type IssuanceGate, type Preview } from './task-issuance.js';
export { TaskRenewal, type Renewed } from './task-renewal.js';
export { Tasks, type AskedTask, type TasksParts } from './tasks.js';
export type { LivingLease, Renewal, StoredTask, TaskStore } from './task.store.js';
