import type { Actor } from '@mayfly/audit';
import type { TaskId } from '@mayfly/kernel';
import type { TaskEndCause } from '@mayfly/tasks';
import type { ClientBase, Pool } from 'pg';
import { databaseProblem } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';
import type { PgClosingStore } from './closing.store.js';

interface EndingRow {
  readonly agent_id: string;
  readonly cause: TaskEndCause;
  readonly actor: Actor;
  readonly ended_to: string;
}

/** The most tasks that one transaction ends. */
const BATCH = 200;

/**
 * Ends the tasks of agents in bounded transactions. The change of the agent's state commits first, with a row of
 * `agent_ending`; from then on no task of the agent can be opened. The caller of the change ends the tasks batch by
 * batch. After a crash a worker continues, since the row stays until the last batch.
 */
export class AgentEndings {
  constructor(
    private readonly pool: Pool,
    private readonly closing: Pick<PgClosingStore, 'endInTransaction'>,
    private readonly batch = BATCH,
  ) {}

  /** Records that the agent's tasks must end, in the caller's transaction. An ending under way keeps its cause. */
  async request(client: ClientBase, agentId: string, cause: TaskEndCause, actor: Actor): Promise<void> {
    await client.query(
      `INSERT INTO public.agent_ending (agent_id, cause, actor) VALUES ($1, $2, $3) ON CONFLICT (agent_id) DO NOTHING`,
      [agentId, cause, JSON.stringify(actor)],
    );
  }

  /** True while tasks of the agent must still end. */
  async isPending(client: ClientBase, agentId: string): Promise<boolean> {
    const { rowCount } = await client.query('SELECT FROM public.agent_ending WHERE agent_id = $1', [agentId]);
    return rowCount === 1;
  }

  /** Ends every task of the agent for which that was requested. Throws `unavailable`; a worker then ends the rest. */
  async finish(agentId: string): Promise<void> {
    const own = 'WHERE agent_id = $1 FOR UPDATE';
    while (await this.endBatch(own, [agentId]).catch(databaseProblem));
  }

  /** Ends one batch of an agent that nobody works on. True when there may be more to do. */
  round(): Promise<boolean> {
    return this.endBatch('ORDER BY agent_id LIMIT 1 FOR UPDATE SKIP LOCKED', []);
  }

  private endBatch(which: string, values: readonly string[]): Promise<boolean> {
    return inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<EndingRow>(
        `SELECT agent_id, cause, actor, ended_to FROM public.agent_ending ${which}`,
        [...values],
      );
      const [ending] = rows;
      if (ending === undefined) return false;
      const { agent_id: agentId, cause, actor } = ending;
      const taskIds = await this.nextTasks(client, ending);
      if (taskIds.length > 0)
        await this.closing.endInTransaction(
          client,
          taskIds.map((taskId) => ({ taskId, cause, actor })),
        );
      const last = taskIds.length < this.batch ? undefined : taskIds.at(-1);
      if (last === undefined) await client.query('DELETE FROM public.agent_ending WHERE agent_id = $1', [agentId]);
      else await client.query('UPDATE public.agent_ending SET ended_to = $2 WHERE agent_id = $1', [agentId, last]);
      return true;
    });
  }

  private async nextTasks(client: ClientBase, { agent_id, ended_to }: EndingRow): Promise<readonly TaskId[]> {
    const { rows } = await client.query<{ id: TaskId }>(
      `SELECT id FROM public.task WHERE agent_id = $1 AND state = 'active' AND id > $2 ORDER BY id LIMIT $3`,
      [agent_id, ended_to, this.batch],
    );
    return rows.map(({ id }) => id);
  }
}
