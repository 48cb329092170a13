import type { ClientBase, Pool } from 'pg';
import { databaseProblem } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';

/**
 * Runs `work` in one transaction, under a lock that serializes all changes of declared state over all replicas. What
 * `work` reads cannot change before it writes. Throws `unavailable` when the database does not answer.
 */
export function underDeclarationLock<T>(pool: Pool, work: (client: ClientBase) => Promise<T>): Promise<T> {
  return inTransaction(pool, async (client) => {
    await client.query(`SELECT pg_advisory_xact_lock(hashtext('mayfly declared state'))`);
    return work(client);
  }).catch(databaseProblem);
}
