import type { AuditEntry } from '@mayfly/audit';
import type { ConnectionLifecycleStore, ConnectionMove, DeclaredRecord, LockedConnection } from '@mayfly/declarations';
import type { ClientBase, Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseProblem } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';
import { hintChange } from './change-hint.js';
import { findRecord } from './declaration-rows.js';

/** The rows of connections on PostgreSQL. */
export class PgConnectionLifecycleStore implements ConnectionLifecycleStore {
  constructor(private readonly pool: Pool) {}

  /** Waits for requests that are being granted, since they hold the row. */
  async underLock<T>(name: string, work: (connection: LockedConnection) => Promise<T>): Promise<T> {
    const done = await inTransaction(this.pool, async (client) => {
      const record = await findRecord(client, 'Connection', name, 'FOR UPDATE');
      return work({ record, move: (move) => moveConnection(client, name, move) });
    }).catch(databaseProblem);
    hintChange(this.pool);
    return done;
  }

  async record(entries: readonly AuditEntry[]): Promise<void> {
    await inTransaction(this.pool, (client) => insertAudit(client, entries)).catch(databaseProblem);
  }
}

async function moveConnection(
  client: ClientBase,
  name: string,
  { to, by, entry }: ConnectionMove,
): Promise<DeclaredRecord | undefined> {
  await client.query(
    `UPDATE public.connection SET state = $2, revision = revision + 1, updated_at = moment.at, updated_by = $3
     FROM (SELECT now() AS at) AS moment WHERE name = $1`,
    [name, to, by.name],
  );
  await insertAudit(client, [entry]);
  return findRecord(client, 'Connection', name);
}
