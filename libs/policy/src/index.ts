export { CONTROL_FACTS } from './control-facts.js';
export {
  readDecision,
  keptDecision,
  type DecisionPhase,
  type DecisionRecord,
  type DecisionStore,
} from './decision-record.js';
export { Decision, deny, permit, problemOf, type Refusal, type Judgement, type Verdict } from './decision.js';
export {
  type AskDecisionPoint,
  DECISION_POINT_KINDS,
  DecisionPoint,
  type DecisionPointKind,
  type DecisionQuestion,
} from './decision-point.js';
export { judgeRequester, type DecisionInput } from './requester-controls.js';
