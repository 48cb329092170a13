export type { EndRequest } from './end-request.js';
export { leaseSeenAs } from './seen-as.js';
export type { Issuance, IssuanceFilter, IssuanceHistory, IssuancePosition } from './issuance-history.js';
export { isTerminal, type Lease, type LeaseState, isAbandonable } from './lease.js';
export {
  covers,
  LOCKDOWN_KINDS,
  type EngagedLockdown,
  type LockdownKind,
  type LockdownScope,
  type LockdownSubject,
  scopeWords,
} from './lockdown.js';
export type { OverdueFilter, OverdueLease, OverdueLeases, OverduePosition } from './overdue-leases.js';
export { FAILPOINTS, type Failpoint, type Step, STEPS, type StepObserver, NO_OBSERVER } from './step.js';
export { exhaustedLimit, quotaScope, type QuotaLeft, type QuotaLimits } from './quota.js';
export {
  USE_UNITS,
  useAmounts,
  type UseAmounts,
  type UseCounter,
  type UseLimits,
  narrowedLimitsOf,
  useLimitsOf,
  type UseQuota,
  type UseUnit,
} from './uses.js';
export { dueAt, TERMINAL_STATE, type Task, type TaskEndCause, type TaskOrigin, type TaskState } from './task.js';
