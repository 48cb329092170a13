import type { Actor } from '@mayfly/audit';
import type { TaskId } from '@mayfly/kernel';
import { type StepObserver, type TaskEndCause, NO_OBSERVER } from '@mayfly/tasks';
import type { ClientBase, Pool } from 'pg';
import { databaseProblem } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';
import type { PgClosingStore } from './closing.store.js';
import { type EndingScope, taskSelector } from './task-selector.js';

/** The order to end many tasks. */
export interface EndingOrder {
  /** the id of the agent or of the lockdown */
  readonly id: string;
  readonly scope: EndingScope;
  readonly cause: TaskEndCause;
  readonly reason?: string;
  readonly actor: Actor;
}

interface EndingRow {
  readonly id: string;
  readonly kind: EndingScope['kind'];
  readonly name: string;
  readonly cause: TaskEndCause;
  readonly reason: string | null;
  readonly actor: Actor;
  readonly pass: number;
  readonly passed_over: boolean;
  readonly to_agent: string;
  readonly to_task: string;
}

interface Position {
  readonly agent: string;
  readonly task: string;
}

/** The tasks of one batch, and the position after them; no position when the pass is over. */
interface Batch {
  readonly taskIds: readonly TaskId[];
  readonly next: Position | undefined;
}

/** One batch of an order: how many tasks it found and ended. `isLast` when the order is done. */
interface Progress {
  readonly found: number;
  readonly ended: number;
  readonly isLast: boolean;
}

/** The most tasks that one transaction ends, and the most that it reads to find them. */
const BATCH = 200;
const READ = 2_000;

/**
 * Pass 0 ends the tasks with a credential at a connection, whose end takes longest; pass 1 the others. Both pass over
 * tasks whose rows another session holds. Pass 2 ends those, and repeats until none is left.
 */
const LAST_PASS = 1;
const PASS_OF_THE_HELD = 2;
const AT_A_CONNECTION = 'EXISTS (SELECT FROM public.lease l WHERE l.task_id = t.id AND l.connection IS NOT NULL)';

/**
 * Ends many tasks in bounded transactions. The change that stops new tasks commits first, with a row of `task_ending`:
 * the agent is stopped, or a lockdown is in force. From then on no such task can be opened, so every one that runs has its
 * place after the position of the row. The caller of the change ends the tasks batch by batch. After a crash a worker
 * continues, since the row stays until the last batch.
 */
export class TaskEndings {
  constructor(
    private readonly pool: Pool,
    private readonly closing: Pick<PgClosingStore, 'endInTransaction'>,
    private readonly batch = BATCH,
    private readonly observer: StepObserver = NO_OBSERVER,
  ) {}

  /** Records that tasks must end, in the caller's transaction. An ending under way keeps its cause. */
  async request(client: ClientBase, { id, scope, cause, reason, actor }: EndingOrder): Promise<void> {
    await client.query(
      `INSERT INTO public.task_ending (id, kind, name, cause, reason, actor) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (id) DO NOTHING`,
      [id, scope.kind, scope.name, cause, reason ?? null, JSON.stringify(actor)],
    );
  }

  /** True while tasks of the order must still end. */
  async isPending(client: ClientBase, id: string): Promise<boolean> {
    const { rowCount } = await client.query('SELECT FROM public.task_ending WHERE id = $1', [id]);
    return rowCount === 1;
  }

  /**
   * Ends every task of an order; waits for rows that other sessions hold only when every other task has its end. Throws
   * `unavailable`; a worker then ends the rest.
   */
  async finish(id: string): Promise<void> {
    const own = { which: 'WHERE id = $1 FOR UPDATE', values: [id], waits: true };
    for (;;) if ((await this.endBatch(own).catch(databaseProblem)).isLast) return;
  }

  /**
   * Ends one batch of any order that nobody works on: one that fails delays no other. Waits for no row. True when there
   * may be more to end now.
   */
  async round(): Promise<boolean> {
    const { isLast, found, ended } = await this.endBatch({
      which: 'ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED',
      values: [],
      waits: false,
    });
    return !isLast && (ended > 0 || found === 0);
  }

  private async endBatch(order: { which: string; values: readonly string[]; waits: boolean }): Promise<Progress> {
    const progress = await inTransaction(this.pool, async (client): Promise<Progress> => {
      const { rows } = await client.query<EndingRow>(`SELECT * FROM public.task_ending ${order.which}`, [
        ...order.values,
      ]);
      const [row] = rows;
      if (row === undefined) return { found: 0, ended: 0, isLast: true };
      const { taskIds, next } = await this.nextTasks(client, row);
      const waits = order.waits && row.pass === PASS_OF_THE_HELD;
      const free = waits || taskIds.length === 0 ? taskIds : await freeTasks(client, taskIds);
      if (free.length > 0) await this.end(client, row, free);
      const passedOver = row.passed_over || free.length < taskIds.length;
      await moveOn(client, { ...row, passed_over: passedOver }, next);
      return { found: taskIds.length, ended: free.length, isLast: false };
    });
    if (!progress.isLast) await this.observer.reached('end-batch');
    return progress;
  }

  private async end(client: ClientBase, row: EndingRow, taskIds: readonly TaskId[]): Promise<void> {
    const { cause, actor, reason } = row;
    const told = reason === null ? {} : { reason };
    await this.closing.endInTransaction(
      client,
      taskIds.map((taskId) => ({ taskId, cause, actor, ...told })),
    );
    if (cause !== 'lockdown') return;
    await client.query(
      `UPDATE public.task SET lockdown_id = $2
       WHERE id = ANY($1::text[]) AND end_cause = 'lockdown' AND lockdown_id IS NULL`,
      [taskIds, row.id],
    );
  }

  /** Reads the tasks after the position. One statement reads a bounded number of tasks, also when few are covered. */
  private async nextTasks(client: ClientBase, row: EndingRow): Promise<Batch> {
    const { where, values } = taskSelector(row);
    const pass = row.pass === 0 ? `AND ${AT_A_CONNECTION}` : '';
    const after = values.length + 1;
    const { rows } = await client.query<{ id: TaskId; agent_id: string; covered: boolean }>(
      `WITH t AS MATERIALIZED (
         SELECT id, agent_id, agent_name, template_name, template_version, runtime, issuer, end_cause, root_id
           FROM public.task WHERE state = 'active' AND (agent_id, id) > ($${String(after)}, $${String(after + 1)})
           ${row.kind === 'agent-id' ? 'AND agent_id = $1' : ''}
         ORDER BY agent_id, id LIMIT ${String(READ)})
       SELECT t.id, t.agent_id, t.end_cause IS NULL AND ${where} ${pass} AS covered FROM t ORDER BY t.agent_id, t.id`,
      [...values, row.to_agent, row.to_task],
    );
    const covered = rows.filter((one) => one.covered);
    const taken = covered.slice(0, this.batch);
    const last = covered.length > this.batch ? taken.at(-1) : rows.length === READ ? rows.at(-1) : undefined;
    return {
      taskIds: taken.map(({ id }) => id),
      next: last && { agent: last.agent_id, task: last.id },
    };
  }
}

/**
 * Returns the tasks of which no other session holds the row, nor that of a task in the same tree: an end goes down a
 * tree. Locks all of them.
 */
async function freeTasks(client: ClientBase, taskIds: readonly TaskId[]): Promise<TaskId[]> {
  const { rows } = await client.query<{ id: TaskId }>(
    `WITH wanted AS (
       SELECT id, coalesce(root_id, id) AS root FROM public.task WHERE id = ANY($1::text[])
     ), trees AS MATERIALIZED (
       SELECT t.id, wanted.root FROM wanted JOIN public.task t ON t.id = wanted.root WHERE t.state = 'active'
       UNION SELECT t.id, t.root_id FROM wanted JOIN public.task t ON t.root_id = wanted.root WHERE t.state = 'active'
     ), free AS MATERIALIZED (
       SELECT id FROM public.task WHERE id IN (SELECT id FROM trees) ORDER BY id FOR UPDATE SKIP LOCKED
     )
     SELECT id FROM wanted WHERE root NOT IN (SELECT root FROM trees WHERE id NOT IN (SELECT id FROM free))`,
    [taskIds],
  );
  return rows.map(({ id }) => id);
}

/** Moves an order to its next position or pass; deletes it when no task is left. */
async function moveOn(client: ClientBase, row: EndingRow, next: Position | undefined): Promise<void> {
  const { id, pass } = row;
  if (next !== undefined) return update(client, { ...row, to_agent: next.agent, to_task: next.task });
  const start = { ...row, to_agent: '', to_task: '' };
  if (pass < LAST_PASS) return update(client, { ...start, pass: pass + 1 });
  if (row.passed_over) return update(client, { ...start, pass: PASS_OF_THE_HELD, passed_over: false });
  await client.query('DELETE FROM public.task_ending WHERE id = $1', [id]);
}

async function update(client: ClientBase, row: EndingRow): Promise<void> {
  await client.query(
    'UPDATE public.task_ending SET pass = $2, to_agent = $3, to_task = $4, passed_over = $5 WHERE id = $1',
    [row.id, row.pass, row.to_agent, row.to_task, row.passed_over],
  );
}
