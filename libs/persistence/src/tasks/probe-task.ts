import { auditEntry, type AuditEntry, MAYFLY } from '@mayfly/audit';
import { newId, type LeaseId, type TaskId } from '@mayfly/kernel';
import { quotaScope } from '@mayfly/tasks';
import type { ClientBase } from 'pg';
import { activateTasks } from './activate-tasks.statement.js';
import type { PgClosingStore } from './closing.store.js';
import { claimOf, type ClaimedRow } from './lease-rows.js';
import { recordResults } from './record-results.js';

/**
 * Inserts the rows of a grant, for an undeclared agent and template. All keys are new, so no request and no other probe
 * waits for a row. The statement sets the wake-up's id, since a rollback does not reset a sequence.
 */
const OPEN = `
WITH new_task AS (
  INSERT INTO public.task (id, state, agent_id, agent_name, runtime, issuer, subject, template_name, template_version, parameters,
      purpose, created_at, expires_at, max_expires_at, live_leases)
  VALUES ($1, 'active', $3, $4, '', '', '', $4, 1, '{}', 'readiness', now(), now(), now(), 1)
), new_lease AS (
  INSERT INTO public.lease (id, task_id, name, provider, revocation, state, agent_name, template_name, scope, scope_digest,
      sealed_handle, created_at, mint_by, expires_at, due_at)
  VALUES ($2, $1, 'readiness', 'none', 'none', 'minting', $4, $4, '{}', '', '', now(), now(), now(), now())
), new_key AS (
  INSERT INTO public.idempotency_key (agent_id, runtime, issuer, subject, key, fingerprint, task_id, claimed_at)
  VALUES ($3, '', '', '', '', '', $1, now())
), bound_key AS (
  UPDATE public.idempotency_key SET task_id = '' WHERE false
), new_use AS (
  INSERT INTO public.identity_use (issuer, jti, expires_at) VALUES ($4, $1, now())
), new_wake_up AS (
  INSERT INTO public.outbox (id, lease_id, reason, run_at) VALUES (-1 - (random() * 9e15)::bigint, $2, 'due', now())
)
SELECT public.quota_take($5, 1, 1, 1)`;

/**
 * Grants, activates, ends and closes a probe task in the caller's transaction, with the statements that requests use.
 * The caller must roll back. Rejects with the first error.
 */
export async function writeProbeTask(
  client: ClientBase,
  closing: Pick<PgClosingStore, 'endTasksOfAgent'>,
): Promise<void> {
  const [taskId, leaseId, agentId] = [newId('tsk'), newId('lse'), newId('agt')];
  const name = `readiness-${taskId}`;
  const now = new Date();
  await client.query({ name: 'probe-open', text: OPEN, values: [taskId, leaseId, agentId, name, quotaScope(name)] });
  await activateTasks(client, [
    {
      taskId,
      leases: [{ id: leaseId, sealedHandle: Buffer.alloc(1), providerExpiresAt: now, dueAt: now }],
      audit: [issuedEntry(taskId, leaseId, now)],
      wakeUps: [],
    },
  ]);
  await closing.endTasksOfAgent(client, agentId, { cause: 'completed', actor: MAYFLY });
  await closeLease(client, leaseId, now);
}

function issuedEntry(taskId: TaskId, leaseId: LeaseId, now: Date): AuditEntry {
  const facts = { name: 'readiness', provider: 'none', expiresAt: now.toISOString(), providerExpiresAt: null };
  return auditEntry('lease.issued', now, MAYFLY, { taskId, leaseId }, facts);
}

/** Closes the lease as a worker does after the target proved the revocation. */
async function closeLease(client: ClientBase, leaseId: LeaseId, now: Date): Promise<void> {
  const { rows } = await client.query<ClaimedRow>({
    name: 'probe-claim',
    text: 'SELECT *, state AS was FROM public.lease WHERE id = $1',
    values: [leaseId],
  });
  await recordResults(
    client,
    rows.map((row) => ({ claim: claimOf(row), state: 'revoked', effectiveAt: now })),
    now,
  );
}
