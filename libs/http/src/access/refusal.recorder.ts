import { type Actor, actorOf, type Denial, DENIAL_LIMITS, type DenialLog, MAYFLY } from '@mayfly/audit';
import { type IdentityRefusalReason, type Principal, refusedIdentity, type RefusedIdentity } from '@mayfly/identity';
import type { IssuanceMetrics } from '@mayfly/issuance';
import { type ControlName, Problem } from '@mayfly/kernel';
import type { Logger } from 'pino';

/** Returns the text without secrets. */
type Redaction = (text: string) => string;

export interface RefusalParts {
  readonly denials: Pick<DenialLog, 'admit' | 'write' | 'writeLater'>;
  readonly metrics: Pick<IssuanceMetrics, 'denied'> & { identityRefused(reason: IdentityRefusalReason): void };
  readonly log: Pick<Logger, 'warn'>;
  readonly redact: Redaction;
}

/** A refused request: the route's pattern, and the request id (`instance` of the answer). */
export interface RefusedCall {
  readonly route: string;
  readonly requestId: string;
}

/**
 * Audits and logs refused identities and forbidden requests within `DENIAL_LIMITS`, and counts all of them. A proven
 * caller gets its answer after the audit entry is written. For an unproven token the entry is written later, so that
 * the time of the answer reveals nothing about the token.
 */
export class RefusalRecorder {
  constructor(private readonly parts: RefusalParts) {}

  /** Records a refused identity; ignores other problems. Throws `unavailable` when the audit cannot be written. */
  async identity(problem: unknown, call: RefusedCall): Promise<void> {
    const refused = refusedIdentity(problem);
    if (refused === undefined) return;
    this.parts.metrics.denied('identity');
    this.parts.metrics.identityRefused(refused.reason);
    // The keys could not be read, so there is no verdict on the token: log the cause.
    const why = problem instanceof Problem && problem.code === 'unavailable' ? { err: problem } : {};
    await this.note(identityDenial(refused, call, this.parts.redact), 'identity refused', refused.isProven, why);
  }

  /** Records a forbidden request; `control` refused it. Throws `unavailable` when the audit cannot be written. */
  async forbidden(principal: Principal, route: string, control: ControlName = 'permission'): Promise<void> {
    this.parts.metrics.denied(control);
    await this.note(forbiddenDenial(principal, { route, control }, this.parts.redact), 'request forbidden', true);
  }

  /** Does `act`. Records its refusal by a control, under the pattern of the route, and rethrows it. */
  async watching<T>(principal: Principal, route: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof Problem && error.code === 'policy_denied')
        await this.forbidden(principal, route, error.extensions.control);
      throw error;
    }
  }

  private async note(denial: Denial, message: string, isAwaited: boolean, more: object = {}): Promise<void> {
    if (!this.parts.denials.admit(denial)) return;
    const { requestId, ...facts } = denial.facts;
    this.parts.log.warn({ reqId: requestId, ...facts, ...more }, message);
    if (isAwaited) await this.parts.denials.write(denial);
    else this.parts.denials.writeLater(denial);
  }
}

function identityDenial(
  { reason, isProven, facts }: RefusedIdentity,
  { route, requestId }: RefusedCall,
  redact: Redaction,
): Denial {
  const { issuer = '', subject = '' } = withoutSecrets(facts, redact);
  const isBound = isProven && (reason === 'no_agent' || reason === 'ambiguous_agent');
  const actor: Actor = isBound ? { kind: 'workload', issuer, subject } : MAYFLY;
  return {
    ...{ type: 'identity.refused', actor, subject: {} },
    facts: { route, requestId, reason, ...withoutSecrets({ ...facts }, redact) },
    // An unproven issuer must not form a group: a caller could invent any number of names.
    group: isProven ? { reason, issuer } : { reason },
    limit: DENIAL_LIMITS.strangers,
    member: { key: isProven ? subject : issuer, limit: DENIAL_LIMITS.perStranger },
  };
}

function forbiddenDenial(
  principal: Principal,
  { route, control }: { readonly route: string; readonly control: ControlName },
  redact: Redaction,
): Denial {
  const { identity, requestId } = principal;
  const { issuer, subject } = withoutSecrets({ issuer: identity.issuer, subject: identity.subject }, redact);
  const isAgent = principal.kind === 'agent';
  const isStranger = principal.kind === 'workload';
  return {
    ...{ type: 'request.forbidden', actor: withoutSecrets(actorOf(principal), redact) },
    subject: isAgent ? { agent: principal.agent.name } : {},
    facts: { route, requestId, control, identity: { issuer, subject } },
    group: { control, ...(isAgent ? {} : { issuer }), ...(principal.kind === 'person' ? { subject } : {}) },
    ...(isStranger
      ? { limit: DENIAL_LIMITS.strangers, member: { key: subject, limit: DENIAL_LIMITS.perStranger } }
      : { limit: DENIAL_LIMITS.perCaller }),
  };
}

/** Redacts secrets, because a claim may hold anything. */
function withoutSecrets<Facts extends object>(facts: Facts, redact: Redaction): Facts {
  return JSON.parse(redact(JSON.stringify(facts))) as Facts;
}
