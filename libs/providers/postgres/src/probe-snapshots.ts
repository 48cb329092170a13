import type { ProbeCheck } from '@mayfly/credentials';
import type { ServerFacts } from './server-facts.js';
import type { Session } from './session.js';

/**
 * A snapshot that is older than this slows mints and ends down: they read the dead rows of all roles that were dropped
 * since. A mint and end use two transactions.
 */
const OLD = { seconds: 600, transactions: 10_000 };
const MAX_NAMED = 3;
/** Maximum number of characters shown of the name of a prepared transaction, which an agent chose. */
const SHOWN_CHARACTERS = 64;

/** A session, replication slot or prepared transaction that keeps dead rows of the shared catalogs. */
interface Holder {
  readonly what: string;
  readonly who: string;
  readonly place: string | null;
  readonly transactions: number;
  readonly seconds: number | null;
}

/** Every database counts, because the catalogs of roles belong to all. Shows no session of others without the right. */
const HOLDERS = `
  SELECT 'session' AS what, pid::text AS who, datname::text AS place,
         greatest(age(backend_xmin), age(backend_xid)) AS transactions,
         extract(epoch FROM clock_timestamp() - xact_start)::int AS seconds
    FROM pg_stat_activity WHERE coalesce(backend_xmin, backend_xid) IS NOT NULL AND pid <> pg_backend_pid()
  UNION ALL
  SELECT 'replication slot', slot_name::text, database::text, greatest(age(catalog_xmin), age(xmin)), NULL
    FROM pg_replication_slots WHERE coalesce(catalog_xmin, xmin) IS NOT NULL
  UNION ALL
  SELECT 'prepared transaction', gid, database::text, age(transaction), extract(epoch FROM clock_timestamp() - prepared)::int
    FROM pg_prepared_xacts`;

const MAY_SEE = `SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS "maySee"`;

const DEAD = `
  SELECT coalesce(sum(pg_stat_get_dead_tuples(oid)), 0)::int AS dead
    FROM pg_class WHERE oid IN ('pg_authid'::regclass, 'pg_auth_members'::regclass)`;

const NAME = 'no old snapshot at the server';

/**
 * Says who holds back the removal of dead rows from the catalogs of roles, or how many there are if it may not see who.
 */
export async function snapshotCheck(session: Session, { functions, isSuperuser }: ServerFacts): Promise<ProbeCheck> {
  const from = functions ? 'SELECT * FROM mayfly.snapshots()' : HOLDERS;
  const statement = `SELECT * FROM (${from}) AS holder ORDER BY transactions DESC`;
  const { rows } = await session.query<Holder & Record<string, unknown>>(statement);
  const old = rows.filter(
    ({ seconds, transactions }) => transactions >= OLD.transactions || (seconds ?? 0) >= OLD.seconds,
  );
  if (old.length > 0) {
    const named = old.slice(0, MAX_NAMED).map(wordsFor).join(', ');
    const more = old.length > MAX_NAMED ? ` and ${String(old.length - MAX_NAMED)} more` : '';
    const detail = `${named}${more} holds a snapshot: mints and ends read the rows of all roles dropped since; end it`;
    return { name: NAME, outcome: 'warning', detail };
  }
  if (functions || isSuperuser || (await maySeeSessions(session))) return { name: NAME, outcome: 'ok' };
  const dead = Number((await session.query<{ dead: number }>(DEAD)).rows[0]?.dead);
  if (dead < OLD.transactions) return { name: NAME, outcome: 'ok' };
  const detail = `the catalogs of roles have ${String(dead)} dead rows, so a session may hold an old snapshot; grant pg_read_all_stats to the role of the connection to see which`;
  return { name: NAME, outcome: 'warning', detail };
}

async function maySeeSessions(session: Session): Promise<boolean> {
  return (await session.query<{ maySee: boolean }>(MAY_SEE)).rows[0]?.maySee === true;
}

function wordsFor({ what, who, place, transactions, seconds }: Holder): string {
  const name = who.replace(/[^\w.:-]/g, '?').slice(0, SHOWN_CHARACTERS);
  const where = place === null ? '' : ` in database \`${place}\``;
  const since = seconds === null ? '' : `, ${String(Math.round(seconds / 60))} min`;
  return `${what} \`${name}\`${where} (${String(transactions)} transactions${since})`;
}
