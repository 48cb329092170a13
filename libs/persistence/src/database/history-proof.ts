import { randomInt } from 'node:crypto';
import { newId, Problem } from '@mayfly/kernel';
import { DatabaseError, escapeIdentifier, type ClientBase } from 'pg';

type Operation = 'UPDATE' | 'DELETE' | 'TRUNCATE';

/** One change that must be refused. */
interface Attempt {
  readonly table: string;
  readonly operation: Operation;
  readonly text: string;
  readonly values: readonly unknown[];
  /** the trigger that refuses it */
  readonly trigger: string;
  /** the table that has the trigger, when `table` has a copy of it */
  readonly parent?: string;
}

/** A partition of a history table, with the key of a row in its range. */
interface Partition {
  readonly name: string;
  readonly key: string;
}

/** The time that a TRUNCATE waits for its table. Requests wait behind it, so it is short. */
const LOCK_TIMEOUT = '200ms';
/** Partitions may be many. One that is in use is not worth the wait, since its trigger is in the catalog. */
const PARTITION_LOCK_TIMEOUT = '10ms';
/** SQLSTATEs of PostgreSQL, appendix A */
const INSUFFICIENT_PRIVILEGE = '42501';
/** `lock_not_available`, and `deadlock_detected`: two starts try the same table at once */
const HELD = ['55P03', '40P01'];
/**
 * Classes of errors that say nothing about the table: connection, resources, intervention of an operator, system,
 * defect
 */
const NO_ANSWER = /^(08|53|57|58|XX)/;

/**
 * INVARIANT: I5, history is kept from every role. Tries to change, delete and truncate each history table in a
 * transaction that is rolled back, with rows made for it; `audit_entry` and `decision` also in each of their partitions,
 * through the table and by the name of the partition. Throws Problem `invalid_declaration` that names the table and
 * the cure when an attempt is not refused. `client` is any session of the owner or of the serving role. When requests
 * or a backup hold a table, the trigger against TRUNCATE is read from the catalog instead.
 */
export async function proveHistoryKept(client: ClientBase): Promise<void> {
  await client.query('BEGIN');
  try {
    for (const attempt of await makeAttempts(client)) {
      await client.query('SAVEPOINT attempt');
      const refused = await isRefused(client, attempt);
      await client.query('ROLLBACK TO SAVEPOINT attempt');
      if (!(refused ?? (await hasTrigger(client, attempt)))) throw await notRefused(client, attempt);
    }
  } finally {
    await client.query('ROLLBACK').catch(() => undefined); // a lost connection has rolled back already
  }
}

/** True when the table's own trigger, or a missing right, refuses. Undefined when the table is held by others. */
async function isRefused(client: ClientBase, { text, values, table }: Attempt): Promise<boolean | undefined> {
  try {
    await client.query(text, [...values]);
    return false;
  } catch (error) {
    if (!(error instanceof DatabaseError) || NO_ANSWER.test(error.code ?? '')) throw error;
    if (HELD.includes(error.code ?? '')) return undefined;
    // The trigger names its table, or a shard or partition of it. A missing right names no table.
    return error.code === INSUFFICIENT_PRIVILEGE && (error.table ?? table).startsWith(table);
  }
}

/** True when the trigger exists, calls `refuse_change` and is not disabled. */
async function hasTrigger(client: ClientBase, { table, trigger }: Attempt): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
     WHERE t.tgrelid = $1::regclass AND t.tgname = $2 AND t.tgenabled IN ('O', 'A')
       AND p.proname = 'refuse_change' AND p.pronamespace = 'public'::regnamespace
       AND current_setting('session_replication_role') <> 'replica'`,
    [`public.${escapeIdentifier(table)}`, trigger],
  );
  return rowCount === 1;
}

async function notRefused(client: ClientBase, attempt: Attempt): Promise<Problem> {
  const { table, operation, trigger, parent = table } = attempt;
  const { rows } = await client.query<{ role: string }>('SELECT current_user::text AS role');
  const role = rows[0]?.role ?? '';
  const kind =
    operation === 'TRUNCATE' ? 'TRUNCATE' : table === 'task' || table === 'lease' ? 'DELETE' : 'UPDATE OR DELETE';
  const rowOrStatement = operation === 'TRUNCATE' ? 'STATEMENT' : 'ROW';
  const create = `CREATE OR REPLACE TRIGGER ${trigger} BEFORE ${kind} ON public.${parent} FOR EACH ${rowOrStatement} EXECUTE FUNCTION public.refuse_change()`;
  return new Problem(
    'invalid_declaration',
    `the database does not refuse ${operation} on the history table \`${table}\` to the role \`${role}\`: run \`${create}; ALTER TABLE public.${parent} ENABLE TRIGGER ${trigger}\` there as the owner of the tables, then start again`,
  );
}

/**
 * Inserts one row into each history table, and returns the changes that must be refused. Keys are random: starts do not
 * wait for each other.
 */
async function makeAttempts(client: ClientBase): Promise<readonly Attempt[]> {
  const [taskId, bareTaskId, leaseId] = [newId('tsk'), newId('tsk'), newId('lse')];
  const [batch, place] = [-randomInt(1, 2 ** 47), -randomInt(1, 2 ** 31)];
  const name = `probe-${taskId}`;
  for (const id of [taskId, bareTaskId]) await client.query(TASK, [id, name]);
  await client.query(LEASE, [leaseId, taskId, name]);
  const { rows: partitions } = await client.query<Partition>(PARTITIONS);
  for (const { key } of partitions) await client.query(ENTRY, [key, place, name]);
  const { rows: ranges } = await client.query<Partition>(DECISION_PARTITIONS, [name]);
  for (const { key } of ranges) await client.query(DECISION, [key]);
  await client.query(
    `INSERT INTO public.audit_seal (batch, first_seq, entries, leaf_hashes, sealed_at) VALUES ($1, $1, 1, $2, now())`,
    [batch, Buffer.alloc(32)],
  );
  await client.query('INSERT INTO public.template (name) VALUES ($1)', [name]);
  await client.query(
    `INSERT INTO public.template_version (name, version, spec, digest, author, publisher) VALUES ($1, 1, '{}', '', '', '')`,
    [name],
  );
  return [
    ...partitions.flatMap(({ name, key }) => partitionAttempts('audit_entry', name, THIS_ENTRY, [key, place])),
    truncate('audit_entry'),
    ...ranges.flatMap(({ name, key }) => partitionAttempts('decision', name, 'id = $1', [key])),
    truncate('decision'),
    ...appendOnly('audit_seal', 'audit_seal_append_only', 'batch', batch),
    ...appendOnly('template_version', 'template_version_immutable', 'name', name),
    // A task without a lease: the foreign key of a lease would refuse the DELETE too.
    ...kept('task', 'task_kept', 'id', bareTaskId),
    ...kept('lease', 'lease_kept', 'id', leaseId),
  ];
}

/** The service's rights refuse a change by the name of a partition, so the table is tried with a row of each as well. */
function partitionAttempts(
  parent: string,
  name: string,
  condition: string,
  values: readonly unknown[],
): readonly Attempt[] {
  const rows = [parent, name].flatMap((table) => {
    const attempt = { table, trigger: `${parent}_append_only`, parent, values };
    return [
      { ...attempt, operation: 'UPDATE', text: `UPDATE public.${table} SET body = body WHERE ${condition}` } as const,
      { ...attempt, operation: 'DELETE', text: `DELETE FROM public.${table} WHERE ${condition}` } as const,
    ];
  });
  return [...rows, truncate(name, parent, PARTITION_LOCK_TIMEOUT)];
}

function appendOnly(table: string, trigger: string, key: string, value: unknown): readonly Attempt[] {
  const text = `UPDATE public.${table} SET ${key} = ${key} WHERE ${key} = $1`;
  return [{ table, trigger, operation: 'UPDATE', text, values: [value] }, ...kept(table, trigger, key, value)];
}

function kept(table: string, trigger: string, key: string, value: unknown): readonly Attempt[] {
  const text = `DELETE FROM public.${table} WHERE ${key} = $1`;
  return [{ table, trigger, operation: 'DELETE', text, values: [value] }, truncate(table)];
}

/** A partition has its own trigger of this kind, with the name of the parent's. */
function truncate(table: string, parent = table, lockTimeout = LOCK_TIMEOUT): Attempt {
  const text = `SET LOCAL lock_timeout = '${lockTimeout}'; TRUNCATE public.${table} CASCADE`;
  return { table, trigger: `${parent}_not_truncated`, operation: 'TRUNCATE', text, values: [] };
}

/**
 * The lower bound of each partition is in it. The first one has none and contains all negative numbers; the default one
 * contains the last number.
 */
const PARTITIONS = `SELECT c.relname AS name, CASE bound WHEN 'DEFAULT' THEN '9223372036854775807'
    ELSE coalesce(substring(bound FROM 'FROM \\(''?(-?[0-9]+)'), '-1') END AS key
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid CROSS JOIN LATERAL pg_get_expr(c.relpartbound, c.oid) AS bound
  WHERE i.inhparent = 'public.audit_entry'::regclass ORDER BY c.relname`;
/** The lower bound of a range begins an id in it. No bound begins with `$1`, so such a row is in the default partition. */
const DECISION_PARTITIONS = `SELECT c.relname AS name,
    coalesce(substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \\(''(dec_[0-9a-z]+)'), '') || $1 AS key
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  WHERE i.inhparent = 'public.decision'::regclass ORDER BY c.relname`;
const DECISION = `INSERT INTO public.decision (id, at, body) VALUES ($1, now(), '{}')`;
/** No entry of the service has a negative place. */
const ENTRY = `INSERT INTO public.audit_entry (batch, place, id, at, type, body) VALUES ($1, $2, $3, now(), 'probe', '{}')`;
const THIS_ENTRY = 'batch = $1 AND place = $2';
const TASK = `INSERT INTO public.task (id, state, agent_id, agent_name, runtime, issuer, subject, template_name, template_version,
    parameters, purpose, created_at, expires_at, max_expires_at, live_leases)
  VALUES ($1, 'active', '', $2, '', '', '', $2, 1, '{}', 'probe', now(), now(), now(), 1)`;
const LEASE = `INSERT INTO public.lease (id, task_id, name, provider, revocation, state, agent_name, template_name, scope,
    scope_digest, sealed_handle, created_at, mint_by, expires_at, due_at)
  VALUES ($1, $2, 'probe', 'none', 'none', 'minting', $3, $3, '{}', '', '', now(), now(), now(), now())`;
