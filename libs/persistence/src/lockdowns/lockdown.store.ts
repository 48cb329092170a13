import type { Actor } from '@mayfly/audit';
import { isId, type LockdownId, type Page, type PageRequest, present, Problem } from '@mayfly/kernel';
import type { Lockdown, LockdownReach, LockdownStore, LockedLockdown, NewLockdown } from '@mayfly/revocation';
import type { LockdownScope } from '@mayfly/tasks';
import type { ClientBase, Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseProblem, databaseUnread } from '../database/database-problem.js';
import { pageOf } from '../database/history-page.js';
import { inTransaction } from '../database/transaction.js';
import { hintChange } from '../declarations/change-hint.js';
import { LOCK_DECLARED_STATE } from '../declarations/declaration.store.js';
import type { TaskEndings } from '../tasks/task-endings.js';
import { taskSelector } from '../tasks/task-selector.js';
import { LOCKDOWN_COLUMNS, type LivingLeases, type LockdownRow, lockdownOf } from './lockdown-rows.js';

/**
 * The longest wait of an engagement for the commits of grants under way, each of which takes milliseconds. The second
 * limit is for a replica that is frozen in the middle of an engagement: no other one could engage anything, or grant.
 */
const ENGAGEMENT_LIMITS = `SET LOCAL lock_timeout = '5s'; SET LOCAL idle_in_transaction_session_timeout = '3s'`;

/**
 * Makes later grants wait for this engagement. The row lock alone would not: grants share it, so that an engagement waits
 * for a moment without any.
 */
const HOLD_LATER_GRANTS = 'LOCK TABLE public.guard IN EXCLUSIVE MODE';

/** The order of grants and engagements: grants hold the row FOR SHARE until their commit. */
const STOP_GRANTS = `SELECT FROM public.guard WHERE kind = 'all' AND name = '' FOR UPDATE`;

/** Finds whether a name exists under its kind: declared now, or as a task. */
const KNOWN: Readonly<Record<Exclude<LockdownScope['kind'], 'all'>, string>> = {
  task: 'SELECT FROM public.task WHERE id = $1',
  tree: 'SELECT FROM public.task WHERE id = $1 AND root_id IS NULL',
  agent: 'SELECT FROM public.agent WHERE name = $1',
  template: 'SELECT FROM public.template WHERE name = $1',
  connection: 'SELECT FROM public.connection WHERE name = $1',
  issuer: 'SELECT FROM public.issuer WHERE name = $1',
  owner: `SELECT FROM public.agent WHERE spec->>'owner' = $1
          UNION ALL SELECT FROM public.template_version WHERE spec->>'owner' = $1
          UNION ALL SELECT FROM public.connection WHERE spec->>'owner' = $1`,
  runtime: `SELECT FROM public.agent WHERE spec->'identities' @> jsonb_build_array(jsonb_build_object('runtime', $1::text))`,
};

/** The store of lockdowns on PostgreSQL. */
export class PgLockdownStore implements LockdownStore {
  constructor(
    private readonly pool: Pool,
    private readonly endings: TaskEndings,
  ) {}

  async knows({ kind, name }: LockdownScope): Promise<boolean> {
    if (kind === 'all') return true;
    const { rowCount } = await this.pool.query(`${KNOWN[kind]} LIMIT 1`, [name]).catch(databaseUnread);
    return rowCount === 1;
  }

  async reach(scope: LockdownScope): Promise<LockdownReach> {
    const { where, values } = taskSelector(scope);
    const { rows } = await this.pool
      .query<{ tasks: number; leases: number; connections: LockdownReach['connections'] | null }>(
        `WITH found AS MATERIALIZED (
           SELECT t.id FROM public.task t WHERE t.state = 'active' AND t.end_cause IS NULL AND ${where}
         ), live AS MATERIALIZED (
           SELECT l.connection FROM public.lease l JOIN found ON found.id = l.task_id WHERE l.ended_at IS NULL
         ), largest AS (
           SELECT connection AS name, count(*)::int AS leases FROM live WHERE connection IS NOT NULL
           GROUP BY connection ORDER BY leases DESC, name LIMIT 20
         )
         SELECT (SELECT count(*)::int FROM found) AS tasks, (SELECT count(*)::int FROM live) AS leases,
           (SELECT json_agg(largest) FROM largest) AS connections`,
        [...values],
      )
      .catch(databaseUnread);
    const { tasks = 0, leases = 0, connections = null } = rows[0] ?? {};
    return { tasks, leases, connections: connections ?? [] };
  }

  async engage({ id, scope, reason, actor, entry }: NewLockdown): Promise<LockdownId> {
    const engaged = await inTransaction(this.pool, async (client) => {
      await client.query(ENGAGEMENT_LIMITS);
      // A change of an owner is committed before this lockdown, or sees it.
      if (scope.kind === 'owner') await client.query(LOCK_DECLARED_STATE);
      await client.query(HOLD_LATER_GRANTS);
      if ((await client.query(STOP_GRANTS)).rowCount !== 1) throw guardLost();
      const inForce = await this.lockGuard(client, scope);
      if (inForce !== undefined) return inForce;
      await client.query(
        `INSERT INTO public.lockdown (id, kind, name, reason, engaged_at, engaged_by)
         SELECT $1, $2, $3, $4, now(), $5`,
        [id, scope.kind, scope.name, reason, JSON.stringify(actor)],
      );
      await setGuard(client, scope, id);
      await insertAudit(client, [entry]);
      await this.endings.request(client, { id, scope, cause: 'lockdown', reason: `lockdown ${id}`, actor });
      return id;
    }).catch(databaseProblem);
    hintChange(this.pool);
    return engaged;
  }

  endTasks(id: LockdownId): Promise<void> {
    return this.endings.finish(id);
  }

  async find(id: LockdownId): Promise<Lockdown | undefined> {
    const { rows } = await this.pool
      .query<LockdownRow>(`SELECT ${LOCKDOWN_COLUMNS} FROM public.lockdown k WHERE k.id = $1`, [id])
      .catch(databaseUnread);
    return rows[0] && this.complete(rows[0]);
  }

  async list(
    { inForce }: { readonly inForce: boolean },
    { limit, after }: PageRequest<LockdownId>,
  ): Promise<Page<Lockdown, LockdownId>> {
    const { rows } = await this.pool
      .query<LockdownRow>(
        `SELECT ${LOCKDOWN_COLUMNS} FROM public.lockdown k
         WHERE ($1::text IS NULL OR k.id < $1) AND (NOT $2 OR k.released_at IS NULL) ORDER BY k.id DESC LIMIT $3`,
        [after ?? null, inForce, limit + 1],
      )
      .catch(databaseUnread);
    const complete = await Promise.all(rows.map((row) => this.complete(row)));
    return pageOf(
      complete,
      limit,
      (lockdown) => lockdown,
      ({ id }) => id,
    );
  }

  async underLock<T>(id: LockdownId, work: (locked: LockedLockdown | undefined) => Promise<T>): Promise<T> {
    const done = await inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<LockdownRow>(
        `SELECT ${LOCKDOWN_COLUMNS} FROM public.lockdown k WHERE k.id = $1 FOR UPDATE OF k`,
        [id],
      );
      return work(rows[0] && this.locked(client, lockdownOf(rows[0])));
    }).catch(databaseProblem);
    hintChange(this.pool);
    return done;
  }

  private locked(client: ClientBase, lockdown: Lockdown): LockedLockdown {
    return {
      lockdown,
      requestRelease: async (by: Actor, reason, entry) => {
        await client.query(
          `UPDATE public.lockdown SET release_requested_at = moment.at, release_requested_by = $2, release_reason = $3
           FROM (SELECT now() AS at) AS moment WHERE id = $1`,
          [lockdown.id, JSON.stringify(by), reason],
        );
        await insertAudit(client, [entry]);
      },
      withdrawRelease: async (entry) => {
        await client.query(
          `UPDATE public.lockdown SET release_requested_at = NULL, release_requested_by = NULL, release_reason = NULL
           WHERE id = $1`,
          [lockdown.id],
        );
        await insertAudit(client, [entry]);
      },
      release: async (by: Actor, entry) => {
        await client.query(
          `UPDATE public.lockdown SET released_at = moment.at, released_by = $2
           FROM (SELECT now() AS at) AS moment WHERE id = $1`,
          [lockdown.id, JSON.stringify(by)],
        );
        await setGuard(client, lockdown.scope, undefined);
        await insertAudit(client, [entry]);
      },
    };
  }

  /** Adds the leases that are not dead, and whose tasks have not ended yet or ended for another reason. */
  private async complete(row: LockdownRow): Promise<Lockdown> {
    if (row.released_at !== null) return lockdownOf(row);
    const { where, values } = taskSelector(row);
    const { rows } = await this.pool
      .query<LivingLeases>(
        `SELECT count(*)::int AS leases, floor(extract(epoch FROM now() - min(l.revoke_requested_at)))::int AS seconds
         FROM public.lease l JOIN public.task t ON t.id = l.task_id
         WHERE ${row.is_ending ? 'l.ended_at IS NULL' : `l.state = 'revoking'`} AND ${where}
           AND t.lockdown_id IS DISTINCT FROM $${String(values.length + 1)}`,
        [...values, row.id],
      )
      .catch(databaseUnread);
    return lockdownOf(row, rows[0]);
  }

  /** Locks the guard of a scope, and returns the lockdown of it that is in force. */
  private async lockGuard(client: ClientBase, { kind, name }: LockdownScope): Promise<LockdownId | undefined> {
    await client.query('INSERT INTO public.guard (kind, name) VALUES ($1, $2) ON CONFLICT (kind, name) DO NOTHING', [
      ...[kind, name],
    ]);
    const { rows } = await client.query<{ lockdown_id: string | null }>(
      'SELECT lockdown_id FROM public.guard WHERE kind = $1 AND name = $2 FOR UPDATE',
      [kind, name],
    );
    const { id } = present({ id: rows[0]?.lockdown_id });
    return id !== undefined && isId('lkd', id) ? id : undefined;
  }
}

function guardLost(): Problem {
  const detail = 'the database has lost the row of `guard` that stops grants; insert (`all`, an empty name)';
  return new Problem('unavailable', detail);
}

async function setGuard(client: ClientBase, { kind, name }: LockdownScope, id: LockdownId | undefined): Promise<void> {
  await client.query('UPDATE public.guard SET lockdown_id = $3, epoch = epoch + 1 WHERE kind = $1 AND name = $2', [
    ...[kind, name, id ?? null],
  ]);
}
