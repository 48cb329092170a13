export { answerOf, Broker, type Answer, type BrokerOptions, type Calls, type TokenSource } from './broker.js';
export { BrokerProblem, type ProblemDocument } from './broker-problem.js';
export { BrokerUnreachable } from './broker-unreachable.js';
export type {
  ConnectionTest,
  CreateTask,
  Credential,
  DeclarationCheck,
  DeclarationDocument,
  Delegation,
  Finding,
  Issuance,
  IssuanceFilter,
  IssuancePage,
  IssuerTest,
  Change,
  ChangeDetail,
  ChangePage,
  ChangeRequested,
  Lockdown,
  LockdownPage,
  LockdownReach,
  OverdueFilter,
  OverdueLease,
  OverduePage,
  QuarantineState,
  Reconciliation,
  Task,
  TaskTree,
} from './contract.js';
export { exchange, type Exchange, type Exchanged } from './exchange.js';
export { isPassing, retrying, type Patience } from './retrying.js';
export { systemCodeOf } from './system-code.js';
export { systemTimer, type Timer } from './timer.js';
export { UnexpectedAnswer } from './unexpected-answer.js';
