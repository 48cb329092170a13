import { setTimeout as pause } from 'node:timers/promises';
import { escapeLiteral } from 'pg';
import { IN_THE_WAY } from '../failures.js';
import type { Session } from '../session.js';
import { PREPARED, type FoundRole, type PreparedTransaction } from './looks.js';
import { rollBackPrepared } from './prepared.js';
import { evictStatement, message, unlessState } from './statements.js';

/** How long a statement waits before the sessions that are in its way are ended. */
const PATIENCE_MS = 100;
const PAUSE_MS = 5;

/**
 * Does one statement on a role that agents are in the way of, by a change to their own role or a grant to this one that
 * they do not commit. Such sessions are ended in the same message, so that the statement is next in the queue; prepared
 * transactions, which have no session, are rolled back. Tried until it works; the caller's signal is the bound.
 */
export async function insist(
  session: Session,
  role: FoundRole,
  statement: string,
  serverVersion: number,
): Promise<void> {
  const evicting = message(PATIENCE_MS, [evictStatement(role), statement]);
  while (!(await unlessState(IN_THE_WAY, () => session.query(evicting)))) {
    for (const one of await preparedInTheWay(session, role)) await rollBackPrepared(session, one, serverVersion);
    await pause(PAUSE_MS);
  }
}

/**
 * Prepared transactions of leases that belong to the role or hold a reference to it. They have no process; their locks are
 * found by the lock on their own transaction, since `virtualtransaction` names it only after a restart of the server.
 */
async function preparedInTheWay(session: Session, role: FoundRole): Promise<readonly PreparedTransaction[]> {
  const { rows } = await session.query<PreparedTransaction & Record<string, unknown>>(
    `${PREPARED} AND database = current_database() AND (owner = ${escapeLiteral(role.name)} OR transaction::text IN (
       SELECT own.transactionid::text FROM pg_locks AS own JOIN pg_locks AS held USING (virtualtransaction)
        WHERE own.locktype = 'transactionid' AND own.pid IS NULL AND held.pid IS NULL
          AND held.classid = 'pg_authid'::regclass AND held.objid = ${escapeLiteral(role.oid)}::oid))`,
  );
  return rows;
}
