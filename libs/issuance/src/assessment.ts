import type { Targets } from '@mayfly/credentials';
import { present, type Clock, type JsonObject } from '@mayfly/kernel';
import { Decision, deny, judgeRequester, type Judgement, type Obligations, permit } from '@mayfly/policy';
import type { EngagedLockdown, StepObserver } from '@mayfly/tasks';
import type { CompiledTemplate, RenderedCredential } from '@mayfly/templates';
import type { FactSet, FactSets } from './decisions/declared-facts.js';
import { judged } from './judged.js';
import { judgeLockdown, type LockdownSource } from './lockdown-control.js';
import { judgeAttenuation } from './delegations/delegation-controls.js';
import { narrowLifetime, type GrantedLifetime } from './narrowing.js';
import { policyInputOf, policyPhaseOf, type PolicyJudge, judgeByPolicies } from './policy-control.js';
import { renderScopes } from './rendered-scopes.js';
import type { Requester, TaskRequest } from './request.js';
import type { TemplateSource } from './template-source.js';

/** The facts that steps 3 to 6 read besides the request, for the record of the decision. */
interface Read {
  readonly at: Date;
  readonly facts: FactSet;
}

/** The result of steps 3 to 6 for a permitted request: the decision, and the limits of the grant. */
export interface PermittedRequest extends Read {
  readonly permitted: true;
  readonly decision: Decision;
  readonly template: CompiledTemplate;
  readonly parameters: JsonObject;
  /** one for each credential, in the template's order; provider and connection accept each of them */
  readonly scopes: readonly RenderedCredential[];
  readonly lifetime: GrantedLifetime;
  /** what the policies that permit it ask for in return */
  readonly obligations: Obligations;
}

/** The result of steps 3 to 6 for a denied request: its decision names the control. */
export interface DeniedRequest extends Read {
  readonly permitted: false;
  readonly decision: Decision;
  readonly template?: CompiledTemplate;
  /** the lockdown that covers the request */
  readonly lockdown?: EngagedLockdown;
}

export type Assessment = PermittedRequest | DeniedRequest;

/** Verdicts of step 1: the guard authenticated the caller and checked its permission. */
const AT_THE_DOOR: readonly Judgement[] = [permit('identity'), permit('permission')];

/** Steps 3 to 6 of the path: load, validate, decide, narrow. Has no effect, so dry runs and renewals use it too. */
export class Assessor {
  constructor(
    private readonly templates: TemplateSource & LockdownSource,
    private readonly targets: Pick<Targets, 'traits' | 'scopeFault' | 'requireEnabled' | 'isWithin'>,
    private readonly clock: Clock,
    private readonly observer: StepObserver,
    private readonly facts: Pick<FactSets, 'of'>,
    private readonly policies: PolicyJudge,
  ) {}

  /**
   * Evaluates every control after a denial too, so that the trace is complete. A name without a published template ends
   * at step 3.
   */
  assess(requester: Requester, request: TaskRequest): Assessment {
    const at = this.clock.now();
    const template = this.after('load', this.templates.current(request.template)); //              3
    const facts = this.facts.of(requester.agent, template);
    if (template === undefined) return { ...unpublished(request.template), at, facts };
    const rendered = this.after('validate', this.validate(template, request)); //                  4
    const requesting = this.after('decide', this.decide(requester, template)); //                  5
    const lockdown = this.lockdown(requester, template, request);
    const builtIn = Decision.of([
      ...[...AT_THE_DOOR, judgeLockdown(lockdown), permit('template-lifecycle'), rendered.judgement, ...requesting],
      ...[this.connectionState(template), ...this.attenuation(request, valueOf(rendered)?.scopes ?? [])],
    ]);
    const { judgements, obligations } = this.byPolicies(builtIn, requester, template, request, at);
    const narrowed = this.after('narrow', this.narrow(requester, template, request, at, obligations)); // 6
    const decision = builtIn.with(narrowed.judgement, ...judgements);
    if (!decision.permitted || !('value' in rendered) || !('value' in narrowed))
      return { permitted: false, decision, template, at, facts, ...present({ lockdown }) };
    const limits = { lifetime: narrowed.value, obligations };
    return { permitted: true, decision, template, ...rendered.value, ...limits, at, facts };
  }

  /** Asks the policies about what the built-in controls permit; only the lifetime is judged later, within obligations. */
  private byPolicies(
    builtIn: Decision,
    requester: Requester,
    { version }: CompiledTemplate,
    request: TaskRequest,
    at: Date,
  ) {
    if (!builtIn.permitted) return { judgements: [], obligations: {} };
    const asked = { ttlSeconds: request.ttlSeconds, treeDepth: request.child?.origin.depth ?? 0 };
    const input = () => policyInputOf(policyPhaseOf(request), requester, version, at, asked);
    return judgeByPolicies(this.policies, input, version);
  }

  private validate(template: CompiledTemplate, request: TaskRequest) {
    return judged('parameters', () => {
      const parameters = template.validate(request.parameters);
      return { parameters, scopes: renderScopes(template, parameters, this.targets) };
    });
  }

  private decide(requester: Requester, { version: { name, version, spec } }: CompiledTemplate): readonly Judgement[] {
    return judgeRequester({
      agent: requester.agent,
      runtime: requester.runtime,
      template: { name, version, requesters: spec.requesters },
    });
  }

  private lockdown(
    { agent, runtime, issuer }: Requester,
    { version: { name, spec } }: CompiledTemplate,
    { child }: TaskRequest,
  ): EngagedLockdown | undefined {
    return this.templates.lockdownOf({
      ...(child === undefined ? {} : { taskId: child.taskId, rootId: child.origin.rootId }),
      ...{ agent: agent.name, runtime, issuer, template: name, owners: [spec.owner] },
      connections: spec.credentials.flatMap(({ connection }) => connection ?? []),
    });
  }

  private narrow(
    requester: Requester,
    template: CompiledTemplate,
    request: TaskRequest,
    at: Date,
    { lifeSeconds }: Obligations,
  ) {
    return judged('lifetime', () =>
      narrowLifetime({
        ...(request.ttlSeconds === undefined ? {} : { requestedSeconds: request.ttlSeconds }),
        template: template.version.spec.lifetime,
        identitySeconds: (requester.identityExpiresAt.getTime() - at.getTime()) / 1000,
        ...(request.child === undefined
          ? {}
          : { parentSeconds: (request.child.expiresAt.getTime() - at.getTime()) / 1000 }),
        ...(lifeSeconds === undefined ? {} : { policySeconds: lifeSeconds }),
        providers: template.version.spec.credentials.map(({ provider, connection }) => ({
          kind: provider,
          traits: this.targets.traits(provider, connection),
        })),
      }),
    );
  }

  /** Judges whether the credentials of a child are within those of its parent. */
  private attenuation({ child }: TaskRequest, scopes: readonly RenderedCredential[]): readonly Judgement[] {
    return child === undefined ? [] : [judgeAttenuation(scopes, child.held, this.targets)];
  }

  private connectionState({ version }: CompiledTemplate): Judgement {
    return judged('connection-state', () => {
      for (const { connection } of version.spec.credentials) this.targets.requireEnabled(connection);
    }).judgement;
  }

  private after<T>(step: 'load' | 'validate' | 'decide' | 'narrow', result: T): T {
    void this.observer.reached(step);
    return result;
  }
}

function valueOf<T>(of: { readonly value: T } | object): T | undefined {
  return 'value' in of ? of.value : undefined;
}

function unpublished(name: string) {
  const refusal = deny('template-lifecycle', `there is no published template \`${name}\``, {
    problem: 'not_found',
    help: '`GET /me` lists the templates that this agent may ask for',
  });
  return { permitted: false, decision: Decision.of([...AT_THE_DOOR, refusal]) } as const;
}
