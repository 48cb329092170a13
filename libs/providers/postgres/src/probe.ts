import type { ProbeCheck, ProbeReport } from '@mayfly/credentials';
import type { Clock } from '@mayfly/kernel';
import { capacityOf } from './connection-capacity.js';
import { SHARED_SESSIONS } from './failures.js';
import type { Pooling } from './pooling.js';
import { preparedTransactionsCheck } from './prepared-transactions.js';
import { holesOf } from './probe-holes.js';
import { snapshotCheck } from './probe-snapshots.js';
import { watchdogCheck } from './probe-watchdog.js';
import { wayCheck } from './probe-way.js';
import type { PostgresConfig } from './postgres.schemas.js';
import { factsOf, type ServerFacts } from './server-facts.js';
import type { Session } from './session.js';

const RIGHTS = `
  SELECT current_setting('server_version_num')::int >= 140000 AS "PostgreSQL 14 or newer",
         rolsuper OR rolcreaterole OR $1 AS "CREATEROLE",
         rolsuper OR pg_has_role(current_user, 'pg_signal_backend', 'USAGE') AS "pg_signal_backend",
         has_database_privilege(current_database(), 'CONNECT WITH GRANT OPTION') AS "CONNECT WITH GRANT OPTION"
    FROM pg_roles WHERE rolname = current_user`;

/** Needs PostgreSQL 16, which added the predefined role. The setting is 0 by default. */
const RESERVED = `
  SELECT rolsuper OR (current_setting('reserved_connections')::int > 0
           AND pg_has_role(session_user, 'pg_use_reserved_connections', 'USAGE')) AS granted
    FROM pg_roles WHERE rolname = session_user`;

const CLOCK = 'SELECT extract(epoch FROM clock_timestamp())::float AS seconds';

/** Input of a probe besides its session. */
export interface ProbeContext {
  readonly config: PostgresConfig;
  readonly clock?: Clock | undefined;
  /** Detects a pooler; `process` is the server process of the session that probes. */
  readonly pooling: (process: number) => Promise<Pooling>;
}

/**
 * Checks whether the session, which must have just logged in, could create and end lease roles, and what the database
 * allows every lease; changes nothing. Does not check rights on tables, because the needed ones depend on the scope.
 */
export async function probeTarget(session: Session, { config, clock, pooling }: ProbeContext): Promise<ProbeReport> {
  const facts = await factsOf(session);
  const checks = [
    { name: 'log in', outcome: 'ok' as const },
    ownSessions(await pooling(facts.process)),
    ...(await rightsOf(session, facts)),
    ...(facts.version >= 160_000 ? await checksFrom16(session, config, facts) : []),
    capacity(config, facts),
    preparedTransactionsCheck(config, facts),
    await watchdogCheck(session),
    ...(await holesOf(session)),
  ];
  return { checks, ...(clock === undefined ? {} : { clockOffsetSeconds: await clockOffset(session, clock) }) };
}

async function checksFrom16(
  session: Session,
  config: PostgresConfig,
  facts: ServerFacts,
): Promise<readonly ProbeCheck[]> {
  return [
    await reservedSlots(session),
    anyLogin(config, facts),
    await wayCheck(session, facts),
    await snapshotCheck(session, facts),
  ];
}

function ownSessions(pooling: Pooling): ProbeCheck {
  const name = 'sessions of its own';
  if (pooling === 'none') return { name, outcome: 'ok' };
  if (pooling === 'shared') return { name, outcome: 'missing', detail: SHARED_SESSIONS };
  const detail =
    'Mayfly connects through a pooler in session mode: revocations fail while the pooler has no free session; docs/connect-postgres.md lists how many they need';
  return { name, outcome: 'warning', detail };
}

/** Functions of the owner make CREATEROLE unnecessary. */
async function rightsOf(session: Session, { functions }: ServerFacts): Promise<readonly ProbeCheck[]> {
  const { rows } = await session.query<Record<string, boolean>>(RIGHTS, [functions]);
  return Object.entries(rows[0] ?? {}).map(([name, granted]) => check(name, granted, 'the SQL that grants it'));
}

async function reservedSlots(session: Session): Promise<ProbeCheck> {
  const { rows } = await session.query<{ granted: boolean }>(RESERVED);
  const name = 'connection slots reserved for revocation';
  return check(name, rows[0]?.granted === true, 'reserved_connections and pg_use_reserved_connections');
}

/**
 * Warns when leases depend on this login: only the maker of a role can change it (PostgreSQL 16 and newer), so that
 * another login could not end its leases.
 */
function anyLogin({ role }: PostgresConfig, facts: ServerFacts): ProbeCheck {
  const name = 'another login could end the leases';
  if (role === facts.role || facts.functions) return { name, outcome: 'ok' };
  const detail =
    'only this login can revoke its leases; set `role` so that several logins can (docs/connect-postgres.md)';
  return { name, outcome: 'warning', detail };
}

function capacity(config: PostgresConfig, facts: ServerFacts): ProbeCheck {
  const leases = Math.floor(capacityOf(config, facts) / config.maxConnections);
  const name = 'connections for leases';
  const detail = `room for ${String(leases)} leases of ${String(config.maxConnections)} connections at a time`;
  return { name, outcome: leases > 0 ? 'ok' : 'missing', detail };
}

function check(name: string, granted: boolean, what: string): ProbeCheck {
  return granted
    ? { name, outcome: 'ok' }
    : { name, outcome: 'missing', detail: `docs/connect-postgres.md has ${what}` };
}

/** Returns the server's clock minus ours, in seconds, compared at the midpoint of the round trip. */
async function clockOffset(session: Session, clock: Clock): Promise<number> {
  const before = clock.now().getTime();
  const { rows } = await session.query<{ seconds: number }>(CLOCK);
  const halfway = (before + clock.now().getTime()) / 2000;
  return Math.round(((rows[0]?.seconds ?? halfway) - halfway) * 1000) / 1000;
}
