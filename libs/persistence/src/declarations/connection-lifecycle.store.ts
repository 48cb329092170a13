import { auditEntry, type AuditEntryType, type EntryFacts } from '@mayfly/audit';
import type { Clock } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseProblem } from '../database/database-problem.js';
import { type DeclaredRecord, existing, findRecord } from './declaration-rows.js';
import type { Declarer } from './declaration-writes.js';
import { inTransaction } from '../database/transaction.js';

export type ConnectionState = 'enabled' | 'disabled';

const ENTRIES: Readonly<Record<ConnectionState, AuditEntryType>> = {
  enabled: 'connection.enabled',
  disabled: 'connection.disabled',
};

/** Disables and enables connections. Does not touch their declarations or their leases. */
export class ConnectionLifecycleStore {
  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
  ) {}

  /**
   * Sets the state of a connection; does nothing when the state is already set. Waits for requests that are being
   * granted, since they hold the row: once this resolves with `disabled`, the connection grants no more tasks. Throws
   * `not_found`.
   */
  move(name: string, to: ConnectionState, by: Declarer): Promise<DeclaredRecord> {
    return inTransaction(this.pool, async (client) => {
      const record = existing(await findRecord(client, 'Connection', name, 'FOR UPDATE'), 'Connection', name);
      if (record.connection?.state === to) return record;
      await client.query(
        `UPDATE public.connection SET state = $2, revision = revision + 1, updated_at = now(), updated_by = $3 WHERE name = $1`,
        [name, to, by.name],
      );
      await this.note(client, ENTRIES[to], by, { name });
      return existing(await findRecord(client, 'Connection', name), 'Connection', name);
    }).catch(databaseProblem);
  }

  /** Audits a test of a connection and its result. */
  async tested(name: string, by: Declarer, facts: Omit<EntryFacts<'connection.tested'>, 'name'>): Promise<void> {
    await inTransaction(this.pool, (client) => this.note(client, 'connection.tested', by, { name, ...facts })).catch(
      databaseProblem,
    );
  }

  private note<Type extends AuditEntryType>(client: ClientBase, type: Type, by: Declarer, facts: EntryFacts<Type>) {
    return insertAudit(client, [auditEntry(type, this.clock.now(), by.actor, {}, facts)]);
  }
}
