import { LEASE_ROLES, PREPARED } from './looks.js';

/**
 * Sessions of Mayfly's login that have waited for a moment, and all that they wait behind. The queue can lead over a session
 * that is no lease's, which is left alone. `pg_stat_activity` shows one role nothing of another's but its name, so `pg_locks` is asked.
 */
const QUEUE = `
  WITH RECURSIVE queue (pid) AS (
    SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE usename = session_user AND NOT granted AND waitstart < clock_timestamp() - interval '20 ms'
    UNION SELECT ahead.pid FROM queue, unnest(pg_blocking_pids(queue.pid)) AS ahead (pid) WHERE ahead.pid > 0)`;

/** Ends the sessions of leases that a statement of Mayfly's waits behind. */
export const END_THOSE_AHEAD = `${QUEUE}
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid IN (SELECT pid FROM queue) AND usename ~ ${LEASE_ROLES}`;

/**
 * Prepared transactions of leases that a statement of Mayfly's waits behind. They have no process; their locks are found by
 * the lock on their own transaction, since `virtualtransaction` names it only after a restart of the server.
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
 * Ends the sessions of leases that hold or want a relation of the server's own in a mode that keeps others from it. No lease
 * needs one, and PostgreSQL lets everybody queue for it: CREATE RULE and CREATE TRIGGER ask for the lock before the right,
 * and everything that comes later, logins too, waits behind them. 16384 is the first oid that is not the server's own.
 */
export const END_CATALOG_LOCKERS = `
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity
   WHERE usename ~ ${LEASE_ROLES} AND pid IN (
     SELECT pid FROM pg_locks WHERE relation < 16384
        AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))`;
