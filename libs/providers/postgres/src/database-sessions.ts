import { setTimeout as pause } from 'node:timers/promises';
import { problemOf } from './failures.js';
import { PostgresConfigSchema } from './postgres.schemas.js';
import { Targets, type Session } from './target.js';

const LOOK_INTERVAL_MS = 5;

/** The sessions of users that somebody else makes and drops, at a database that a `postgres` connection leads to. */
export class DatabaseSessions {
  private readonly targets = new Targets(4);

  /** The oid of a role, or undefined when there is none of that name. Throws `Problem`. */
  userOid(config: unknown, name: string, signal: AbortSignal): Promise<string | undefined> {
    return this.at(config, signal, async (session) => {
      const { rows } = await session.query<{ oid: string }>('SELECT oid::text FROM pg_roles WHERE rolname = $1', [
        name,
      ]);
      return rows[0]?.oid;
    });
  }

  /**
   * Ends every session of a user, in every database of the server, until two looks in a row find none: a login that was
   * past its check when the user was dropped shows up late. A dropped user's sessions are found by the oid, which they
   * keep; the name keeps a user apart that has the same oid at another server. The caller's signal is the bound. Throws `Problem`.
   */
  endSessions(config: unknown, user: { name: string; oid?: string }, signal: AbortSignal): Promise<void> {
    return this.at(config, signal, async (session) => {
      let emptyLooks = 0;
      while (emptyLooks < 2) {
        const { rowCount } = await session.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE usename = $1 OR usesysid = $2::oid AND usename IS NULL`,
          [user.name, user.oid ?? null],
        );
        emptyLooks = rowCount === 0 ? emptyLooks + 1 : 0;
        if (emptyLooks < 2) await pause(LOOK_INTERVAL_MS);
      }
    });
  }

  /** The roles that may log in and whose names begin with `prefix`. Throws `Problem`. */
  usersNamed(config: unknown, prefix: string, signal: AbortSignal): Promise<readonly string[]> {
    return this.at(config, signal, async (session) => {
      const statement =
        'SELECT rolname AS name FROM pg_roles WHERE starts_with(rolname, $1) AND rolcanlogin ORDER BY 1';
      const { rows } = await session.query<{ name: string }>(statement, [prefix]);
      return rows.map(({ name }) => name);
    });
  }

  /** Closes all connections, once what they are doing is done. */
  close(): Promise<void> {
    return this.targets.close();
  }

  private async at<T>(config: unknown, signal: AbortSignal, work: (session: Session) => Promise<T>): Promise<T> {
    try {
      return await this.targets.at(PostgresConfigSchema.parse(config)).use(signal, work);
    } catch (error) {
      throw problemOf(error);
    }
  }
}
