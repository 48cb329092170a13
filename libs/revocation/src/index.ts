export type { AbandonRequest, AbandonResult, ClosingResult, ClosingStore, LeaseClaim } from './closing.store.js';
export { ConnectionAttendance, type LivingConnections } from './connection-attendance.js';
export { LeaseAbandonment } from './lease-abandonment.js';
export { CLAIM_SECONDS, LeaseClosing } from './lease-closing.js';
export type {
  Lockdown,
  LockdownAct,
  LockdownReach,
  LockdownStore,
  LockedLockdown,
  NewLockdown,
} from './lockdowns/lockdown.store.js';
export { Lockdowns } from './lockdowns/lockdowns.js';
export type { DeathProbeClaim, DeathProbeResult, DeathProbeStore } from './death-probe.store.js';
export { DeathProbes, PROBE_CLAIM_SECONDS } from './death-probes.js';
export { OrphanEnding } from './orphan-ending.js';
export { OrphanWatch, type OrphanPlace, type OrphanStore } from './orphan-watch.js';
export {
  compareEpochs,
  QUARANTINE_CAUSES,
  type Epoch,
  type LogPosition,
  type QuarantineCause,
  type StoredEpoch,
} from './quarantine/epoch.js';
export type { EnteredQuarantine, EpochRows, EpochStore, OutsideEpoch } from './quarantine/epoch.store.js';
export { QuarantineDesk } from './quarantine/quarantine-desk.js';
export { Quarantine } from './quarantine/quarantine.js';
export { Reconciler } from './reconciler.js';
export {
  ACTIONS,
  DIFFERENCE_KINDS,
  reconciliationView,
  type Difference,
  type Reconciliation,
} from './reconciliation.js';
export type {
  ComparedLeases,
  LeaseStanding,
  ReconciliationRecords,
  ReconciliationRequest,
  ReconciliationTurn,
  ReconciliationTurns,
  TurnResult,
} from './reconciliation.store.js';
export { Reconciliations } from './reconciliations.js';
export { RevocationAlarm } from './revocation-alarm.js';
export { RevocationUpkeep, type UpkeepStore } from './revocation-upkeep.js';
export { TargetComparison } from './target-comparison.js';
export { TaskEnding } from './task-ending.js';
