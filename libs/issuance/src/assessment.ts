import { type Clock, type JsonObject, Problem } from '@mayfly/kernel';
import { decide, type Decision, type Verdict } from '@mayfly/policy';
import type { CompiledTemplate, RenderedCredential } from '@mayfly/templates';
import { type GrantedLifetime, narrowLifetime } from './narrowing.js';
import type { StepObserver } from './step.js';
import type { TemplateSource } from './template-source.js';
import { renderScopes } from './rendered-scopes.js';
import type { Requester, TaskRequest } from './request.js';
import type { Targets } from '@mayfly/credentials';

/** What steps 2 to 5 found: the request may be granted, this far and no further. */
export interface Assessment {
  readonly template: CompiledTemplate;
  readonly parameters: JsonObject;
  /** one a credential, in the template's order; each is taken by its provider and its connection */
  readonly scopes: readonly RenderedCredential[];
  readonly trace: readonly Verdict[];
  readonly lifetime: GrantedLifetime;
  readonly at: Date;
}

/** Steps 2 to 5 of the path: load, validate, decide, narrow. It changes nothing, so a dry run and a renewal use it too. */
export class Assessor {
  constructor(
    private readonly templates: TemplateSource,
    private readonly targets: Pick<Targets, 'traits' | 'scopeFault'>,
    private readonly clock: Clock,
    private readonly observer: StepObserver,
  ) {}

  /**
   * Throws `not_found` for a template that is not in force, `invalid_parameters`, `provider_rejected` for a scope that no
   * parameter could make fit, or `policy_denied` naming the control.
   */
  assess(requester: Requester, request: TaskRequest): Assessment {
    const at = this.clock.now();
    const template = this.after('load', this.load(request.template)); //                        2
    const parameters = template.validate(request.parameters); //                                3
    const scopes = this.after('validate', renderScopes(template, parameters, this.targets));
    const { trace } = this.after('decide', this.decide(requester, template)); //                4
    const lifetime = this.after('narrow', this.narrow(requester, template, request, at)); //    5
    const passed = (control: Verdict['control']): Verdict => ({ control, outcome: 'permit' });
    return { template, parameters, scopes, trace: [...trace, passed('parameters'), passed('lifetime')], lifetime, at };
  }

  private load(name: string): CompiledTemplate {
    const template = this.templates.current(name);
    if (template === undefined) {
      throw new Problem('not_found', `there is no published template \`${name}\``, {
        help: '`GET /me` lists the templates that this agent may ask for',
      });
    }
    return template;
  }

  private decide(requester: Requester, { version: { name, version, spec } }: CompiledTemplate): Decision {
    const decision = decide({
      agent: requester.agent,
      runtime: requester.runtime,
      template: { name, version, requesters: spec.requesters },
    });
    if (decision.refusal !== undefined) {
      const { control, detail, help } = decision.refusal;
      throw new Problem('policy_denied', detail ?? 'the request is not permitted', {
        control,
        ...(help === undefined ? {} : { help }),
      });
    }
    return decision;
  }

  private narrow(requester: Requester, template: CompiledTemplate, request: TaskRequest, at: Date): GrantedLifetime {
    return narrowLifetime({
      ...(request.ttlSeconds === undefined ? {} : { requestedSeconds: request.ttlSeconds }),
      template: template.version.spec.lifetime,
      identitySeconds: (requester.identityExpiresAt.getTime() - at.getTime()) / 1000,
      providers: template.version.spec.credentials.map(({ provider, connection }) => ({
        kind: provider,
        traits: this.targets.traits(provider, connection),
      })),
    });
  }

  private after<T>(step: 'load' | 'validate' | 'decide' | 'narrow', result: T): T {
    this.observer.reached(step);
    return result;
  }
}
