import type { ProbeCheck } from '@mayfly/credentials';
import type { Session } from './session.js';

const NAME = 'sessions end without Mayfly';

/** A watchdog that a job of pg_cron runs each minute is still running. Its heartbeat is written every five seconds. */
const LATEST_SECONDS = 90;

/**
 * Finds the heartbeat of docs/postgres-watchdog.sql. It must be a plain table of built-in types: reading it then runs no
 * code of its owner with Mayfly's rights.
 */
const READABLE = `
  SELECT EXISTS (
    SELECT FROM pg_class AS heartbeat JOIN pg_namespace AS space ON space.oid = relnamespace
     WHERE nspname = 'mayfly_watchdog' AND relname = 'heartbeat' AND relkind = 'r' AND NOT relhasrules AND NOT relrowsecurity
       AND has_schema_privilege(space.oid, 'USAGE') AND has_table_privilege(heartbeat.oid, 'SELECT')
       AND 2 = (SELECT count(*) FROM pg_attribute WHERE attrelid = heartbeat.oid AND attnum > 0
                   AND (attname, atttypid) IN (('ran_at', 'timestamptz'::regtype), ('ended', 'bigint'::regtype)))) AS readable`;

const HEARTBEAT = `
  SELECT extract(epoch FROM clock_timestamp() - nullif(ran_at, '-infinity'))::float AS seconds, ended::float AS ended
    FROM mayfly_watchdog.heartbeat`;

/** Says whether the watchdog of the target's owner runs, and what stays open without it. Reads at most one row. */
export async function watchdogCheck(session: Session): Promise<ProbeCheck> {
  const [found] = (await session.query<{ readable: boolean }>(READABLE)).rows;
  if (found?.readable !== true) return warning('the server has no watchdog');
  const [heartbeat] = (await session.query<{ seconds: number | null; ended: number }>(HEARTBEAT)).rows;
  const seconds = heartbeat?.seconds ?? undefined;
  if (seconds === undefined) return warning('the watchdog of the server never ran');
  if (seconds > LATEST_SECONDS)
    return warning(`the watchdog of the server ran last ${String(Math.round(seconds))} s ago`);
  const ended = `it has ended ${String(heartbeat?.ended ?? 0)} sessions`;
  return { name: NAME, outcome: 'ok', detail: `the watchdog ran ${String(Math.round(seconds))} s ago; ${ended}` };
}

function warning(fact: string): ProbeCheck {
  const detail = `${fact}: while no Mayfly runs, an open session continues after its deadline; docs/connect-postgres.md has the watchdog that ends it`;
  return { name: NAME, outcome: 'warning', detail };
}
