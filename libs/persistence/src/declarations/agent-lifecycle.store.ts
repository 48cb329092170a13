import type { AgentLifecycleStore, AgentMove, DeclaredRecord, LockedAgent } from '@mayfly/declarations';
import { Problem } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseProblem, databaseUnread } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';
import type { TaskEndings } from '../tasks/task-endings.js';
import { hintChange } from './change-hint.js';
import { findRecord } from './declaration-rows.js';

/** The rows of agents on PostgreSQL. */
export class PgAgentLifecycleStore implements AgentLifecycleStore {
  constructor(
    private readonly pool: Pool,
    private readonly endings: TaskEndings,
  ) {}

  /**
   * Waits for requests that are being granted, since they hold the agent's row. The leases of tasks that a move ends
   * are `revoking` when this resolves. An earlier move that a crash interrupted is completed first.
   */
  async underLock<T>(name: string, work: (agent: LockedAgent) => Promise<T>): Promise<T> {
    await this.finishEnding(name);
    const done = await inTransaction(this.pool, async (client) => {
      const record = await findRecord(client, 'Agent', name, 'FOR UPDATE');
      return work({ record, move: (move) => this.move(client, name, record, move) });
    }).catch(databaseProblem);
    hintChange(this.pool);
    await this.finishEnding(name);
    return done;
  }

  private async finishEnding(name: string): Promise<void> {
    const record = await findRecord(this.pool, 'Agent', name).catch(databaseUnread);
    if (record?.agent !== undefined) await this.endings.finish(record.agent.id);
  }

  private async move(
    client: ClientBase,
    name: string,
    record: DeclaredRecord | undefined,
    { to, by, entry, ends }: AgentMove,
  ): Promise<DeclaredRecord | undefined> {
    const id = record?.agent?.id;
    if (to === 'active' && id !== undefined && (await this.endings.isPending(client, id)))
      throw new Problem(
        'unavailable',
        `agent \`${name}\` cannot be activated while its earlier tasks are being ended; try again`,
        {
          retryAfterSeconds: 1,
        },
      );
    await client.query(
      `UPDATE public.agent SET state = $2, revision = revision + 1, updated_at = moment.at, updated_by = $3
       FROM (SELECT now() AS at) AS moment WHERE name = $1`,
      [name, to, by.name],
    );
    await insertAudit(client, [entry]);
    if (ends !== undefined && id !== undefined)
      await this.endings.request(client, { id, scope: { kind: 'agent-id', name: id }, cause: ends, actor: by.actor });
    return findRecord(client, 'Agent', name);
  }
}
