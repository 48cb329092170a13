import type { LeaseIntent, OpenVerdict, TaskIntent } from '@mayfly/issuance';
import type { TaskOrigin } from '@mayfly/tasks';
import type { ClientBase, Pool } from 'pg';
import { AUDIT_RECORDS } from '../audit/audit-rows.js';
import { RecordType } from '../database/records.js';
import { WAKE_UPS, type WakeUpOptions, WITH_WAKE_UPS } from './wake-ups.js';

const TASKS = new RecordType<TaskIntent>('task_intent', {
  id: ({ task }) => task.id,
  agent_id: ({ task }) => task.agent.id,
  agent_name: ({ task }) => task.agent.name,
  runtime: ({ task }) => task.runtime,
  issuer: ({ issuer }) => issuer,
  subject: ({ subject }) => subject,
  template_name: ({ task }) => task.template.name,
  template_version: ({ task }) => task.template.version,
  parameters: ({ task }) => JSON.stringify(task.parameters),
  purpose: ({ task }) => task.purpose,
  requested_ttl_seconds: ({ requestedTtlSeconds }) => requestedTtlSeconds,
  created_at: ({ task }) => task.createdAt,
  expires_at: ({ task }) => task.expiresAt,
  max_expires_at: ({ task }) => task.maxExpiresAt,
  heartbeat_timeout_seconds: ({ task }) => task.heartbeatTimeoutSeconds,
  live_leases: ({ leases }) => leases.length,
  quota_scope: ({ quota }) => quota.scope,
  tasks_per_minute: ({ quota }) => quota.limits.tasksPerMinute,
  concurrent_tasks: ({ quota }) => quota.limits.concurrentTasks,
});

const LEASES = new RecordType<LeaseIntent & { readonly task: TaskIntent['task'] }>('lease_intent', {
  id: (lease) => lease.id,
  task_id: (lease) => lease.taskId,
  name: (lease) => lease.name,
  provider: (lease) => lease.provider,
  connection: (lease) => lease.connection,
  revocation: (lease) => lease.revocation,
  revocation_note: (lease) => lease.revocationNote,
  target: (lease) => lease.revocationPoint,
  state: (lease) => lease.state,
  agent_name: ({ task }) => task.agent.name,
  template_name: ({ task }) => task.template.name,
  scope: (lease) => JSON.stringify(lease.scope),
  scope_digest: (lease) => lease.scopeDigest,
  sealed_handle: (lease) => lease.sealedHandle,
  created_at: ({ task }) => task.createdAt,
  mint_by: (lease) => lease.mintBy,
  expires_at: ({ task }) => task.expiresAt,
  provider_expires_at: (lease) => lease.providerExpiresAt,
  due_at: (lease) => lease.dueAt,
});

const KEY_HOLDS = new RecordType<NonNullable<TaskIntent['keyHold']> & { readonly taskId: string }>('key_hold_record', {
  task_id: (hold) => hold.taskId,
  agent_id: (hold) => hold.agentId,
  runtime: (hold) => hold.runtime,
  issuer: (hold) => hold.issuer,
  subject: (hold) => hold.subject,
  key: (hold) => hold.key,
  held_at: (hold) => hold.heldAt,
});

/**
 * Step 9 of the path for many requests, as one call of the function `open_tasks`: each request gets its own verdict.
 * Returns the verdicts in the order of the intents.
 */
export async function openTasks(
  client: ClientBase | Pool,
  intents: readonly TaskIntent[],
  options: WakeUpOptions = WITH_WAKE_UPS,
): Promise<OpenVerdict[]> {
  const { rows } = await client.query<{ verdicts: OpenVerdict[] }>({
    name: 'open-tasks',
    text: 'SELECT public.open_tasks($1, $2, $3, $4, $5, $6, $7, $8) AS verdicts',
    values: await argumentsOf(client, intents, options),
  });
  return rows[0]?.verdicts ?? [];
}

/** Opens the task of a delegation, as one call of the function `open_child`. */
export async function openChild(
  client: ClientBase | Pool,
  intent: TaskIntent,
  { actors }: TaskOrigin,
  options: WakeUpOptions = WITH_WAKE_UPS,
): Promise<OpenVerdict> {
  const { rows } = await client.query<{ verdict: OpenVerdict }>({
    name: 'open-child',
    text: 'SELECT public.open_child($1, $2, $3, $4, $5, $6, $7, $8, $9) AS verdict',
    values: [...(await argumentsOf(client, [intent], options)), actors],
  });
  return rows[0]?.verdict ?? 'delegation';
}

async function argumentsOf(client: ClientBase | Pool, intents: readonly TaskIntent[], options: WakeUpOptions) {
  const leases = intents.flatMap(({ task, leases }) => leases.map((lease) => ({ ...lease, task })));
  const holds = intents.flatMap(({ task, keyHold }) =>
    keyHold === undefined ? [] : [{ taskId: task.id, ...keyHold }],
  );
  const wakeUps = options.wakeUps
    ? intents.flatMap(({ task, wakeUps }) => wakeUps.map((wakeUp) => ({ taskId: task.id, ...wakeUp })))
    : [];
  return [
    distinct(intents.map(({ task }) => task.agent.id)),
    distinct(intents.map(({ task }) => task.template.name)),
    distinct(leases.flatMap(({ connection }) => connection ?? [])),
    await TASKS.encode(client, intents),
    await LEASES.encode(client, leases),
    await KEY_HOLDS.encode(client, holds),
    await AUDIT_RECORDS.encode(
      client,
      intents.flatMap(({ audit }) => audit),
    ),
    await WAKE_UPS.encode(client, wakeUps),
  ];
}

function distinct(names: readonly string[]): string[] {
  return [...new Set(names)];
}
