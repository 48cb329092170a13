import { setTimeout as pause } from 'node:timers/promises';
import type { PostgresHandle } from '@mayfly/provider-postgres';
import type { HostileLease, Misdeed } from '@mayfly/testing';
import type { Client } from 'pg';
import { secretText } from './crm-database.js';
import { openSession } from './sql.js';

type Lease = HostileLease<PostgresHandle>;

const urlOf = ({ secret }: Lease): string => secretText(secret, 'url');

/** Runs statements in a session of the lease that stays open until the end of the case. */
function keepOpen(...statements: readonly string[]): Misdeed<PostgresHandle>['commit'] {
  return async (culprit) => {
    const { client } = await openSession(urlOf(culprit));
    for (const statement of statements) await client.query(statement);
    return () => client.end().catch(() => undefined);
  };
}

/** Does it again and again over several sessions, as fast as the server lets it. */
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

/** Takes locks until the server has no entry left, and keeps them. */
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

/** What an agent can do to a server that is set up as the documentation says, with the limits of the specs. */
export const POSTGRES_MISDEEDS: readonly Misdeed<PostgresHandle>[] = [
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
  { name: 'logs in again whenever its session is ended', commit: keepDoing(8, () => Promise.resolve()) },
  { name: 'opens every connection that it may', commit: keepAll(20) },
];

function keepAll(connections: number): Misdeed<PostgresHandle>['commit'] {
  return async (culprit) => {
    const sessions = await Promise.allSettled(Array.from({ length: connections }, () => openSession(urlOf(culprit))));
    return async () => {
      for (const session of sessions)
        if (session.status === 'fulfilled') await session.value.client.end().catch(() => undefined);
    };
  };
}
