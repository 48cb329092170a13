export { CONTROL_FACTS } from './control-facts.js';
export {
  readDecision,
  keptDecision,
  type DecisionPhase,
  type DecisionRecord,
  type DecisionStore,
} from './decision-record.js';
export {
  PoliciesInForce,
  type DeclaredPolicies,
  type DeclaredPolicy,
  type TemplateConditions,
} from './cedar/policies-in-force.js';
export { POLICY_ANNOTATIONS, type Obligations } from './cedar/obligations.js';
export { MAX_POLICIES, MAX_TEXT_BYTES } from './cedar/policy-bounds.js';
export { PolicyEngine } from './cedar/policy-engine.js';
export type { PolicyTexts } from './cedar/policy-set.js';
export { faultWords, type PolicyFault } from './cedar/policy-fault.js';
export type { PolicyEnvironment, PolicyInput, PolicyPhase } from './cedar/policy-input.js';
export { policyIdOf } from './cedar/policy-slice.js';
export { PolicySpecSchema } from './cedar/policy-spec.schema.js';
export { CEDAR_SCHEMA, POLICY_ACTIONS, type PolicyAction } from './cedar/policy-schema.js';
export { judgePolicy, type PolicyReason, type PolicyVerdict } from './cedar/policy-verdict.js';
export { Decision, deny, permit, problemOf, type Refusal, type Judgement, type Verdict } from './decision.js';
export {
  type AskDecisionPoint,
  DECISION_POINT_KINDS,
  DecisionPoint,
  type DecisionPointKind,
  type DecisionQuestion,
} from './decision-point.js';
export { judgeRequester, type DecisionInput } from './requester-controls.js';
