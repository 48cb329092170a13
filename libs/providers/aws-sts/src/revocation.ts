import type { RevocationOrder, RevocationOutcome } from '@mayfly/credentials';
import { addSeconds, Problem, type Clock } from '@mayfly/kernel';
import type { AwsConfig } from './config.schema.js';
import type { DenyPolicyReport } from './deny-policy-writer.js';
import { detailFor, type AwsFailure } from './failures.js';
import { iamOf, type AwsHandle } from './handle.schema.js';

export type AwsRevocation = RevocationOrder<AwsConfig, AwsHandle>;

const ELSEWHERE = 'the connection names another IAM than the one that made the session; set `endpoints` back';

const UNEXPECTED = 'Mayfly failed while it wrote or read the deny policy; wait, Mayfly tries again';

/** Seconds after a session's deadline at which it counts as ended, for clocks that differ. */
const AFTER_DEADLINE_SECONDS = 1;

/**
 * Returns the outcome of a revocation that needs no IAM, or undefined when the deny policy must be written or read.
 */
export function withoutIam(
  { config, handle, expiresAt, effectiveAt }: AwsRevocation,
  now: Date,
): RevocationOutcome | undefined {
  if (config.revocation.mode === 'none') return { kind: 'impossible' };
  // INVARIANT: I6, the session's own policy denies everything from its deadline on: this is the proof.
  if (now >= addSeconds(expiresAt, AFTER_DEADLINE_SECONDS)) return { kind: 'revoked', effectiveAt: expiresAt };
  if (now >= expiresAt) {
    return { kind: 'not_yet', detail: 'it ends at its deadline', retryAfterSeconds: 1, effectiveAt: expiresAt };
  }
  if (handle.iam !== iamOf(config)) return { kind: 'unknown', detail: ELSEWHERE };
  return effectiveAt !== undefined && effectiveAt > now ? propagating(effectiveAt, now) : undefined;
}

/** Converts the report of a round to the outcome for one lease. */
export function outcomeOf(report: DenyPolicyReport, order: AwsRevocation, clock: Clock): RevocationOutcome {
  switch (report.kind) {
    case 'role-gone':
      return { kind: 'already_gone' };
    case 'held':
    case 'lapsed':
    case 'unclear':
      return {
        kind: 'not_yet',
        detail: 'another process is writing the deny policy of this role; Mayfly tries again',
        retryAfterSeconds: 1,
      };
    case 'failed':
      return failed(report.failure);
    case 'standing':
      return standing(report, order, clock.now());
  }
}

function failed(failure: AwsFailure): RevocationOutcome {
  const retry = failure.reason === 'throttled' ? { retryAfterSeconds: 5 } : {};
  return { kind: 'unknown', detail: `${detailFor(failure)} (${failure.code})`, ...retry };
}

function standing(
  report: Extract<DenyPolicyReport, { kind: 'standing' }>,
  { config, leaseId, effectiveAt }: AwsRevocation,
  now: Date,
): RevocationOutcome {
  if (effectiveAt !== undefined && report.confirmed.has(leaseId)) return { kind: 'revoked', effectiveAt };
  const since = report.standing.since.get(leaseId);
  if (since === undefined) return { kind: 'unknown', detail: 'the lease is not recorded for a denial' };
  return denied(since, config, now);
}

function denied(since: Date, { revocation }: AwsConfig, now: Date): RevocationOutcome {
  const seconds = revocation.mode === 'none' ? 0 : revocation.propagationSeconds;
  // without a propagation time the acknowledgement is the proof; otherwise a later read must confirm it
  return seconds === 0 ? { kind: 'revoked', effectiveAt: since } : propagating(addSeconds(since, seconds), now);
}

function propagating(effectiveAt: Date, now: Date): RevocationOutcome {
  const seconds = Math.ceil((effectiveAt.getTime() - now.getTime()) / 1000);
  const detail = 'IAM has the denial and is propagating it';
  return { kind: 'not_yet', detail, retryAfterSeconds: Math.max(1, seconds), effectiveAt };
}

/** Returns the outcome of a revocation that threw: it proves nothing. */
export function unknownFrom(error: unknown): RevocationOutcome {
  return { kind: 'unknown', detail: error instanceof Problem ? error.detail : UNEXPECTED };
}
