import { LEASE_ROLES, PREPARED, SESSIONS } from './looks.js';

/**
 * The sessions of Mayfly's login that have waited for 20 ms, and all sessions that block them. The queue can include a
 * session that belongs to no lease; Mayfly does not end it. The query reads `pg_locks`, because `pg_stat_activity`
 * shows one role only the names of other roles' sessions.
 */
const QUEUE = `
  WITH RECURSIVE queue (pid) AS (
    SELECT pid FROM pg_locks JOIN ${SESSIONS} USING (pid)
     WHERE usename = session_user AND NOT granted AND waitstart < clock_timestamp() - interval '20 ms'
    UNION SELECT ahead.pid FROM queue, unnest(pg_blocking_pids(queue.pid)) AS ahead (pid) WHERE ahead.pid > 0)`;

/** Ends the sessions of leases that block a statement of Mayfly. */
export const END_THOSE_AHEAD = `${QUEUE}
  SELECT pg_terminate_backend(pid) FROM ${SESSIONS} WHERE pid IN (SELECT pid FROM queue) AND usename ~ ${LEASE_ROLES}`;

/**
 * The prepared transactions of leases that block a statement of Mayfly. They have no process. The query finds their
 * locks by the lock on their own transaction id, because `virtualtransaction` names it only after a restart of the
 * server.
 */
export const PREPARED_AHEAD = `${QUEUE}
  ${PREPARED.trim()} AND transaction::text IN (
    SELECT own.transactionid::text
      FROM pg_locks AS wanted JOIN pg_locks AS held
           ON (wanted.locktype, wanted.database, wanted.relation, wanted.transactionid, wanted.classid, wanted.objid)
              IS NOT DISTINCT FROM (held.locktype, held.database, held.relation, held.transactionid, held.classid, held.objid)
      JOIN pg_locks AS own ON own.virtualtransaction = held.virtualtransaction
     WHERE wanted.pid IN (SELECT pid FROM queue) AND NOT wanted.granted AND held.pid IS NULL AND own.pid IS NULL
       AND own.locktype = 'transactionid')`;

/**
 * Ends the sessions of leases that hold or want a blocking lock on a system relation (oid below 16384). No lease needs
 * such a lock, but PostgreSQL lets everybody queue for it: CREATE RULE and CREATE TRIGGER ask for the lock before they
 * check the right, and everything later, logins too, waits behind them.
 */
export const END_CATALOG_LOCKERS = `
  SELECT pg_terminate_backend(pid) FROM ${SESSIONS}
   WHERE usename ~ ${LEASE_ROLES} AND pid IN (
     SELECT pid FROM pg_locks WHERE relation < 16384
        AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))`;
