import { type Actor, type Denial, DENIAL_LIMITS, type DenialLog, MAYFLY } from '@mayfly/audit';
import { refusedIdentity, type RefusedIdentity } from '@mayfly/identity';
import type { IssuanceMetrics } from '@mayfly/issuance';
import { type ControlName, Problem } from '@mayfly/kernel';
import type { Metrics, Redaction } from '@mayfly/telemetry';
import type { Logger } from 'pino';
import { actorOf, type Principal } from './principal.js';

export interface RefusalParts {
  readonly denials: Pick<DenialLog, 'admit' | 'write' | 'writeLater'>;
  readonly metrics: Pick<IssuanceMetrics, 'denied'> & Pick<Metrics, 'identityRefused'>;
  readonly log: Pick<Logger, 'warn'>;
  readonly redact: Redaction;
}

/** A request that is refused: the route's pattern, and the id that its answer has as `instance`. */
export interface RefusedCall {
  readonly route: string;
  readonly requestId: string;
}

/**
 * Writes refusals at the door into the audit, and one line each into the log, within the limits of `DENIAL_LIMITS`; all are
 * counted. A caller that was proven is answered after that. Nobody else waits for it, so that the time of an answer does
 * not tell what was found out about the token.
 */
export class RefusalRecorder {
  constructor(private readonly parts: RefusalParts) {}

  /** Does nothing for a problem that is no refusal of an identity. Throws `unavailable` when the audit takes no entry. */
  async identity(problem: unknown, call: RefusedCall): Promise<void> {
    const refused = refusedIdentity(problem);
    if (refused === undefined) return;
    this.parts.metrics.denied('identity');
    this.parts.metrics.identityRefused(refused.reason);
    // No verdict on the token: the line has what went wrong with the keys.
    const why = problem instanceof Problem && problem.code === 'unavailable' ? { err: problem } : {};
    await this.note(identityDenial(refused, call, this.parts.redact), 'identity refused', refused.isProven, why);
  }

  /** `control` is what refused. Throws `unavailable` when the audit takes no entry. */
  async forbidden(principal: Principal, route: string, control: ControlName = 'permission'): Promise<void> {
    this.parts.metrics.denied(control);
    await this.note(forbiddenDenial(principal, { route, control }, this.parts.redact), 'request forbidden', true);
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
    // Names that nobody vouches for are no group: there is no end to them.
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

/** A claim may hold anything, a secret too. */
function withoutSecrets<Facts extends object>(facts: Facts, redact: Redaction): Facts {
  return JSON.parse(redact(JSON.stringify(facts))) as Facts;
}
