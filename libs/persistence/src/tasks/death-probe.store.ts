import { auditEntry, type AuditEntry, MAYFLY } from '@mayfly/audit';
import type { LeaseId, TaskId } from '@mayfly/kernel';
import {
  type DeathProbeClaim,
  type DeathProbeResult,
  type DeathProbeStore,
  PROBE_CLAIM_SECONDS,
} from '@mayfly/revocation';
import type { ClientBase, Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseProblem } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';

interface ClaimedProbe {
  readonly lease_id: LeaseId;
  readonly task_id: TaskId;
  readonly agent_name: string;
  readonly provider: string;
  readonly sealed_handle: Buffer;
  readonly sealed_material: Buffer;
  readonly attempts: number;
  readonly accepted: boolean;
  readonly give_up_at: Date;
}

const CLAIM = `
WITH due AS (
  SELECT p.lease_id, now() + make_interval(secs => $2) AS until FROM public.death_probe p
  WHERE p.next_at <= now() AND (p.claimed_until IS NULL OR p.claimed_until < now())
  ORDER BY p.next_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE public.death_probe p SET claimed_until = due.until FROM due JOIN public.lease l ON l.id = due.lease_id
WHERE p.lease_id = due.lease_id
RETURNING p.lease_id, l.task_id, l.agent_name, l.provider, l.sealed_handle, p.sealed_material, p.attempts, p.accepted,
  p.give_up_at`;

/** INVARIANT: I10, the material is wiped with the last use. */
const END = `UPDATE public.death_probe SET sealed_material = NULL, next_at = NULL, claimed_until = NULL,
  attempts = attempts + 1, last_error = $2 WHERE lease_id = $1 AND sealed_material IS NOT NULL`;

const REPEAT = `UPDATE public.death_probe SET next_at = $2, claimed_until = NULL, attempts = attempts + 1, last_error = $3,
  accepted = accepted OR $4 WHERE lease_id = $1 AND sealed_material IS NOT NULL`;

/** The death probes of leases on PostgreSQL. */
export class PgDeathProbeStore implements DeathProbeStore {
  constructor(private readonly pool: Pool) {}

  async claimDue(limit: number): Promise<readonly DeathProbeClaim[]> {
    const { rows } = await this.pool
      .query<ClaimedProbe>({ name: 'claim-death-probes', text: CLAIM, values: [limit, PROBE_CLAIM_SECONDS] })
      .catch(databaseProblem);
    return rows.map((row) => ({
      id: row.lease_id,
      taskId: row.task_id,
      agent: row.agent_name,
      provider: row.provider,
      sealedHandle: row.sealed_handle,
      sealedMaterial: row.sealed_material,
      attempts: row.attempts,
      accepted: row.accepted,
      giveUpAt: row.give_up_at,
    }));
  }

  async record(result: DeathProbeResult): Promise<void> {
    await inTransaction(this.pool, async (client) => {
      if (await write(client, result)) await insertAudit(client, entriesOf(result));
    }).catch(databaseProblem);
  }
}

/** Writes a result. False when the probes of the lease had ended. */
async function write(client: ClientBase, result: DeathProbeResult): Promise<boolean> {
  const { id } = result.claim;
  switch (result.kind) {
    case 'accepted':
      return isChanged(client, REPEAT, [id, result.retryAt, 'the target accepts the credential', true]);
    case 'unknown':
      return isChanged(client, REPEAT, [id, result.retryAt, result.error, false]);
    case 'given-up':
      return isChanged(client, END, [id, result.error]);
    case 'dead':
      return (
        (await isChanged(client, END, [id, null])) &&
        isChanged(client, 'UPDATE public.lease SET confirmed_dead_at = $2 WHERE id = $1', [id, result.at])
      );
  }
}

async function isChanged(client: ClientBase, text: string, values: unknown[]): Promise<boolean> {
  return (await client.query(text, values)).rowCount === 1;
}

function entriesOf(result: DeathProbeResult): AuditEntry[] {
  const { claim } = result;
  const { provider, attempts } = claim;
  const about = { taskId: claim.taskId, leaseId: claim.id, agent: claim.agent };
  switch (result.kind) {
    case 'dead': {
      const facts = { provider, confirmedDeadAt: result.at.toISOString(), attempts: attempts + 1 };
      return [auditEntry('lease.confirmed-dead', result.at, MAYFLY, about, facts)];
    }
    case 'accepted': {
      const facts = { provider, at: result.at.toISOString() };
      return claim.accepted ? [] : [auditEntry('lease.still-accepted', result.at, MAYFLY, about, facts)];
    }
    case 'given-up': {
      const facts = { provider, attempts: attempts + 1, lastError: result.error };
      return [auditEntry('lease.not-confirmed', result.at, MAYFLY, about, facts)];
    }
    case 'unknown':
      return [];
  }
}
