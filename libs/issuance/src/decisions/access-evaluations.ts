import type { Principal } from '@mayfly/identity';
import { addSeconds, type Clock, type Json, type JsonObject, present } from '@mayfly/kernel';
import type { Decision } from '@mayfly/policy';
import { quotaScope } from '@mayfly/tasks';
import type { Assessor } from '../assessment.js';
import type { IssuanceStore } from '../issuance.store.js';
import { judgeQuota } from '../quota-control.js';
import type { Requester } from '../request.js';
import { requesterOf } from '../requester.js';

/** The life of an identity token that an evaluation on behalf of another agent assumes. */
const ASSUMED_IDENTITY_SECONDS = 43_200;

/** One question of the AuthZEN Authorization API 1.0: may the subject do the action to the resource? */
export interface AccessQuestion {
  readonly subject: { readonly type: string; readonly id: string; readonly properties?: JsonObject | undefined };
  readonly action: { readonly name: string };
  readonly resource: { readonly type: string; readonly id: string };
  /** `parameters`, `purpose` and `ttlSeconds` of the request */
  readonly context?: JsonObject | undefined;
}

/** The answer to one question, in the form of AuthZEN. */
export interface AccessAnswer {
  readonly decision: boolean;
  readonly context: JsonObject;
}

/** The order in which several questions are answered: all, or up to the first denial or permit. */
export type EvaluationsSemantic = 'execute_all' | 'deny_on_first_deny' | 'permit_on_first_permit';

export interface AccessEvaluationsParts {
  readonly assessor: Assessor;
  readonly store: Pick<IssuanceStore, 'quotaLeft'>;
  readonly agents: { agentNamed(name: string): Requester['agent'] | undefined };
  readonly clock: Clock;
}

/** Answers AuthZEN questions by the decision of a dry run: steps 3 to 6 and a reading of the quota. Writes nothing. */
export class AccessEvaluations {
  constructor(private readonly parts: AccessEvaluationsParts) {}

  /** Answers the questions in their order. Throws `unavailable`. */
  async evaluate(
    caller: Principal,
    questions: readonly AccessQuestion[],
    semantic: EvaluationsSemantic = 'execute_all',
  ): Promise<readonly AccessAnswer[]> {
    const answers: AccessAnswer[] = [];
    for (const question of questions) {
      const answer = await this.answer(caller, question);
      answers.push(answer);
      if (semantic === 'deny_on_first_deny' && !answer.decision) break;
      if (semantic === 'permit_on_first_permit' && answer.decision) break;
    }
    return answers;
  }

  private async answer(caller: Principal, { subject, action, resource, context = {} }: AccessQuestion) {
    if (subject.type !== 'agent') return denied('use a subject of type `agent`, with the name of the agent as id');
    if (action.name !== 'request') return denied('use the action `request`');
    if (resource.type !== 'template') return denied('use a resource of type `template`, with its name as id');
    const requester = this.requesterOf(caller, subject);
    if (requester === undefined) return denied('an agent asks about itself; for others, name a registered agent');
    if (requester.runtime === '') return denied('name the runtime in `subject.properties.runtime`');
    const { parameters = {}, purpose, ttlSeconds } = context;
    const request = {
      ...{ template: resource.id, parameters, purpose: typeof purpose === 'string' ? purpose : '' },
      ...(typeof ttlSeconds === 'number' ? { ttlSeconds } : {}),
    };
    return this.decided(await this.decide(requester, request));
  }

  /** The calling agent as it is proven, or a registered agent that a person asks about. */
  private requesterOf(caller: Principal, { id, properties = {} }: AccessQuestion['subject']): Requester | undefined {
    if (caller.kind === 'agent') {
      const isOwn = id === caller.agent.name || id === caller.agent.id;
      return isOwn ? requesterOf(caller) : undefined;
    }
    const agent = this.parts.agents.agentNamed(id);
    if (agent === undefined) return undefined;
    const textOf = (member: Json | undefined): string => (typeof member === 'string' ? member : '');
    return {
      ...{ agent, runtime: textOf(properties.runtime), issuer: textOf(properties.issuer), subject: '' },
      identityExpiresAt: addSeconds(this.parts.clock.now(), ASSUMED_IDENTITY_SECONDS),
    };
  }

  private async decide(
    requester: Requester,
    request: { readonly template: string; readonly parameters: Json; readonly purpose: string },
  ): Promise<{ readonly decision: Decision; readonly version?: number }> {
    const assessment = this.parts.assessor.assess(requester, request);
    const { decision, template } = assessment;
    if (template === undefined) return { decision };
    const { name, version, spec } = template.version;
    if (!decision.permitted) return { decision, version };
    const left = await this.parts.store.quotaLeft(quotaScope(name), spec.quota);
    return { decision: decision.with(...judgeQuota(name, spec.quota, left)), version };
  }

  private decided({ decision, version }: { readonly decision: Decision; readonly version?: number }): AccessAnswer {
    const { refusal } = decision;
    const known = present({ template_version: version });
    if (refusal === undefined) return { decision: true, context: known };
    return {
      decision: false,
      context: {
        ...{ ...known, control: refusal.control, reason_user: { en: refusal.help ?? refusal.detail } },
        reason_admin: { en: refusal.detail },
      },
    };
  }
}

function denied(reason: string): AccessAnswer {
  return { decision: false, context: { reason_admin: { en: reason } } };
}
