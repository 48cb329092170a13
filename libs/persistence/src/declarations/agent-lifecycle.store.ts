import type { AgentLifecycleStore, AgentMove, DeclaredRecord, LockedAgent } from '@mayfly/declarations';
import type { ClientBase, Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseProblem } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';
import type { PgClosingStore } from '../tasks/closing.store.js';
import { findRecord } from './declaration-rows.js';

/** The rows of agents on PostgreSQL. */
export class PgAgentLifecycleStore implements AgentLifecycleStore {
  constructor(
    private readonly pool: Pool,
    private readonly closing: Pick<PgClosingStore, 'endTasksOfAgent'>,
  ) {}

  /**
   * Waits for requests that are being granted, since they hold the agent's row. The leases of tasks that a move ends are
   * `revoking` when this resolves.
   */
  underLock<T>(name: string, work: (agent: LockedAgent) => Promise<T>): Promise<T> {
    return inTransaction(this.pool, async (client) => {
      const record = await findRecord(client, 'Agent', name, 'FOR UPDATE');
      return work({ record, move: (move) => this.move(client, name, record, move) });
    }).catch(databaseProblem);
  }

  private async move(
    client: ClientBase,
    name: string,
    record: DeclaredRecord | undefined,
    { to, by, entry, ends }: AgentMove,
  ): Promise<DeclaredRecord | undefined> {
    await client.query(
      `UPDATE public.agent SET state = $2, revision = revision + 1, updated_at = moment.at, updated_by = $3
       FROM (SELECT now() AS at) AS moment WHERE name = $1`,
      [name, to, by.name],
    );
    await insertAudit(client, [entry]);
    const id = record?.agent?.id;
    if (ends !== undefined && id !== undefined)
      await this.closing.endTasksOfAgent(client, id, { cause: ends, actor: by.actor });
    return findRecord(client, 'Agent', name);
  }
}
