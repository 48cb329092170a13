import { setTimeout as pause } from 'node:timers/promises';
import type { PostgresHandle } from '@mayfly/provider-postgres';
import type { HostileLease, Misdeed } from '@mayfly/testing';
import type { Client } from 'pg';
import { secretText } from './crm-database.js';
import { openSession } from './sql.js';

type Lease = HostileLease<PostgresHandle>;

const urlOf = ({ secret }: Lease): string => secretText(secret, 'url');

/** Runs statements in a session of the lease that stays open until the case ends. */
function keepOpen(...statements: readonly string[]): Misdeed<PostgresHandle>['commit'] {
  return async (culprit) => {
    const { client } = await openSession(urlOf(culprit));
    for (const statement of statements) await client.query(statement);
    return () => client.end().catch(() => undefined);
  };
}

/** Repeats an action in several sessions, as fast as the server permits. */
function keepDoing(sessions: number, once: (client: Client) => Promise<unknown>): Misdeed<PostgresHandle>['commit'] {
  return async (culprit) => {
    let stopped = false;
    let done = 0;
    const loop = async (): Promise<void> => {
      while (!stopped) {
        await openSession(urlOf(culprit))
          .then(async ({ client, ended }) => {
            await once(client);
            done += 1;
            await ended;
          })
          .catch(() => undefined);
        await pause(1);
      }
    };
    const loops = Array.from({ length: sessions }, loop);
    while (done < 1) await pause(1);
    return async () => {
      stopped = true;
      await Promise.all(loops);
    };
  };
}

/** Takes and keeps locks until the server's lock table is full. */
export async function fillLockTable(client: Client): Promise<void> {
  await client.query('BEGIN');
  for (let size = 1024, next = 0; size >= 1;) {
    await client.query('SAVEPOINT more');
    try {
      await client.query(`SELECT count(pg_advisory_xact_lock(key)) FROM generate_series($1::int, $2::int) AS key`, [
        next,
        next + size - 1,
      ]);
      next += size;
      await client.query('RELEASE more');
    } catch (error) {
      if ((error as { code?: string }).code !== '53200') throw error;
      await client.query('ROLLBACK TO more');
      size = Math.floor(size / 2);
    }
  }
}

const NESTED = 100;

/** Another database of the server; PUBLIC may connect to it. */
export const OPEN_DATABASE = 'another';

/** Nests subtransactions, each with a write that takes a lock entry. Returns false when the lock table is full. */
async function couldNest(client: Client): Promise<boolean> {
  try {
    await client.query('SAVEPOINT deeper; SELECT lo_create(0);'.repeat(NESTED));
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== '53200') throw error;
    return false;
  }
}

/** The system relations that PUBLIC may lock: it has more than SELECT on them, which LOCK TABLE requires. */
const LOCKABLE = `
  SELECT oid::regclass::text AS name FROM pg_catalog.pg_class
   WHERE oid < 16384 AND relkind IN ('r', 'v') AND pg_catalog.has_table_privilege(oid, 'UPDATE, DELETE, TRUNCATE')`;

/** One session holds a lock, and another waits for a lock that it may never get. */
function queueBehind(held: string, wanted: string): Misdeed<PostgresHandle>['commit'] {
  return async (culprit, victim) => {
    const stop = await keepOpen(held)(culprit, victim);
    const { client } = await openSession(urlOf(culprit));
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    client.query(wanted).catch(() => undefined);
    const watcher = (await openSession(urlOf(victim))).client;
    const waits = `SELECT FROM pg_locks WHERE pid = ${String(rows[0]?.pid)} AND NOT granted`;
    for (let looks = 0; looks < 200 && (await watcher.query(waits)).rowCount === 0; looks++) await pause(5);
    return async () => {
      await Promise.all([stop(), client.end().catch(() => undefined), watcher.end().catch(() => undefined)]);
    };
  };
}

/** The misdeed, which is over early when Mayfly's watch ends a session of the agent before it has done everything. */
function endedEarly({ name, commit }: Misdeed<PostgresHandle>): Misdeed<PostgresHandle> {
  return {
    name,
    commit: (culprit, victim) =>
      commit(culprit, victim).catch((error: unknown) => {
        const { code, message } = error as Error & { readonly code?: string };
        if (code !== '57P01' && !/^Connection terminated|^Client .* not queryable$/.test(message)) throw error;
        return () => Promise.resolve();
      }),
  };
}

const MISDEEDS: readonly Misdeed<PostgresHandle>[] = [
  {
    name: 'fills the lock table of the server and keeps it full',
    commit: async (culprit) => {
      const { client } = await openSession(urlOf(culprit));
      await fillLockTable(client);
      return () => client.end().catch(() => undefined);
    },
  },
  { name: 'fills the lock table again whenever its session is ended', commit: keepDoing(4, fillLockTable) },
  {
    name: 'changes its own password and does not commit',
    commit: async (culprit) => keepOpen(`BEGIN; ALTER ROLE ${culprit.handle.role} PASSWORD 'x'`)(culprit, culprit),
  },
  {
    name: 'prepares a transaction that changes its own role',
    commit: async (culprit) =>
      keepOpen(`BEGIN; ALTER ROLE ${culprit.handle.role} PASSWORD 'x'; PREPARE TRANSACTION '${culprit.handle.role}'`)(
        culprit,
        culprit,
      ),
  },
  {
    name: 'prepares a transaction that grants something to the role of another lease',
    commit: async (culprit, victim) =>
      keepOpen(
        `BEGIN; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${victim.handle.role}; PREPARE TRANSACTION '${culprit.handle.role}'`,
      )(culprit, victim),
  },
  {
    name: 'grants what it will make to the scope role and to the role of another lease',
    commit: async (culprit, victim) =>
      keepOpen(`ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${victim.handle.role}, ${culprit.handle.scopeRole}`)(
        culprit,
        victim,
      ),
  },
  {
    name: 'grants something to the role of another lease and does not commit',
    commit: async (culprit, victim) =>
      keepOpen(`BEGIN; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${victim.handle.role}`)(culprit, victim),
  },
  {
    name: 'makes more large objects than one transaction can remove, and grants one to the role of another lease',
    commit: async (culprit, victim) => {
      const { client } = await openSession(urlOf(culprit));
      for (let made = 0; made < 3_000; made += 500) {
        await client.query('SELECT lo_create(0) FROM generate_series(1, 500)');
      }
      await client.query(
        `DO $$ DECLARE one oid; BEGIN
           FOR one IN SELECT oid FROM pg_largeobject_metadata WHERE lomowner = current_user::regrole LIMIT 100 LOOP
             EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO ${victim.handle.role}, ${culprit.handle.scopeRole}', one);
           END LOOP; END $$`,
      );
      return () => client.end().catch(() => undefined);
    },
  },
  {
    name: 'fills the lock table of the server by subtransactions, without an advisory lock',
    commit: async (culprit) => {
      const { client } = await openSession(urlOf(culprit));
      await client.query('BEGIN');
      for (let made = 0; (await couldNest(client)) && made < 10_000; made += NESTED);
      return () => client.end().catch(() => undefined);
    },
  },
  {
    name: 'locks every relation of the catalogs that the server lets it lock',
    commit: async (culprit) => {
      const { client } = await openSession(urlOf(culprit));
      const lockable = await client.query<{ name: string }>(LOCKABLE);
      await client.query('BEGIN');
      for (const { name } of lockable.rows) await client.query(`LOCK TABLE ${name} IN ACCESS EXCLUSIVE MODE`);
      return () => client.end().catch(() => undefined);
    },
  },
  {
    name: 'queues for the whole catalog of roles, which every login reads, behind a transaction of its own',
    commit: queueBehind(
      'BEGIN; SELECT count(*) FROM pg_catalog.pg_roles',
      'CREATE RULE mine AS ON INSERT TO pg_catalog.pg_authid DO NOTHING',
    ),
  },
  {
    name: 'queues for the catalog of roles against all that changes it, behind a change of its own role',
    commit: async (culprit, victim) =>
      queueBehind(
        `BEGIN; ALTER ROLE ${culprit.handle.role} PASSWORD 'x'`,
        `CREATE TRIGGER mine BEFORE INSERT ON pg_catalog.pg_authid
           EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()`,
      )(culprit, victim),
  },
  {
    name: 'prepares, as the scope role where it may, a transaction that changes its own role',
    commit: async (culprit, victim) => {
      const { handle } = culprit;
      const prepare = (as: string): string =>
        `BEGIN; ALTER ROLE ${handle.role} PASSWORD 'x'; ${as} PREPARE TRANSACTION 'as the scope role'`;
      try {
        return await keepOpen(prepare(`SET LOCAL ROLE ${handle.scopeRole};`))(culprit, victim);
      } catch {
        return keepOpen(prepare(''))(culprit, victim);
      }
    },
  },
  {
    name: 'granted something to the role of another lease and holds a change of that entry',
    commit: async (culprit, victim) =>
      keepOpen(
        `ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${victim.handle.role}`,
        `BEGIN; ALTER DEFAULT PRIVILEGES GRANT INSERT ON TABLES TO ${culprit.handle.role}`,
      )(culprit, victim),
  },
  {
    name: 'prepares a transaction on the role of another lease, and one on its own, in another database',
    commit: async (culprit, victim) => {
      const url = new URL(urlOf(culprit));
      url.pathname = `/${OPEN_DATABASE}`;
      const { client } = await openSession(url.href);
      const grant = (role: string): string =>
        `BEGIN; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${role}; PREPARE TRANSACTION '${role}'`;
      await client.query(grant(victim.handle.role));
      await client.query(`BEGIN; ALTER ROLE ${culprit.handle.role} PASSWORD 'x'; PREPARE TRANSACTION 'own'`);
      return () => client.end().catch(() => undefined);
    },
  },
  { name: 'logs in again whenever its session is ended', commit: keepDoing(8, () => Promise.resolve()) },
  { name: 'opens every connection that it may', commit: keepAll(20) },
];

/** Actions of an agent against a server that is set up as documented, with the limits of the specs. */
export const POSTGRES_MISDEEDS = MISDEEDS.map(endedEarly);

function keepAll(connections: number): Misdeed<PostgresHandle>['commit'] {
  return async (culprit) => {
    const sessions = await Promise.allSettled(Array.from({ length: connections }, () => openSession(urlOf(culprit))));
    return async () => {
      for (const session of sessions)
        if (session.status === 'fulfilled') await session.value.client.end().catch(() => undefined);
    };
  };
}
