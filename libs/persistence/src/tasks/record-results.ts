import { auditEntry, type AuditEntry, MAYFLY } from '@mayfly/audit';
import type { ClosingResult, LeaseClaim } from '@mayfly/revocation';
import type { LeaseId, TaskId } from '@mayfly/kernel';
import { quotaScope, type TaskEndCause, TERMINAL_STATE } from '@mayfly/tasks';
import type { ClientBase } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { columnsOf } from '../database/columns.js';
import { insertWakeUps, type WakeUpOptions, WITH_WAKE_UPS } from './wake-ups.js';

/** A lease that reached a terminal state. `failed` requires proof that nothing was minted. */
interface ClosedLease {
  readonly claim: LeaseClaim;
  readonly state: 'revoked' | 'expired' | 'failed';
  readonly effectiveAt: Date;
  readonly remains?: string;
}

/**
 * Writes the results of closing leases, in the caller's transaction. Ignores a result whose claim (`version`) no longer
 * holds: a worker that was frozen past its claim cannot undo another worker's result. Locks the tasks first.
 */
export async function recordResults(
  client: ClientBase,
  results: readonly (ClosingResult | ClosedLease)[],
  now: Date,
  options: WakeUpOptions = WITH_WAKE_UPS,
): Promise<void> {
  await client.query({
    name: 'lock-tasks',
    text: 'SELECT FROM public.task WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE',
    values: [results.map(({ claim }) => claim.taskId)],
  });
  const closed = await closeLeases(
    client,
    results.filter((result) => result.state !== 'revoking'),
  );
  await postponeLeases(
    client,
    results.filter((result) => result.state === 'revoking'),
    options,
  );
  await scheduleDeathProbes(
    client,
    closed.map(({ claim }) => claim.id),
  );
  const ended = await endTasks(
    client,
    closed.map(({ claim }) => claim.taskId),
  );
  await insertAudit(client, [
    ...closed.map((lease) => closedEntry(lease, now)),
    ...ended.map((task) => endedEntry(task, now)),
  ]);
}

/** The time after the end of a lease in which Mayfly tries to show that its credential is dead. */
const PROBE_HOURS = 1;

/** Makes the death probes of ended leases due, in the transaction of their end. */
export async function scheduleDeathProbes(client: ClientBase, leaseIds: readonly LeaseId[]): Promise<void> {
  if (leaseIds.length === 0) return;
  await client.query({
    name: 'schedule-death-probes',
    text: `UPDATE public.death_probe p SET next_at = moment.at, give_up_at = moment.last
           FROM (SELECT now() AS at, now() + make_interval(hours => $2) AS last) AS moment
           WHERE p.lease_id = ANY($1::text[]) AND p.give_up_at IS NULL`,
    values: [leaseIds, PROBE_HOURS],
  });
}

/** Returns the results that were written: one for each lease, also when several results of a batch are about it. */
async function closeLeases(client: ClientBase, results: readonly ClosedLease[]): Promise<ClosedLease[]> {
  if (results.length === 0) return [];
  const { rows } = await client.query<{ place: number }>({
    name: 'close-leases',
    text: `UPDATE public.lease l SET state = r.state, version = l.version + 1, due_at = NULL, claimed_until = NULL, last_error = NULL,
         revoke_effective_at = r.effective_at, ended_at = r.at, end_cause = coalesce(l.end_cause, r.cause)
     FROM (SELECT id, version, state, effective_at, cause, place::int, now() AS at
       FROM unnest($1::text[], $2::int[], $3::text[], $4::timestamptz[], $5::text[]) WITH ORDINALITY
       AS r(id, version, state, effective_at, cause, place)) AS r
     WHERE l.id = r.id AND l.version = r.version RETURNING r.place`,
    values: [
      ...columnsOf(results, [
        ({ claim }) => claim.id,
        ({ claim }) => claim.version,
        ({ state }) => state,
        ({ effectiveAt }) => effectiveAt,
        causeOf,
      ]),
    ],
  });
  const written = new Set(rows.map(({ place }) => place));
  return results.filter((_, index) => written.has(index + 1));
}

async function postponeLeases(
  client: ClientBase,
  results: readonly Extract<ClosingResult, { state: 'revoking' }>[],
  { wakeUps }: WakeUpOptions,
): Promise<void> {
  if (results.length === 0) return;
  const { rows } = await client.query<{ id: LeaseId; due_at: Date }>(
    `UPDATE public.lease l SET version = l.version + 1, due_at = r.retry_at, claimed_until = NULL, last_error = r.error,
       revoke_effective_at = coalesce(r.effective_at, l.revoke_effective_at)
     FROM unnest($1::text[], $2::int[], $3::timestamptz[], $4::text[], $5::timestamptz[])
       AS r(id, version, retry_at, error, effective_at)
     WHERE l.id = r.id AND l.version = r.version RETURNING l.id, l.due_at`,
    [
      ...columnsOf(results, [
        ({ claim }) => claim.id,
        ({ claim }) => claim.version,
        ({ retryAt }) => retryAt,
        ({ error }) => error,
        ({ effectiveAt }) => effectiveAt ?? null,
      ]),
    ],
  );
  if (wakeUps && rows.length > 0)
    await insertWakeUps(
      client,
      rows.map((row) => ({ leaseId: row.id, reason: 'retry', runAt: row.due_at })),
    );
}

interface EndedTask {
  readonly id: TaskId;
  readonly agent_name: string;
  readonly template_name: string;
  readonly state: string;
  readonly end_cause: TaskEndCause;
}

/**
 * Subtracts one lease for each of `taskIds` from its task, in the caller's transaction, which locked the tasks. Ends a
 * task whose last lease is terminal and releases its quota once.
 */
export async function endTasks(client: ClientBase, taskIds: readonly TaskId[]): Promise<EndedTask[]> {
  if (taskIds.length === 0) return [];
  const { rows } = await client.query<EndedTask>({
    name: 'close-tasks',
    text: `WITH closed AS (SELECT id, count(*)::int AS leases, now() AS at FROM unnest($1::text[]) AS c(id) GROUP BY id)
       UPDATE public.task t SET live_leases = t.live_leases - closed.leases,
         state = CASE WHEN t.live_leases = closed.leases THEN $2::jsonb ->> coalesce(t.end_cause, 'revoked') ELSE t.state END,
         ended_at = CASE WHEN t.live_leases = closed.leases THEN closed.at END
       FROM closed WHERE t.id = closed.id
       RETURNING t.id, t.agent_name, t.template_name, t.state, t.end_cause`,
    values: [taskIds, JSON.stringify(TERMINAL_STATE)],
  });
  const ended = rows.filter(({ state }) => state !== 'active');
  if (ended.length === 0) return [];
  await client.query({
    name: 'release-quota',
    text: `WITH released AS (SELECT scope, count(*)::int AS tasks FROM unnest($1::text[]) AS r(scope) GROUP BY scope),
       locked AS (SELECT q.scope FROM public.quota_counter q JOIN released USING (scope) ORDER BY q.scope FOR UPDATE OF q)
     UPDATE public.quota_counter q SET active = q.active - released.tasks FROM released JOIN locked USING (scope)
     WHERE q.scope = released.scope`,
    values: [ended.map(({ template_name }) => quotaScope(template_name))],
  });
  return ended;
}

const ENTRY_TYPE = { revoked: 'lease.revoked', expired: 'lease.expired', failed: 'lease.failed' } as const;

/** Returns the end cause of a closed lease. A lease that failed gets it here: its claim has none of its own. */
function causeOf({ claim, state }: ClosedLease): TaskEndCause {
  return state === 'failed' ? 'issuance_failed' : claim.cause;
}

function closedEntry(closed: ClosedLease, now: Date): AuditEntry {
  const { claim, state, effectiveAt, remains } = closed;
  const facts = {
    provider: claim.provider,
    cause: causeOf(closed),
    effectiveAt: effectiveAt.toISOString(),
    ...(remains === undefined ? {} : { remains }),
  };
  const subject = { taskId: claim.taskId, leaseId: claim.id, agent: claim.agent };
  return auditEntry(ENTRY_TYPE[state], now, MAYFLY, subject, facts);
}

/** Returns the audit entry of a task that ended. */
export function endedEntry(task: EndedTask, now: Date): AuditEntry {
  const facts = { state: task.state, cause: task.end_cause };
  return auditEntry('task.ended', now, MAYFLY, { taskId: task.id, agent: task.agent_name }, facts);
}
