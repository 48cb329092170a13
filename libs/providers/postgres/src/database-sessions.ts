import { setTimeout as pause } from 'node:timers/promises';
import { escapeLiteral, type QueryResult } from 'pg';
import { problemOf } from './failures.js';
import { PostgresConfigSchema } from './postgres.schemas.js';
import { Attendance } from './revoke/attendance.js';
import type { Watch } from './revoke/watch.js';

const LOOK_INTERVAL_MS = 5;
/** How long the sessions for revocation stay open after the last call, for the users that are still there. */
const ATTEND_SECONDS = 3_600;

/** The sessions of users that somebody else makes and drops, at a database that a `postgres` connection leads to. */
export class DatabaseSessions {
  private readonly attendance = new Attendance();

  /** The oid of a role, or undefined when there is none of that name. Throws `Problem`. */
  userOid(config: unknown, name: string, signal: AbortSignal): Promise<string | undefined> {
    return this.at(config, async (watch) => {
      const statement = `SELECT oid::text FROM pg_roles WHERE rolname = ${escapeLiteral(name)}`;
      const { rows } = await watch.run<{ oid: string }>(statement, signal);
      return rows[0]?.oid;
    });
  }

  /**
   * Ends every session of a user, in every database of the server, until two looks in a row find none: a login that was
   * past its check when the user was dropped shows up late. A dropped user's sessions are found by the oid, which they
   * keep; the name keeps a user apart that has the same oid at another server. The caller's signal is the bound. Throws `Problem`.
   */
  endSessions(config: unknown, user: { name: string; oid?: string }, signal: AbortSignal): Promise<void> {
    const isUser = `usename = ${escapeLiteral(user.name)}`;
    const wasUser = user.oid === undefined ? '' : ` OR usesysid = ${escapeLiteral(user.oid)}::oid AND usename IS NULL`;
    const end = `SELECT pg_stat_clear_snapshot();
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${isUser}${wasUser}`;
    return this.at(config, async (watch) => {
      let emptyLooks = 0;
      while (emptyLooks < 2) {
        signal.throwIfAborted();
        const { rowCount }: QueryResult = await watch.run(end, signal);
        emptyLooks = rowCount === 0 ? emptyLooks + 1 : 0;
        if (emptyLooks < 2) await pause(LOOK_INTERVAL_MS);
      }
    });
  }

  /** The roles that may log in and whose names begin with `prefix`. Throws `Problem`. */
  usersNamed(config: unknown, prefix: string, signal: AbortSignal): Promise<readonly string[]> {
    return this.at(config, async (watch) => {
      const statement = `SELECT rolname AS name FROM pg_roles
         WHERE starts_with(rolname, ${escapeLiteral(prefix)}) AND rolcanlogin ORDER BY 1`;
      const { rows } = await watch.run<{ name: string }>(statement, signal);
      return rows.map(({ name }) => name);
    });
  }

  /** Closes all connections, once what they are doing is done. */
  close(): Promise<void> {
    return this.attendance.close();
  }

  /** Works in a session that needs no connection slot and no entry in the lock table when it is used. */
  private async at<T>(config: unknown, work: (watch: Watch) => Promise<T>): Promise<T> {
    try {
      const attended = this.attendance.at(PostgresConfigSchema.parse(config));
      attended.attendFor(ATTEND_SECONDS);
      return await work(attended.watch);
    } catch (error) {
      throw problemOf(error);
    }
  }
}
