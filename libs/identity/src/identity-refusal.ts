import { EgressRefused } from '@mayfly/egress';
import { Problem } from '@mayfly/kernel';
import {
  isProvenReason,
  isUnprovenReason,
  OTHER_REASONS,
  PROVEN_REASONS,
  type IdentityRefusalReason,
  type ProvenReason,
  type UnprovenReason,
} from './refusal-reasons.js';
import { escapeUntrusted, tokenFacts, type TokenFacts } from './token/token-facts.js';

/** The name of a trusted issuer, and who it vouched for. */
interface ProvenIdentity {
  readonly issuer: string;
  readonly subject: string;
}

const MAX_FACT_LENGTH = 512;

/** Carried as the cause of the Problem: what the audit and the log are told, and no unproven caller is. */
class IdentityRefusal extends Error {
  /** of the refused token; empty where there is none to read */
  facts: TokenFacts = {};

  constructor(
    readonly reason: IdentityRefusalReason,
    cause?: unknown,
    /** the registered member whose form is not accepted */
    readonly member?: string,
  ) {
    super(reason, cause === undefined ? undefined : { cause });
    this.name = 'IdentityRefusal';
  }
}

/** What audit, log and metrics are told of a refused identity. */
export interface RefusedIdentity {
  readonly reason: IdentityRefusalReason;
  /** whether issuer and subject were proven, and the caller was told the reason */
  readonly isProven: boolean;
  readonly facts: TokenFacts;
}

/**
 * `unauthenticated`. A token that is not proven is refused in the same words for every reason (an attacker learns nothing
 * from them); one that is proven with the reason, what to change, and `fact`: what of the token broke the rule.
 */
export function identityRefused(reason: ProvenReason | UnprovenReason, fact?: string, member?: string): Problem {
  const cause = new IdentityRefusal(reason, undefined, member);
  if (!isProvenReason(reason)) {
    return new Problem('unauthenticated', 'the identity token was refused', {
      help: 'the platform team finds the reason under the request id: `GET /refusals`',
      cause,
    });
  }
  const { meaning, help } = PROVEN_REASONS[reason];
  const detail = fact === undefined ? meaning : `${meaning}: ${escapeUntrusted(fact, MAX_FACT_LENGTH)}`;
  return new Problem('unauthenticated', detail, { reason, help, cause });
}

/** `unauthenticated` (`malformed`) for a registered member that has not the form that is accepted; its name is ours, not the token's. */
export function malformedMember(member: string): Problem {
  return identityRefused('malformed', undefined, member);
}

/** The member that a refusal of this room is about, where one is to blame. */
export function refusedMember(problem: unknown): string | undefined {
  return problem instanceof Problem && problem.cause instanceof IdentityRefusal ? problem.cause.member : undefined;
}

/** `unauthenticated`: no token was sent. */
export function tokenMissing(): Problem {
  const { meaning, help } = OTHER_REASONS.no_token;
  return new Problem('unauthenticated', meaning, { reason: 'no_token', help, cause: new IdentityRefusal('no_token') });
}

/** `unauthenticated`: a token that opens one task has opened it. */
export function replayRefused({ issuer, subject }: ProvenIdentity): Problem {
  return withFacts(identityRefused('replayed'), { issuer, subject });
}

/** `forbidden` for an identity that was proven and yet stands for no single agent: it names what has to be bound. */
export function agentRefused(reason: 'no_agent' | 'ambiguous_agent', { issuer, subject }: ProvenIdentity): Problem {
  const { meaning, help } = PROVEN_REASONS[reason];
  const problem = new Problem('forbidden', `${meaning}: issuer \`${issuer}\`, subject \`${subject}\``, {
    ...{ reason, help, identity: { issuer, subject } },
    cause: new IdentityRefusal(reason),
  });
  return withFacts(problem, { issuer, subject });
}

/** `forbidden` for a proven identity that has a role and is bound to an agent: it is neither until one of them is gone. */
export function personIsAgent(agent: string, { issuer, subject }: ProvenIdentity): Problem {
  const { meaning, help } = PROVEN_REASONS.person_and_agent;
  const problem = new Problem('forbidden', `${meaning}: agent \`${agent}\``, {
    ...{ reason: 'person_and_agent', help, identity: { issuer, subject } },
    cause: new IdentityRefusal('person_and_agent'),
  });
  return withFacts(problem, { issuer, subject });
}

/** `unavailable`: without the issuer's keys nobody can be proven, so nobody is let in (I7). */
export function keysUnavailable(cause?: unknown): Problem {
  if (cause instanceof EgressRefused) return keysRefused(cause);
  return new Problem('unavailable', OTHER_REASONS.keys_unavailable.meaning, {
    retryAfterSeconds: 5,
    cause: new IdentityRefusal('keys_unavailable', cause),
  });
}

/**
 * Notes in a refusal of this room which token it is about; `issuer` is the name of the document that the token chose.
 * Any other error is left as it is.
 */
export function noteRefusedToken(error: unknown, token: string, issuer: string | undefined): void {
  withFacts(error, { ...tokenFacts(token), ...(issuer === undefined ? {} : { issuer }) });
}

/** What this room says of a refusal of its own; undefined for any other error. */
export function refusedIdentity(problem: unknown): RefusedIdentity | undefined {
  if (!(problem instanceof Problem && problem.cause instanceof IdentityRefusal)) return undefined;
  const { reason, facts, member } = problem.cause;
  return { reason, isProven: isProvenReason(reason), facts: member === undefined ? facts : { ...facts, member } };
}

/** Whether a refusal is answered like every other one of a token that is not proven. */
export function isReasonHidden(problem: unknown): boolean {
  const reason = identityRefusalReason(problem);
  return reason !== undefined && isUnprovenReason(reason);
}

/** `unavailable` for as long as nobody changes a setting: the keys are where the service may not fetch. */
function keysRefused(cause: EgressRefused): Problem {
  return new Problem('unavailable', `the keys of the identity issuer may not be fetched: ${cause.message}`, {
    cause: new IdentityRefusal('keys_refused', cause),
  });
}

/** The machine reason behind a Problem that this room threw; undefined for any other error. */
export function identityRefusalReason(problem: unknown): IdentityRefusalReason | undefined {
  return refusedIdentity(problem)?.reason;
}

function withFacts<Value>(problem: Value, facts: TokenFacts): Value {
  if (problem instanceof Problem && problem.cause instanceof IdentityRefusal) problem.cause.facts = facts;
  return problem;
}
