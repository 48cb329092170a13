import { setTimeout as pause } from 'node:timers/promises';
import { escapeLiteral, type QueryResult } from 'pg';
import type { UseOutcome } from '@mayfly/credentials';
import { problemFrom } from './failures.js';
import { type Login, tryLogin } from './lease-login.js';
import { PostgresConfigSchema } from './postgres.schemas.js';
import { Attendance } from './revoke/attendance.js';
import type { Watch } from './revoke/watch.js';

const LOOK_INTERVAL_MS = 5;
/** Revocation sessions stay open for this long after the last call, for users that still exist. */
const ATTEND_SECONDS = 3_600;

/**
 * Finds and ends sessions of users that another system creates and drops, at the database of a `postgres` connection.
 */
export class DatabaseSessions {
  private readonly attendance = new Attendance();

  /** Returns the oid of a role, or undefined when no role has that name. Throws `Problem`. */
  userOid(config: unknown, name: string, signal: AbortSignal): Promise<string | undefined> {
    return this.at(config, async (watch) => {
      const statement = `SELECT oid::text FROM pg_roles WHERE rolname = ${escapeLiteral(name)}`;
      const { rows } = await watch.run<{ oid: string }>(statement, signal);
      return rows[0]?.oid;
    });
  }

  /**
   * Ends every session of a user, in every database of the server, until two checks in a row find none: a login that
   * passed authentication before the user was dropped appears late. Finds a dropped user's sessions by the oid, which
   * they keep. Matches the oid only where the session's user has no name, so that a user with the same oid at another
   * server is left alone. The caller's signal bounds the wait. Throws `Problem`.
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

  /** Returns the roles that may log in and whose names begin with `prefix`. Throws `Problem`. */
  usersNamed(config: unknown, prefix: string, signal: AbortSignal): Promise<readonly string[]> {
    return this.at(config, async (watch) => {
      const statement = `SELECT rolname AS name FROM pg_roles
         WHERE starts_with(rolname, ${escapeLiteral(prefix)}) AND rolcanlogin ORDER BY 1`;
      const { rows } = await watch.run<{ name: string }>(statement, signal);
      return rows.map(({ name }) => name);
    });
  }

  /** Logs in once as a user, at the address that agents use. Never throws. */
  logIn(config: unknown, login: Login, signal: AbortSignal): Promise<UseOutcome> {
    return tryLogin(PostgresConfigSchema.parse(config), login, signal);
  }

  /** Closes all connections after their current work ends. */
  close(): Promise<void> {
    return this.attendance.close();
  }

  /**
   * Runs `work` in the watch session, which needs no new connection slot and no new lock table entry once it is open.
   */
  private async at<T>(config: unknown, work: (watch: Watch) => Promise<T>): Promise<T> {
    try {
      const attended = this.attendance.at(PostgresConfigSchema.parse(config));
      attended.attendFor(ATTEND_SECONDS);
      return await work(attended.watch);
    } catch (error) {
      throw problemFrom(error);
    }
  }
}
