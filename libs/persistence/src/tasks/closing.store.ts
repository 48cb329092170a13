import { type Actor, auditEntry, type AuditEntry, MAYFLY } from '@mayfly/audit';
import {
  type AbandonRequest,
  type AbandonResult,
  CLAIM_SECONDS,
  type ClosingResult,
  type ClosingStore,
  type LeaseClaim,
} from '@mayfly/revocation';
import type { EndRequest, TaskEndCause } from '@mayfly/tasks';
import { type Clock, GroupCommit, type LeaseId, type TaskId } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseProblem, isRefusedData } from '../database/database-problem.js';
import { abandonLease } from './abandon-lease.js';
import { afterDeadlock } from './after-deadlock.js';
import { type ClaimedRow, claimOf } from './lease-rows.js';
import { recordResults } from './record-results.js';
import { inTransaction } from '../database/transaction.js';
import { type WakeUpOptions, WITH_WAKE_UPS } from './wake-ups.js';

/** The leases that an ending marks `revoking`. */
interface Marking {
  readonly taskIds: readonly TaskId[];
  /** only these leases, when given */
  readonly leaseIds?: readonly LeaseId[];
  readonly minted: readonly LeaseId[];
}

/**
 * Marks leases `revoking` and claims those that can be closed now: active leases, leases whose mint has ended or can no
 * longer happen, and due leases. A lease that may still be minting, or that waits for a retry, is not claimed.
 */
const MARK = `
WITH target AS (
  SELECT l.id, l.state AS was, t.end_cause, now() AS at, now() + make_interval(secs => $4) AS claimed_until,
         l.state = 'active' OR l.due_at <= now() OR l.id = ANY($3::text[])
           OR (l.state = 'minting' AND l.mint_by < now() - interval '1 second') AS closable
  FROM public.lease l JOIN public.task t ON t.id = l.task_id
  WHERE l.task_id = ANY($1::text[]) AND ($2::text[] IS NULL OR l.id = ANY($2::text[]))
    AND l.state IN ('minting', 'active', 'revoking') AND (l.claimed_until IS NULL OR l.claimed_until < now())
  ORDER BY l.id FOR UPDATE OF l
)
UPDATE public.lease l SET state = 'revoking', version = l.version + 1, end_cause = coalesce(l.end_cause, target.end_cause),
    revoke_requested_at = coalesce(l.revoke_requested_at, target.at),
    due_at = CASE WHEN closable THEN target.at ELSE l.due_at END,
    claimed_until = CASE WHEN closable THEN target.claimed_until END,
    attempts = l.attempts + CASE WHEN closable THEN 1 ELSE 0 END
FROM target WHERE l.id = target.id
RETURNING l.*, target.was, target.closable`;

/**
 * Records the end of each task that is active and not ending. Of two requests for one task in one batch the first wins.
 */
const END = `
WITH request AS (
  SELECT DISTINCT ON (r.task_id) r.*, now() AS at
  FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS r(task_id, cause, reason, place) ORDER BY r.task_id, r.place
), living AS (
  SELECT t.id FROM public.task t WHERE t.id IN (SELECT task_id FROM request) AND t.state = 'active' ORDER BY t.id FOR UPDATE
)
UPDATE public.task t SET end_cause = request.cause, end_reason = request.reason, end_requested_at = request.at
FROM living JOIN request ON request.task_id = living.id WHERE t.id = living.id AND t.end_cause IS NULL
RETURNING t.id, t.agent_name`;

/**
 * The running children of tasks whose end is recorded. Their parents are locked, and a child opens under a lock on its
 * parent, so none is missing.
 */
const BELOW = `SELECT c.id, c.parent_id FROM public.task c JOIN public.task p ON p.id = c.parent_id
  WHERE c.parent_id = ANY($1::text[]) AND p.end_cause IS NOT NULL AND c.state = 'active' AND c.end_cause IS NULL ORDER BY c.id`;

/** The limits of group commit, as for the commits of the path. */
const BATCH = { maxItems: 256, maxRunning: 2, maxWaiting: 16_384, isOfOneItem: isRefusedData };

/**
 * The store of revocation on PostgreSQL. Every method locks the task row before its leases. Ends that arrive together
 * share one transaction, and so do results (ADR 0002).
 */
export class PgClosingStore implements ClosingStore {
  private readonly ending: GroupCommit<EndRequest, readonly LeaseClaim[]>;
  private readonly recording: GroupCommit<readonly ClosingResult[], true>;

  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
    private readonly options: WakeUpOptions = WITH_WAKE_UPS,
  ) {
    this.ending = new GroupCommit((requests) => this.endTogether(requests), BATCH);
    this.recording = new GroupCommit((results) => this.recordTogether(results), BATCH);
  }

  requestEnd(request: EndRequest): Promise<readonly LeaseClaim[]> {
    return this.ending.submit(request).catch(databaseProblem);
  }

  /** Ends these tasks in the caller's transaction. Claims nothing: the worker closes the leases. */
  async endInTransaction(client: ClientBase, requests: readonly EndRequest[]): Promise<void> {
    await this.endTasks(client, requests, 0);
  }

  /** Ends these tasks in the caller's transaction, and claims their leases for this process. */
  endAndClaim(client: ClientBase, requests: readonly EndRequest[]): Promise<readonly LeaseClaim[]> {
    return this.endTasks(client, requests, CLAIM_SECONDS);
  }

  async claimDue(options: Parameters<ClosingStore['claimDue']>[0]): Promise<readonly LeaseClaim[]> {
    return afterDeadlock(() => this.claimTogether(options)).catch(databaseProblem);
  }

  private claimTogether(options: Parameters<ClosingStore['claimDue']>[0]): Promise<readonly LeaseClaim[]> {
    return inTransaction(this.pool, async (client) => {
      const due = await dueLeases(client, options);
      if (due.length === 0) return [];
      const taskIds = [...new Set(due.map(({ task_id }) => task_id))];
      const ended = await this.expireTasks(client, taskIds);
      const claimed = await this.mark(
        client,
        { taskIds, leaseIds: due.map(({ id }) => id), minted: [] },
        CLAIM_SECONDS,
      );
      await insertAudit(client, [...ended, ...this.revokingEntries(claimed, MAYFLY)]);
      const below = await this.endBelow(
        client,
        taskIds.map((taskId) => ({ taskId, actor: MAYFLY })),
        CLAIM_SECONDS,
      );
      return [...claimed.map(claimOf), ...below];
    });
  }

  async record(results: readonly ClosingResult[]): Promise<void> {
    if (results.length > 0) await this.recording.submit(results).catch(databaseProblem);
  }

  async abandon(request: AbandonRequest): Promise<AbandonResult | undefined> {
    return inTransaction(this.pool, (client) => abandonLease(client, request, this.clock.now())).catch(databaseProblem);
  }

  private async recordTogether(results: readonly (readonly ClosingResult[])[]): Promise<true[]> {
    await inTransaction(this.pool, (client) => recordResults(client, results.flat(), this.clock.now(), this.options));
    return results.map(() => true);
  }

  /**
   * Ends the tasks of all requests. Returns the claims by request; when two name one task, the first gets its claims.
   */
  private async endTogether(requests: readonly EndRequest[]): Promise<(readonly LeaseClaim[])[]> {
    const claims = await afterDeadlock(() =>
      inTransaction(this.pool, (client) => this.endTasks(client, requests, CLAIM_SECONDS)),
    );
    const first = new Map(requests.toReversed().map((request) => [request.taskId, request]));
    // What is below the tasks of the requests is closed by the caller that came first.
    const below = claims.filter(({ taskId }) => !first.has(taskId));
    return requests.map((request, place) => [
      ...(first.get(request.taskId) === request ? claims.filter(({ taskId }) => taskId === request.taskId) : []),
      ...(place === 0 ? below : []),
    ]);
  }

  private async endTasks(
    client: ClientBase,
    requests: readonly EndRequest[],
    claimSeconds: number,
  ): Promise<readonly LeaseClaim[]> {
    const { rows } = await client.query<{ id: TaskId; agent_name: string }>({
      name: 'end-tasks',
      text: END,
      values: [
        requests.map(({ taskId }) => taskId),
        requests.map(({ cause }) => cause),
        requests.map(({ reason }) => reason ?? null),
      ],
    });
    const firstOf = new Map(requests.toReversed().map((request) => [request.taskId, request]));
    let entries = rows.flatMap((task) => {
      const request = firstOf.get(task.id);
      return request === undefined ? [] : [this.endingEntry(task, request.cause, request.reason, request.actor)];
    });
    const neverMinted = requests.flatMap((request) => request.neverMinted ?? []);
    if (neverMinted.length > 0) {
      // The entry of the ending comes before those of the leases.
      await insertAudit(client, entries);
      entries = [];
      await this.failNeverMinted(client, neverMinted);
    }
    const minted = requests.flatMap((request) => request.minted ?? []);
    const marked = await this.mark(client, { taskIds: [...firstOf.keys()], minted }, claimSeconds);
    const revoking = marked.flatMap((row) => this.revokingEntries([row], firstOf.get(row.task_id)?.actor ?? MAYFLY));
    await insertAudit(client, [...entries, ...revoking]);
    const below = await this.endBelow(client, requests, claimSeconds);
    return claimSeconds === 0 ? [] : [...marked.filter(({ closable }) => closable).map(claimOf), ...below];
  }

  /** Ends what these tasks handed on, in the same transaction: nothing below a task outlives the record of its end. */
  private async endBelow(
    client: ClientBase,
    above: readonly Pick<EndRequest, 'taskId' | 'actor'>[],
    claimSeconds: number,
  ): Promise<readonly LeaseClaim[]> {
    const { rows } = await client.query<{ id: TaskId; parent_id: TaskId }>({
      name: 'tasks-below',
      text: BELOW,
      values: [above.map(({ taskId }) => taskId)],
    });
    if (rows.length === 0) return [];
    const actorOf = new Map(above.map(({ taskId, actor }) => [taskId, actor]));
    const requests = rows.map(({ id, parent_id }) => ({
      ...{ taskId: id, cause: 'parent_ended' as const, reason: `task ${parent_id} ended` },
      actor: actorOf.get(parent_id) ?? MAYFLY,
    }));
    return this.endTasks(client, requests, claimSeconds);
  }

  private async failNeverMinted(client: ClientBase, neverMinted: readonly LeaseId[]): Promise<void> {
    const { rows } = await client.query<ClaimedRow>(
      `SELECT *, state AS was FROM public.lease WHERE id = ANY($1::text[]) AND state = 'minting' ORDER BY id FOR UPDATE`,
      [neverMinted],
    );
    const results = rows.map((row) => ({
      claim: claimOf(row),
      state: 'failed' as const,
      effectiveAt: this.clock.now(),
    }));
    await recordResults(client, results, this.clock.now());
  }

  private async mark(
    client: ClientBase,
    marking: Marking,
    claimSeconds: number,
  ): Promise<(ClaimedRow & { closable: boolean })[]> {
    const { rows } = await client.query<ClaimedRow & { closable: boolean }>({
      name: 'mark-revoking',
      text: MARK,
      values: [marking.taskIds, marking.leaseIds ?? null, marking.minted, claimSeconds],
    });
    return rows;
  }

  /**
   * Records the end of each task whose lease fell due: it was not renewed in time, its mint was lost, or its heartbeat
   * stopped.
   */
  private async expireTasks(client: ClientBase, taskIds: readonly TaskId[]): Promise<AuditEntry[]> {
    const { rows } = await client.query<{ id: TaskId; agent_name: string; end_cause: TaskEndCause }>({
      name: 'expire-tasks',
      text: `WITH ending AS (
             SELECT id, now() AS at, CASE
               WHEN expires_at <= now() THEN 'expired'
               WHEN EXISTS (SELECT FROM public.lease l WHERE l.task_id = t.id AND l.state = 'minting') THEN 'issuance_failed'
               ELSE 'heartbeat_lost' END AS cause
             FROM public.task t WHERE id = ANY($1::text[]) AND state = 'active' AND end_cause IS NULL)
           UPDATE public.task t SET end_requested_at = ending.at, end_cause = ending.cause FROM ending WHERE t.id = ending.id
           RETURNING t.id, t.agent_name, t.end_cause`,
      values: [taskIds],
    });
    return rows.map((task) => this.endingEntry(task, task.end_cause, undefined, MAYFLY));
  }

  private endingEntry(
    task: { readonly id: TaskId; readonly agent_name: string },
    cause: TaskEndCause,
    reason: string | undefined,
    actor: Actor,
  ): AuditEntry {
    const facts = { cause, ...(reason === undefined ? {} : { reason }) };
    return auditEntry('task.ending', this.clock.now(), actor, { taskId: task.id, agent: task.agent_name }, facts);
  }

  private revokingEntries(rows: readonly ClaimedRow[], actor: Actor): AuditEntry[] {
    return rows
      .filter(({ was }) => was !== 'revoking')
      .map((row) =>
        auditEntry(
          'lease.revoking',
          this.clock.now(),
          actor,
          { taskId: row.task_id, leaseId: row.id, agent: row.agent_name },
          { name: row.name, provider: row.provider, cause: row.end_cause },
        ),
      );
  }
}

/** Returns due leases of tasks that no other transaction holds. Locks these tasks; the marking locks the leases. */
async function dueLeases(
  client: ClientBase,
  options: Parameters<ClosingStore['claimDue']>[0],
): Promise<{ id: LeaseId; task_id: TaskId }[]> {
  const { rows } = await client.query<{ id: LeaseId; task_id: TaskId }>({
    name: 'due-leases',
    text: `WITH oldest AS MATERIALIZED (
             SELECT id, task_id, connection, agent_name, due_at FROM public.lease
             WHERE due_at <= now() AND (claimed_until IS NULL OR claimed_until < now())
               AND ($2::text IS NULL OR id = $2) AND (connection IS NULL OR connection <> ALL ($3::text[]))
               AND NOT EXISTS (SELECT FROM unnest($5::text[], $6::text[]) AS busy (connection, agent)
                                WHERE busy.connection = lease.connection AND busy.agent = lease.agent_name)
             ORDER BY due_at LIMIT 4 * $1
           ), ranked AS MATERIALIZED (
             SELECT *, row_number() OVER (PARTITION BY connection, agent_name ORDER BY due_at) AS place FROM oldest
           ), due AS MATERIALIZED (
             SELECT id, task_id FROM ranked WHERE connection IS NULL OR place <= $4 ORDER BY due_at LIMIT $1
           ), free AS MATERIALIZED (
             SELECT id FROM public.task WHERE id IN (SELECT task_id FROM due) ORDER BY id FOR UPDATE SKIP LOCKED
           )
           SELECT due.id, due.task_id FROM due JOIN free ON free.id = due.task_id`,
    values: [
      options.limit,
      options.leaseId ?? null,
      options.busyConnections ?? [],
      options.limitPerLane ?? options.limit,
      (options.busyLanes ?? []).map(({ connection }) => connection),
      (options.busyLanes ?? []).map(({ agent }) => agent),
    ],
  });
  return rows.length === 0 ? [] : stillDue(client, rows);
}

/**
 * Returns the leases that are still due: a heartbeat, renewal or activation may have happened before the tasks were
 * locked.
 */
async function stillDue(
  client: ClientBase,
  seen: readonly { readonly id: LeaseId }[],
): Promise<{ id: LeaseId; task_id: TaskId }[]> {
  const { rows } = await client.query<{ id: LeaseId; task_id: TaskId }>({
    name: 'still-due',
    text: 'SELECT id, task_id FROM public.lease WHERE id = ANY($1::text[]) AND due_at <= now()',
    values: [seen.map(({ id }) => id)],
  });
  return rows;
}
