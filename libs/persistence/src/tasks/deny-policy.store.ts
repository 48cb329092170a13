import { auditEntry, MAYFLY } from '@mayfly/audit';
import type { DenyPolicyClaim, DenyPolicyWrite, DeniedSession, DenyPolicies } from '@mayfly/credentials';
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

/** Reads the sessions to deny. An abandoned lease stays denied: nobody proved that its session is dead. Skips leases that ended by expiry: the session's own policy denies those. */
const SESSIONS = `
SELECT id AS "leaseId", coalesce(issued_by, mint_by) AS "issuedBy", expires_at AS "expiresAt" FROM public.lease
WHERE target = $1 AND expires_at > now() - make_interval(secs => ${String(SLACK_SECONDS)})
  AND revoke_requested_at IS NOT NULL AND state IN ('revoking', 'revoked', 'abandoned') AND end_cause <> 'expired'
ORDER BY revoke_requested_at, id`;

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
      const sessions = (await client.query<DeniedSession>(SESSIONS, [point])).rows;
      const [last] = (
        await client.query<{ at: Date | null }>(
          'SELECT max(expires_at) AS at FROM public.lease WHERE target = $1 AND expires_at > now()',
          [point],
        )
      ).rows;
      return claimOf(point, document, sessions, last?.at ?? undefined);
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

  private note(client: ClientBase, type: 'target.repaired' | 'target.cut-off', point: string, facts: object) {
    return insertAudit(client, [auditEntry(type, this.clock.now(), MAYFLY, {}, { target: point, ...facts })]);
  }
}

function claimOf(
  revocationPoint: string,
  { version, revision, cutOffAt, cutOffUntil, writtenSecondsAgo, repairedSecondsAgo }: DocumentRow,
  sessions: readonly DeniedSession[],
  lastExpiresAt: Date | undefined,
): DenyPolicyClaim {
  return {
    revocationPoint,
    version,
    revision,
    sessions,
    ...(writtenSecondsAgo === null ? {} : { writtenSecondsAgo }),
    ...(repairedSecondsAgo === null ? {} : { repairedSecondsAgo }),
    ...(cutOffAt === null || cutOffUntil === null ? {} : { cutOff: { at: cutOffAt, until: cutOffUntil } }),
    ...(lastExpiresAt === undefined ? {} : { lastExpiresAt }),
  };
}
