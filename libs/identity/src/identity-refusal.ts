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

/** The name of a trusted issuer, and the subject that it proved. */
interface ProvenIdentity {
  readonly issuer: string;
  readonly subject: string;
}

const MAX_FACT_LENGTH = 512;

/** The cause of a refusal's `Problem`: facts for the audit and the log that an unproven caller may not read. */
class IdentityRefusal extends Error {
  /** facts of the refused token; empty when no token could be read */
  facts: TokenFacts = {};

  constructor(
    readonly reason: IdentityRefusalReason,
    cause?: unknown,
    /** the registered member with the wrong form */
    readonly member?: string,
  ) {
    super(reason, cause === undefined ? undefined : { cause });
    this.name = 'IdentityRefusal';
  }
}

/** The facts of a refused identity for audit, log and metrics. */
export interface RefusedIdentity {
  readonly reason: IdentityRefusalReason;
  /** true when issuer and subject were proven, so that the caller also reads the reason */
  readonly isProven: boolean;
  readonly facts: TokenFacts;
}

/**
 * Returns `unauthenticated`. All refusals of unproven tokens have the same text, so that an attacker learns nothing.
 * The refusal of a proven token has the reason, the change to make, and `fact`: the part of the token that broke the
 * rule.
 */
export function identityRefused(reason: ProvenReason | UnprovenReason, fact?: string, member?: string): Problem {
  const cause = new IdentityRefusal(reason, undefined, member);
  if (!isProvenReason(reason)) {
    return new Problem('unauthenticated', 'the identity token was refused', {
      help: 'ask the platform team for the reason; `GET /refusals` has it under the request id',
      cause,
    });
  }
  const { meaning, help } = PROVEN_REASONS[reason];
  const detail = fact === undefined ? meaning : `${meaning}: ${escapeUntrusted(fact, MAX_FACT_LENGTH)}`;
  return new Problem('unauthenticated', detail, { reason, help, cause });
}

/**
 * Returns `unauthenticated` (`malformed`) for a registered member with the wrong form. Its name comes from our list,
 * not from the token.
 */
export function malformedMember(member: string): Problem {
  return identityRefused('malformed', undefined, member);
}

/** Returns the member that caused a refusal of this room, or undefined. */
export function refusedMember(problem: unknown): string | undefined {
  return problem instanceof Problem && problem.cause instanceof IdentityRefusal ? problem.cause.member : undefined;
}

/** Returns `unauthenticated` for a request without a token. */
export function tokenMissing(): Problem {
  const { meaning, help } = OTHER_REASONS.no_token;
  return new Problem('unauthenticated', meaning, { reason: 'no_token', help, cause: new IdentityRefusal('no_token') });
}

/** Returns `unauthenticated` for a token that opens one task and has been used. */
export function replayRefused({ issuer, subject }: ProvenIdentity): Problem {
  return withFacts(identityRefused('replayed'), { issuer, subject });
}

/** Returns `forbidden` for a proven identity without exactly one agent. Names the identity to bind. */
export function agentRefused(reason: 'no_agent' | 'ambiguous_agent', { issuer, subject }: ProvenIdentity): Problem {
  const { meaning, help } = PROVEN_REASONS[reason];
  const problem = new Problem('forbidden', `${meaning}: issuer \`${issuer}\`, subject \`${subject}\``, {
    ...{ reason, help, identity: { issuer, subject } },
    cause: new IdentityRefusal(reason),
  });
  return withFacts(problem, { issuer, subject });
}

/**
 * Returns `forbidden` for a proven identity that has a role and is also bound to an agent. It may be neither until the
 * role or the binding is removed.
 */
export function personIsAgent(agent: string, { issuer, subject }: ProvenIdentity): Problem {
  const { meaning, help } = PROVEN_REASONS.person_and_agent;
  const problem = new Problem('forbidden', `${meaning}: agent \`${agent}\``, {
    ...{ reason: 'person_and_agent', help, identity: { issuer, subject } },
    cause: new IdentityRefusal('person_and_agent'),
  });
  return withFacts(problem, { issuer, subject });
}

/** Returns `unavailable`: without the issuer's keys no identity can be proven, so none is accepted (I7). */
export function keysUnavailable(cause?: unknown): Problem {
  if (cause instanceof EgressRefused) return keysRefused(cause);
  return new Problem('unavailable', OTHER_REASONS.keys_unavailable.meaning, {
    retryAfterSeconds: 5,
    cause: new IdentityRefusal('keys_unavailable', cause),
  });
}

/**
 * Adds the facts of the refused token to a refusal of this room. `issuer` is the name of the document that the token
 * chose. Leaves any other error unchanged.
 */
export function noteRefusedToken(error: unknown, token: string, issuer: string | undefined): void {
  withFacts(error, { ...tokenFacts(token), ...(issuer === undefined ? {} : { issuer }) });
}

/** Returns the facts of a refusal of this room; undefined for any other error. */
export function refusedIdentity(problem: unknown): RefusedIdentity | undefined {
  if (!(problem instanceof Problem && problem.cause instanceof IdentityRefusal)) return undefined;
  const { reason, facts, member } = problem.cause;
  return { reason, isProven: isProvenReason(reason), facts: member === undefined ? facts : { ...facts, member } };
}

/** True when the refusal has the common text for unproven tokens. */
export function isReasonHidden(problem: unknown): boolean {
  const reason = identityRefusalReason(problem);
  return reason !== undefined && isUnprovenReason(reason);
}

/**
 * Returns `unavailable` without a retry time: the egress guard refuses the address of the keys until an operator
 * changes a setting.
 */
function keysRefused(cause: EgressRefused): Problem {
  return new Problem('unavailable', `Mayfly may not fetch the keys of the identity issuer: ${cause.message}`, {
    cause: new IdentityRefusal('keys_refused', cause),
  });
}

/** Returns the reason of a `Problem` that this room threw; undefined for any other error. */
export function identityRefusalReason(problem: unknown): IdentityRefusalReason | undefined {
  return refusedIdentity(problem)?.reason;
}

function withFacts<Value>(problem: Value, facts: TokenFacts): Value {
  if (problem instanceof Problem && problem.cause instanceof IdentityRefusal) problem.cause.facts = facts;
  return problem;
}
