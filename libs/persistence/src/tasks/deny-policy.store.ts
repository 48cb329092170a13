import { auditEntry, MAYFLY } from '@mayfly/audit';
import type { DenyPolicyClaim, DenyPolicyWrite, DeniedSession, DenyPolicies, FoundDenials } from '@mayfly/credentials';
import type { UpkeepStore } from '@mayfly/revocation';
import type { Clock, LeaseId, TaskId } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseProblem } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';

/** The interval between two checks of a deny policy. */
const CHECK_SECONDS = 30;
/**
 * The time after the last lease or cut-off ended for which checks continue, to remove denials that are no longer
 * needed.
 */
const LINGER_SECONDS = 600;
/** The time after its deadline for which the document still denies a session, for clocks that are behind. */
const SLACK_SECONDS = 5;

interface DocumentRow {
  readonly version: number;
  readonly revision: number;
  readonly cutOffAt: Date | null;
  readonly cutOffUntil: Date | null;
  readonly writtenSecondsAgo: number | null;
  readonly repairedSecondsAgo: number | null;
}

const ADD = 'INSERT INTO public.denial_document (target) VALUES ($1) ON CONFLICT (target) DO NOTHING';

const CLAIM = `
WITH free AS (
  SELECT target, now() + make_interval(secs => $2) AS claimed_until,
    extract(epoch FROM now() - written_at)::float8 AS written_seconds_ago,
    extract(epoch FROM now() - repaired_at)::float8 AS repaired_seconds_ago
  FROM public.denial_document WHERE target = $1 AND (claimed_until IS NULL OR claimed_until < now()) FOR UPDATE
)
UPDATE public.denial_document d SET version = d.version + 1, claimed_until = free.claimed_until
FROM free WHERE d.target = free.target
RETURNING d.version, d.revision, d.cut_off_at AS "cutOffAt", d.cut_off_until AS "cutOffUntil",
  free.written_seconds_ago AS "writtenSecondsAgo", free.repaired_seconds_ago AS "repairedSecondsAgo"`;

/**
 * Reads the sessions to deny. An abandoned lease stays denied: nobody proved that its session is dead. Skips leases that
 * ended by expiry: the session's own policy denies those. A kept denial of a lease that lives in this database (its end
 * was lost with a backup) lasts as long as the lease.
 */
const SESSIONS = `
SELECT id AS "leaseId", coalesce(issued_by, mint_by) AS "issuedBy", expires_at AS "expiresAt",
  revoke_effective_at IS NOT NULL AS acknowledged, false AS kept, revoke_requested_at AS since FROM public.lease
WHERE target = $1 AND expires_at > now() - make_interval(secs => ${String(SLACK_SECONDS)})
  AND revoke_requested_at IS NOT NULL AND state IN ('revoking', 'revoked', 'abandoned') AND end_cause <> 'expired'
UNION ALL
SELECT k.session, greatest(k.seen_at, l.issued_by, l.mint_by), greatest(k.expires_at, l.expires_at), true, true, k.seen_at
FROM public.kept_denial k LEFT JOIN public.lease l ON l.id = k.session AND l.ended_at IS NULL AND l.revoke_requested_at IS NULL
WHERE k.target = $1 AND greatest(k.expires_at, l.expires_at) > now() - make_interval(secs => ${String(SLACK_SECONDS)})
  AND NOT EXISTS (SELECT FROM public.lease e WHERE e.id = k.session AND e.revoke_requested_at IS NOT NULL
    AND e.end_cause <> 'expired')
ORDER BY since, "leaseId"`;

/** Adds the found names of which no lease explains the denial and none proves the expiry. */
const KEEP = `
INSERT INTO public.kept_denial (target, session, seen_at, expires_at)
SELECT $1, found.name, moment.at, moment.at + make_interval(secs => $3)
FROM unnest($2::text[]) AS found (name) CROSS JOIN (SELECT now() AS at) AS moment
WHERE NOT EXISTS (SELECT FROM public.lease l WHERE l.id = found.name
  AND (l.expires_at <= moment.at - make_interval(secs => ${String(SLACK_SECONDS)}) OR l.end_cause <> 'expired'))
ON CONFLICT (target, session) DO NOTHING RETURNING session, expires_at AS "expiresAt"`;

/** Adopts a cut-off that is later than the recorded one, and proves that the claim holds. */
const KEEP_CUT_OFF = `
UPDATE public.denial_document SET cut_off_at = greatest(cut_off_at, $3),
  cut_off_until = CASE WHEN $3 > coalesce(cut_off_at, '-infinity') THEN moment.until ELSE cut_off_until END
FROM (SELECT greatest(now(), $3::timestamptz) + make_interval(secs => $4) AS until) AS moment
WHERE target = $1 AND version = $2 AND claimed_until IS NOT NULL
RETURNING cut_off_at AS "cutOffAt", cut_off_until AS "cutOffUntil"`;

/** The most names in one audit entry. Its `total` counts all. */
const MAX_NAMES = 50;

/** Locks the tasks, as every statement does before it locks leases. */
const LOCK_TASKS = `
SELECT id FROM public.task WHERE id IN (
  SELECT task_id FROM public.lease WHERE target = $1 AND state IN ('minting', 'active') AND created_at <= $2
) ORDER BY id FOR UPDATE`;

const INNOCENT = `
WITH innocent AS (
  SELECT id, now() AS at FROM public.lease
  WHERE target = $1 AND state IN ('minting', 'active') AND created_at <= $2 ORDER BY id FOR UPDATE
)
UPDATE public.lease l SET renew_requested_at = innocent.at FROM innocent WHERE l.id = innocent.id
RETURNING l.id, l.task_id AS "taskId", l.agent_name AS agent`;

/** Takes rows and sets `checked_at`, so that a point whose check fails goes last and no two workers take one point. */
const TAKE_DUE = `
WITH due AS MATERIALIZED (
SELECT d.target, l.id, l.provider, l.sealed_handle, now() AS at FROM public.denial_document d
CROSS JOIN LATERAL (
  SELECT id, provider, sealed_handle, expires_at FROM public.lease WHERE target = d.target ORDER BY expires_at DESC LIMIT 1
) l
WHERE (d.checked_at IS NULL OR d.checked_at < now() - make_interval(secs => ${String(CHECK_SECONDS)}))
  AND (d.claimed_until IS NULL OR d.claimed_until < now())
  AND greatest(l.expires_at, d.cut_off_until) > now() - make_interval(secs => ${String(LINGER_SECONDS)})
ORDER BY d.checked_at NULLS FIRST LIMIT $1 FOR UPDATE OF d SKIP LOCKED
)
UPDATE public.denial_document d SET checked_at = due.at FROM due WHERE d.target = due.target
RETURNING due.target, due.id, due.provider, due.sealed_handle AS "sealedHandle"`;

/**
 * The deny policies of shared revocation points on PostgreSQL, rendered from the leases. A fenced claim gives one
 * writer at a time the right to write. Only the provider `aws-sts` uses it.
 */
export class PgDenyPolicyStore implements DenyPolicies, UpkeepStore {
  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
  ) {}

  claim(point: string, seconds: number): Promise<DenyPolicyClaim | undefined> {
    return inTransaction(this.pool, async (client) => {
      await client.query(ADD, [point]);
      const [document] = (await client.query<DocumentRow>(CLAIM, [point, seconds])).rows;
      if (document === undefined) return undefined;
      // Reads the sessions under the claim: a revocation committed before is included, a later one triggers the next
      // write.
      const sessions = await sessionsOf(client, point);
      const [last] = (
        await client.query<{ at: Date | null }>(
          'SELECT max(expires_at) AS at FROM public.lease WHERE target = $1 AND expires_at > now()',
          [point],
        )
      ).rows;
      return claimOf(point, document, sessions, last?.at ?? undefined);
    }).catch(databaseProblem);
  }

  keep(claim: DenyPolicyClaim, found: FoundDenials, seconds: number): Promise<DenyPolicyClaim | undefined> {
    const { revocationPoint: point, version, cutOff: _, ...rest } = claim;
    return inTransaction(this.pool, async (client) => {
      const values = [point, version, found.cutOff ?? null, seconds];
      const { rows } = await client.query<Pick<DocumentRow, 'cutOffAt' | 'cutOffUntil'>>(KEEP_CUT_OFF, values);
      const [row] = rows;
      if (row === undefined) return undefined;
      await this.keepNames(client, point, found.names, seconds);
      const cutOff = cutOffOf(row);
      const isNew = cutOff !== undefined && (claim.cutOff === undefined || cutOff.at > claim.cutOff.at);
      if (isNew) await this.cutOff(client, point, cutOff);
      const sessions = await sessionsOf(client, point);
      return { ...rest, revocationPoint: point, version, sessions, ...(cutOff === undefined ? {} : { cutOff }) };
    }).catch(databaseProblem);
  }

  settle(claim: DenyPolicyClaim, write: DenyPolicyWrite): Promise<boolean> {
    return inTransaction(this.pool, async (client) => {
      const cutOff = write.cutOff ?? claim.cutOff;
      const { rowCount } = await client.query(
        `UPDATE public.denial_document SET claimed_until = NULL, checked_at = moment.at, revision = revision + $3,
           written_at = CASE WHEN $3 = 1 THEN moment.at ELSE written_at END,
           repaired_at = CASE WHEN $6 THEN moment.at ELSE repaired_at END, cut_off_at = $4, cut_off_until = $5
         FROM (SELECT now() AS at) AS moment WHERE target = $1 AND version = $2 AND claimed_until IS NOT NULL`,
        [
          claim.revocationPoint,
          claim.version,
          write.written ? 1 : 0,
          cutOff?.at ?? null,
          cutOff?.until ?? null,
          write.repaired !== undefined,
        ],
      );
      if (rowCount !== 1) return false;
      await this.repaired(client, claim.revocationPoint, write.repaired);
      if (write.cutOff !== undefined) await this.cutOff(client, claim.revocationPoint, write.cutOff);
      return true;
    }).catch(databaseProblem);
  }

  async release({ revocationPoint: point, version }: DenyPolicyClaim): Promise<void> {
    await this.pool
      .query('UPDATE public.denial_document SET claimed_until = NULL WHERE target = $1 AND version = $2', [
        point,
        version,
      ])
      .catch(databaseProblem);
  }

  async due(limit: number): ReturnType<UpkeepStore['due']> {
    const { rows } = await this.pool
      .query<{ target: string; id: LeaseId; provider: string; sealedHandle: Buffer }>(TAKE_DUE, [limit])
      .catch(databaseProblem);
    return rows.map(({ target: revocationPoint, ...lease }) => ({ revocationPoint, lease }));
  }

  private async keepNames(client: ClientBase, point: string, names: readonly string[], seconds: number): Promise<void> {
    const { rows } = await client.query<{ session: string; expiresAt: Date }>(KEEP, [point, names, seconds]);
    const until = rows[0]?.expiresAt;
    if (until === undefined) return;
    const kept = rows.map(({ session }) => session).sort();
    const facts = { total: kept.length, names: kept.slice(0, MAX_NAMES), until: until.toISOString() };
    await this.note(client, 'target.denials-kept', point, facts);
  }

  private async repaired(client: ClientBase, point: string, found: DenyPolicyWrite['repaired']): Promise<void> {
    if (found === 'edited' || found === 'removed') await this.note(client, 'target.repaired', point, { found });
  }

  /**
   * Audits a cut-off, once for the revocation point and once for each affected lease, and marks these leases for
   * renewal.
   */
  private async cutOff(client: ClientBase, point: string, { at, until }: NonNullable<DenyPolicyWrite['cutOff']>) {
    await client.query(LOCK_TASKS, [point, at]);
    const { rows } = await client.query<{ id: LeaseId; taskId: TaskId; agent: string }>(INNOCENT, [point, at]);
    const facts = { cutOffAt: at.toISOString(), cutOffUntil: until.toISOString() };
    await this.note(client, 'target.cut-off', point, { ...facts, innocent: rows.length });
    await insertAudit(
      client,
      rows.map(({ id, taskId, agent }) =>
        auditEntry(
          'lease.cut-off',
          this.clock.now(),
          MAYFLY,
          { taskId, leaseId: id, agent },
          { target: point, ...facts },
        ),
      ),
    );
  }

  private note(client: ClientBase, type: NotedType, point: string, facts: object) {
    return insertAudit(client, [auditEntry(type, this.clock.now(), MAYFLY, {}, { target: point, ...facts })]);
  }
}

type NotedType = 'target.repaired' | 'target.cut-off' | 'target.denials-kept';

async function sessionsOf(client: ClientBase, point: string): Promise<readonly DeniedSession[]> {
  const { rows } = await client.query<DeniedSession & { since: Date }>(SESSIONS, [point]);
  return rows.map(({ since: _, ...session }) => session);
}

function cutOffOf({ cutOffAt, cutOffUntil }: Pick<DocumentRow, 'cutOffAt' | 'cutOffUntil'>): DenyPolicyClaim['cutOff'] {
  return cutOffAt === null || cutOffUntil === null ? undefined : { at: cutOffAt, until: cutOffUntil };
}

function claimOf(
  revocationPoint: string,
  { version, revision, writtenSecondsAgo, repairedSecondsAgo, ...row }: DocumentRow,
  sessions: readonly DeniedSession[],
  lastExpiresAt: Date | undefined,
): DenyPolicyClaim {
  const cutOff = cutOffOf(row);
  return {
    revocationPoint,
    version,
    revision,
    sessions,
    ...(writtenSecondsAgo === null ? {} : { writtenSecondsAgo }),
    ...(repairedSecondsAgo === null ? {} : { repairedSecondsAgo }),
    ...(cutOff === undefined ? {} : { cutOff }),
    ...(lastExpiresAt === undefined ? {} : { lastExpiresAt }),
  };
}
