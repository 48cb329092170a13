import {
  judgePolicy,
  type Judgement,
  type Obligations,
  type PolicyInput,
  type PolicyPhase,
  permit,
  type PolicyVerdict,
  type TemplateConditions,
} from '@mayfly/policy';
import type { TemplateVersion } from '@mayfly/templates';
import type { Requester, TaskRequest } from './request.js';

/** Port: the policies in force. Synchronous, and never throws: what is no clean answer is a denial. */
export interface PolicyJudge {
  decide(input: PolicyInput, template: TemplateConditions): PolicyVerdict;
  /** True when no policy at all is in force: then no inputs are built for one. */
  hasNone(template: TemplateConditions): boolean;
}

/** The judgement when no policy is in force. */
const NO_POLICY = { judgements: [permit('policy')], obligations: {} } as const;

/** Where in the life of a task issuance decides. */
type IssuancePhase = Exclude<PolicyPhase, 'operate'>;

/** The part of a request that policies read. */
interface AskedTask {
  readonly ttlSeconds?: number | undefined;
  /** the levels above the task in its tree */
  readonly treeDepth: number;
}

/** Returns where in the life of a task a request is decided. */
export function policyPhaseOf({ renews, child }: TaskRequest): IssuancePhase {
  if (renews === true) return 'renew';
  return child === undefined ? 'request' : 'accept';
}

/** Judges the control `policy`, and returns the obligations of a permit. */
export function judgeByPolicies(
  policies: PolicyJudge,
  input: () => PolicyInput,
  { spec }: TemplateVersion,
): { readonly judgements: readonly Judgement[]; readonly obligations: Obligations } {
  if (policies.hasNone(spec)) return NO_POLICY;
  const verdict = policies.decide(input(), spec);
  return { judgements: [judgePolicy(verdict)], obligations: verdict.obligations };
}

/** Builds the inputs of the policies from what Mayfly has proven or declared; the caller states the lifetime alone. */
export function policyInputOf(
  phase: IssuancePhase,
  { agent, runtime, issuer }: Requester,
  { name, version, labels, spec }: TemplateVersion,
  at: Date,
  { ttlSeconds, treeDepth }: AskedTask,
): PolicyInput {
  return {
    ...{ action: phase === 'accept' ? 'request' : phase, phase, at },
    agent: { name: agent.name, labels: agent.labels, runtime, issuer },
    template: {
      ...{ name, version, owner: spec.owner, labels },
      connections: [...new Set(spec.credentials.flatMap(({ connection }) => connection ?? []))],
      providers: [...new Set(spec.credentials.map(({ provider }) => provider))],
    },
    // Mayfly has no approvals yet.
    approvals: 0,
    treeDepth,
    ...(ttlSeconds === undefined ? {} : { requestedSeconds: ttlSeconds }),
  };
}
