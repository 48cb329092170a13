import type { UseOutcome } from '@mayfly/credentials';

/** A database user that a secrets engine made. Sessions are found by `oid` after the user was dropped. */
export interface DatabaseUser {
  readonly name: string;
  readonly oid?: string;
}

/**
 * Port to the database behind an engine, over the `postgres` connection that a scope names. `config` is that
 * connection's configuration, with its secrets resolved. Every method throws `Problem`, which names no secret.
 */
export interface SessionEnding {
  /** Returns the oid of a user, or undefined when no user has that name. */
  userOid(config: unknown, name: string, signal: AbortSignal): Promise<string | undefined>;
  /** Ends every session of this user, in every database of the server, until two checks in a row find none. */
  endSessions(config: unknown, user: DatabaseUser, signal: AbortSignal): Promise<void>;
  /** Logs in once as a user, at the address that agents use, and ends the session. Never throws. */
  logIn(
    config: unknown,
    login: { readonly username: string; readonly password: string },
    signal: AbortSignal,
  ): Promise<UseOutcome>;
  /** Returns the names of the users that may log in and whose names begin with `prefix`. */
  usersNamed(config: unknown, prefix: string, signal: AbortSignal): Promise<readonly string[]>;
}
