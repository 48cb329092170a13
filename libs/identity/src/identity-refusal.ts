import { EgressRefused } from '@mayfly/egress';
import { Problem } from '@mayfly/kernel';

/** Why an identity was refused. For the audit and for metrics; the caller is never told. */
export type IdentityRefusalReason =
  | 'oversized'
  | 'malformed'
  | 'duplicate_claim'
  | 'header_not_allowed'
  | 'unknown_issuer'
  | 'algorithm'
  | 'unknown_key'
  | 'keys_unavailable'
  | 'keys_refused'
  | 'signature'
  | 'audience'
  | 'missing_claim'
  | 'expired'
  | 'not_yet_valid'
  | 'lifetime'
  | 'profile'
  | 'no_agent'
  | 'ambiguous_agent';

/** Carried as the cause of the Problem, so that the reason reaches the audit and no answer. */
class IdentityRefusal extends Error {
  constructor(
    readonly reason: IdentityRefusalReason,
    cause?: unknown,
  ) {
    super(reason, cause === undefined ? undefined : { cause });
    this.name = 'IdentityRefusal';
  }
}

/** `unauthenticated`, worded the same for every reason: an attacker learns nothing from it. */
export function identityRefused(reason: IdentityRefusalReason): Problem {
  return new Problem('unauthenticated', 'the identity token was refused', { cause: new IdentityRefusal(reason) });
}

/** `unauthenticated` for an identity that was proven and yet stands for no single agent. */
export function agentRefused(reason: 'no_agent' | 'ambiguous_agent'): Problem {
  const detail =
    reason === 'no_agent'
      ? 'no agent is bound to this identity; ask its owner to declare it'
      : 'more than one agent is bound to this identity; ask their owners to declare it once';
  return new Problem('unauthenticated', detail, { cause: new IdentityRefusal(reason) });
}

/** `unavailable`: without the issuer's keys nobody can be proven, so nobody is let in (I7). */
export function keysUnavailable(cause?: unknown): Problem {
  if (cause instanceof EgressRefused) return keysRefused(cause);
  return new Problem('unavailable', 'the keys of the identity issuer cannot be read; try again later', {
    retryAfterSeconds: 5,
    cause: new IdentityRefusal('keys_unavailable', cause),
  });
}

/** `unavailable` for as long as nobody changes a setting: the keys are where the service may not fetch. */
function keysRefused(cause: EgressRefused): Problem {
  return new Problem('unavailable', `the keys of the identity issuer may not be fetched: ${cause.message}`, {
    cause: new IdentityRefusal('keys_refused', cause),
  });
}

/** The machine reason behind a Problem that this room threw; undefined for any other error. */
export function identityRefusalReason(problem: unknown): IdentityRefusalReason | undefined {
  return problem instanceof Problem && problem.cause instanceof IdentityRefusal ? problem.cause.reason : undefined;
}
