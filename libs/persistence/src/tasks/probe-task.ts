import { randomInt } from 'node:crypto';
import { auditEntry, type AuditEntry, MAYFLY } from '@mayfly/audit';
import { newId, type AgentId, type LeaseId, type TaskId } from '@mayfly/kernel';
import { quotaScope } from '@mayfly/tasks';
import type { ClientBase } from 'pg';
import { activateTasks } from './activate-tasks.statement.js';
import type { PgClosingStore } from './closing.store.js';
import { claimOf, type ClaimedRow } from './lease-rows.js';
import { recordResults } from './record-results.js';

const TASK = `INSERT INTO public.task (id, state, agent_id, agent_name, runtime, issuer, subject, template_name,
    template_version, parameters, purpose, created_at, expires_at, max_expires_at, live_leases)
  VALUES ($1, 'active', $2, $3, '', '', '', $3, 1, '{}', 'readiness', now(), now(), now(), 1)`;
const LEASE = `INSERT INTO public.lease (id, task_id, name, provider, revocation, state, agent_name, template_name, scope,
    scope_digest, sealed_handle, created_at, mint_by, expires_at, due_at)
  VALUES ($1, $2, 'readiness', 'none', 'none', 'minting', $3, $3, '{}', '', '', now(), now(), now(), now())`;
const HOLD = `SELECT public.hold_key($1, '', '', '', '', '', 0)`;
const BIND = `UPDATE public.idempotency_key SET task_id = $2 WHERE agent_id = $1`;
const USE = 'INSERT INTO public.identity_use (issuer, jti, expires_at) VALUES ($1, $2, now())';
const WAKE_UP = `INSERT INTO public.outbox (id, lease_id, reason, run_at) VALUES ($1, $2, 'due', now())`;
const QUOTA = 'SELECT public.quota_take($1, 1, 1, 1)';

/**
 * Grants, activates, ends and closes a probe task in the caller's transaction, with the statements that requests use.
 * The caller must roll back. Rejects with the first error.
 */
export async function writeProbeTask(
  client: ClientBase,
  closing: Pick<PgClosingStore, 'endInTransaction'>,
): Promise<void> {
  const [taskId, leaseId, agentId] = [newId('tsk'), newId('lse'), newId('agt')];
  const name = `readiness-${taskId}`;
  const now = new Date();
  await openProbe(client, { taskId, leaseId, agentId, name });
  await activateTasks(client, [
    {
      taskId,
      leases: [{ id: leaseId, sealedHandle: Buffer.alloc(1), providerExpiresAt: now, dueAt: now }],
      audit: [issuedEntry(taskId, leaseId, now)],
      wakeUps: [],
    },
  ]);
  await closing.endInTransaction(client, [{ taskId, cause: 'completed', actor: MAYFLY }]);
  await closeLease(client, leaseId, now);
}

/**
 * Inserts the rows of a grant, for an undeclared agent and template. All keys are new, so no request and no other probe
 * waits for a row. It sets the wake-up's id, since a rollback does not reset a sequence.
 */
async function openProbe(
  client: ClientBase,
  { taskId, leaseId, agentId, name }: { taskId: TaskId; leaseId: LeaseId; agentId: AgentId; name: string },
): Promise<void> {
  const statements: readonly (readonly [name: string, text: string, values: readonly unknown[]])[] = [
    ['probe-task', TASK, [taskId, agentId, name]],
    ['probe-lease', LEASE, [leaseId, taskId, name]],
    ['probe-hold', HOLD, [agentId]],
    ['probe-bind', BIND, [agentId, taskId]],
    ['probe-use', USE, [name, taskId]],
    ['probe-wake-up', WAKE_UP, [-randomInt(1, 2 ** 47), leaseId]],
    ['probe-quota', QUOTA, [quotaScope(name)]],
  ];
  for (const [statement, text, values] of statements)
    await client.query({ name: statement, text, values: [...values] });
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
