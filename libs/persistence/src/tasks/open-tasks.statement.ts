import type { LeaseIntent, OpenVerdict, TaskIntent } from '@mayfly/issuance';
import type { ClientBase, Pool } from 'pg';
import { AUDIT_COLUMNS, auditColumns, auditUnnest } from '../audit/audit-rows.js';
import { type Columns, columnsOf, jsonText } from '../database/columns.js';

/**
 * Step 9 of the path for many requests, as one statement. Each request gets its own verdict. A granted request is
 * written whole (task, leases, audit, wake-ups, quota); any other writes nothing.
 *
 * Agents and templates are locked FOR SHARE: the statement waits for a running suspension or retirement, and a later
 * one finds the leases written here. The statement binds an idempotency key to its task, so a crash cannot free the
 * key. It locks rows in one order: agents, templates, connections, keys, quota scopes.
 */
const OPEN_TASKS = `
WITH request AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[],
      $9::jsonb[], $10::text[], $11::int[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::int[],
      $16::int[], $17::text[], $18::int[], $19::int[])
    WITH ORDINALITY AS r(id, agent_id, agent_name, runtime, issuer, subject, template_name, template_version,
      parameters, purpose, requested_ttl_seconds, created_at, expires_at, max_expires_at, heartbeat_timeout_seconds,
      live_leases, scope, per_minute, concurrent, ord)
), active_agent AS MATERIALIZED (
  SELECT id FROM public.agent WHERE id = ANY($2::text[]) AND state = 'active' ORDER BY id FOR SHARE
), current_template AS MATERIALIZED (
  SELECT name, current_version FROM public.template WHERE name = ANY($7::text[]) AND state = 'published' ORDER BY name FOR SHARE
), planned AS MATERIALIZED (
  SELECT * FROM unnest($20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[], $26::text[],
      $27::jsonb[], $28::text[], $29::bytea[], $30::timestamptz[], $31::timestamptz[], $32::timestamptz[], $51::text[],
      $52::text[])
    AS l(id, task_id, name, provider, connection, revocation, state, scope, scope_digest, sealed_handle, mint_by, due_at,
      provider_expires_at, revocation_note, target)
), used_connection AS MATERIALIZED (
  SELECT name, state FROM public.connection WHERE name = ANY($24::text[]) ORDER BY name FOR SHARE
), disabled AS MATERIALIZED (
  SELECT DISTINCT l.task_id FROM planned l JOIN used_connection c ON c.name = l.connection WHERE c.state = 'disabled'
), keyed AS MATERIALIZED (
  SELECT c.* FROM unnest($44::text[], $45::text[], $46::text[], $47::text[], $48::text[], $49::text[], $50::text[])
    AS c(task_id, agent_id, runtime, issuer, subject, key, claimed_at)
), claimed_key AS MATERIALIZED (
  SELECT c.task_id, k.ctid AS place FROM public.idempotency_key k JOIN keyed c USING (agent_id, runtime, issuer, subject, key)
  WHERE k.task_id = '' AND k.claimed_at = c.claimed_at::timestamptz FOR UPDATE OF k
), judged AS MATERIALIZED (
  SELECT r.*, CASE
      WHEN abs(extract(epoch FROM clock_timestamp() - r.created_at)) > 5 THEN 'clock'
      WHEN a.id IS NULL THEN 'agent'
      WHEN t.current_version IS DISTINCT FROM r.template_version THEN 'template'
      WHEN d.task_id IS NOT NULL THEN 'connection'
      WHEN r.id = ANY($44::text[]) AND k.task_id IS NULL THEN 'key'
    END AS objection
  FROM request r LEFT JOIN active_agent a ON a.id = r.agent_id LEFT JOIN current_template t ON t.name = r.template_name
    LEFT JOIN claimed_key k ON k.task_id = r.id LEFT JOIN disabled d ON d.task_id = r.id
), eligible AS MATERIALIZED (
  SELECT *, row_number() OVER (PARTITION BY scope ORDER BY ord) AS place FROM judged WHERE objection IS NULL
), taken AS MATERIALIZED (
  SELECT scope, public.quota_take(scope, wanted, per_minute, concurrent) AS granted
  FROM (SELECT scope, count(*)::int AS wanted, min(per_minute) AS per_minute, min(concurrent) AS concurrent
        FROM eligible GROUP BY scope ORDER BY scope) AS demand
), granted AS MATERIALIZED (
  SELECT e.* FROM eligible e JOIN taken USING (scope) WHERE e.place <= taken.granted
), new_task AS (
  INSERT INTO public.task (id, state, agent_id, agent_name, runtime, issuer, subject, template_name, template_version, parameters,
      purpose, requested_ttl_seconds, created_at, expires_at, max_expires_at, heartbeat_timeout_seconds, heartbeat_at, live_leases)
  SELECT id, 'active', agent_id, agent_name, runtime, issuer, subject, template_name, template_version, parameters, purpose,
      requested_ttl_seconds, created_at, expires_at, max_expires_at, heartbeat_timeout_seconds,
      CASE WHEN heartbeat_timeout_seconds IS NOT NULL THEN created_at END, live_leases
  FROM granted
), new_lease AS (
  INSERT INTO public.lease (id, task_id, name, provider, connection, revocation, state, scope, scope_digest, sealed_handle,
      mint_by, due_at, provider_expires_at, revocation_note, target, issued_by, created_at, expires_at, agent_name,
      template_name)
  SELECT l.*, l.mint_by, g.created_at, g.expires_at, g.agent_name, g.template_name
  FROM planned l JOIN granted g ON g.id = l.task_id
), bound_key AS (
  UPDATE public.idempotency_key k SET task_id = c.task_id FROM claimed_key c JOIN granted g ON g.id = c.task_id WHERE k.ctid = c.place
), new_audit AS (
  INSERT INTO public.audit_entry (${AUDIT_COLUMNS})
  SELECT e.* FROM ${auditUnnest(33)} AS e(${AUDIT_COLUMNS}) JOIN granted g ON g.id = e.task_id
), new_wake_up AS (
  INSERT INTO public.outbox (lease_id, reason, run_at)
  SELECT w.lease_id, w.reason, w.run_at
  FROM unnest($40::text[], $41::text[], $42::text[], $43::timestamptz[]) AS w(task_id, lease_id, reason, run_at)
  JOIN granted g ON g.id = w.task_id
)
SELECT j.id, coalesce(j.objection, CASE WHEN g.id IS NULL THEN 'quota' ELSE 'opened' END) AS verdict
FROM judged j LEFT JOIN granted g ON g.id = j.id`;

/** Runs the statement; returns verdicts in the order of the intents. */
export async function openTasks(client: ClientBase | Pool, intents: readonly TaskIntent[]): Promise<OpenVerdict[]> {
  const leases = intents.flatMap((intent) => intent.leases);
  const values = [
    ...taskColumns(intents),
    ...leaseColumns(leases),
    ...auditColumns(intents.flatMap((intent) => intent.audit)),
    ...wakeUpColumns(intents),
    ...keyColumns(intents),
    ...columnsOf(leases, [
      ({ revocationNote }) => revocationNote ?? null,
      ({ revocationPoint }) => revocationPoint ?? null,
    ]),
  ];
  const result = await client.query<{ id: string; verdict: OpenVerdict }>({
    name: 'open-tasks',
    text: OPEN_TASKS,
    values,
  });
  const verdicts = new Map(result.rows.map(({ id, verdict }) => [id, verdict]));
  return intents.map(({ task }) => verdicts.get(task.id) ?? 'quota');
}

function taskColumns(intents: readonly TaskIntent[]): Columns {
  return columnsOf(intents, [
    ({ task }) => task.id,
    ({ task }) => task.agent.id,
    ({ task }) => task.agent.name,
    ({ task }) => task.runtime,
    ({ issuer }) => issuer,
    ({ subject }) => subject,
    ({ task }) => task.template.name,
    ({ task }) => task.template.version,
    ({ task }) => jsonText(task.parameters),
    ({ task }) => task.purpose,
    ({ requestedTtlSeconds }) => requestedTtlSeconds ?? null,
    ({ task }) => task.createdAt,
    ({ task }) => task.expiresAt,
    ({ task }) => task.maxExpiresAt,
    ({ task }) => task.heartbeatTimeoutSeconds ?? null,
    ({ leases }) => leases.length,
    ({ quota }) => quota.scope,
    ({ quota }) => quota.limits.tasksPerMinute,
    ({ quota }) => quota.limits.concurrentTasks,
  ]);
}

function leaseColumns(leases: readonly LeaseIntent[]): Columns {
  return columnsOf(leases, [
    (lease) => lease.id,
    (lease) => lease.taskId,
    (lease) => lease.name,
    (lease) => lease.provider,
    (lease) => lease.connection ?? null,
    (lease) => lease.revocation,
    (lease) => lease.state,
    (lease) => jsonText(lease.scope),
    (lease) => lease.scopeDigest,
    (lease) => lease.sealedHandle,
    (lease) => lease.mintBy,
    (lease) => lease.dueAt,
    (lease) => lease.providerExpiresAt ?? null,
  ]);
}

function wakeUpColumns(intents: readonly TaskIntent[]): Columns {
  const rows = intents.flatMap(({ task, wakeUps }) => wakeUps.map((wakeUp) => ({ taskId: task.id, ...wakeUp })));
  return columnsOf(rows, [
    ({ taskId }) => taskId,
    ({ leaseId }) => leaseId,
    ({ reason }) => reason,
    ({ runAt }) => runAt,
  ]);
}

function keyColumns(intents: readonly TaskIntent[]): Columns {
  const rows = intents.flatMap(({ task, keyHold }) => (keyHold === undefined ? [] : [{ taskId: task.id, ...keyHold }]));
  return columnsOf(rows, [
    ({ taskId }) => taskId,
    ({ agentId }) => agentId,
    ({ runtime }) => runtime,
    ({ issuer }) => issuer,
    ({ subject }) => subject,
    ({ key }) => key,
    ({ heldAt }) => heldAt,
  ]);
}
