import type { Actor } from '@mayfly/audit';
import type { LockdownId } from '@mayfly/kernel';
import type { Lockdown } from '@mayfly/revocation';
import type { LockdownKind } from '@mayfly/tasks';

/** A row of `lockdown`, with the counts of its leases. */
export interface LockdownRow {
  readonly id: LockdownId;
  readonly kind: LockdownKind;
  readonly name: string;
  readonly reason: string;
  readonly engaged_at: Date;
  readonly engaged_by: Actor;
  readonly release_reason: string | null;
  readonly release_requested_at: Date | null;
  readonly release_requested_by: Actor | null;
  readonly released_at: Date | null;
  readonly released_by: Actor | null;
  readonly is_ending: boolean;
  readonly matched: number;
  readonly revoking: number;
  readonly abandoned: number;
  readonly oldest_seconds: number | null;
}

const OF_LEASES = 'FROM public.lease l JOIN public.task t ON t.id = l.task_id WHERE t.lockdown_id = k.id';

/** The columns of a `LockdownRow`; `k` is the row of `lockdown`. */
export const LOCKDOWN_COLUMNS = `k.*, EXISTS (SELECT FROM public.task_ending e WHERE e.id = k.id) AS is_ending,
  (SELECT count(*)::int ${OF_LEASES}) AS matched,
  (SELECT count(*)::int ${OF_LEASES} AND l.ended_at IS NULL) AS revoking,
  (SELECT count(*)::int ${OF_LEASES} AND l.state = 'abandoned') AS abandoned,
  (SELECT floor(extract(epoch FROM now() - min(l.revoke_requested_at)))::int ${OF_LEASES} AND l.ended_at IS NULL) AS oldest_seconds`;

/** Leases under a lockdown that are not dead, and that its own endings do not count. */
export interface LivingLeases {
  readonly leases: number;
  /** the age of the oldest request to revoke one of them */
  readonly seconds: number | null;
}

/** Returns the lockdown of a row. `others` are the living leases whose tasks the lockdown has not ended. */
export function lockdownOf(row: LockdownRow, others: LivingLeases = { leases: 0, seconds: null }): Lockdown {
  const { matched, revoking, abandoned } = row;
  const ages = [row.oldest_seconds, others.seconds].filter((age) => age !== null);
  return {
    ...{ id: row.id, scope: { kind: row.kind, name: row.name }, isEnding: row.is_ending },
    engaged: { at: row.engaged_at, by: row.engaged_by, reason: row.reason },
    ...releaseOf(row),
    progress: {
      ...{ matched: matched + others.leases, revoked: matched - revoking - abandoned },
      ...{ revoking: revoking + others.leases, abandoned },
      ...(ages.length === 0 ? {} : { oldestSeconds: Math.max(...ages) }),
    },
  };
}

function releaseOf(row: LockdownRow): Pick<Lockdown, 'releaseRequested' | 'released'> {
  const { release_requested_at: askedAt, release_requested_by: askedBy, released_at: at, released_by: by } = row;
  return {
    ...(askedAt === null || askedBy === null
      ? {}
      : { releaseRequested: { at: askedAt, by: askedBy, reason: row.release_reason ?? '' } }),
    ...(at === null || by === null ? {} : { released: { at, by } }),
  };
}
