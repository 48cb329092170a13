/** A user of a database that a secrets engine made. `oid` is what sessions are found by once the user has been dropped. */
export interface DatabaseUser {
  readonly name: string;
  readonly oid?: string;
}

/**
 * What Mayfly can do at the database behind an engine, by the `postgres` connection that a scope names; the room of that
 * provider has it. `config` is the connection's, its secrets resolved. All of it throws `Problem`, which names no secret.
 */
export interface SessionEnding {
  /** The oid of a user, or undefined when there is none of that name. */
  userOid(config: unknown, name: string, signal: AbortSignal): Promise<string | undefined>;
  /** Ends every session of this user, in every database of the server, until two looks in a row find none. */
  endSessions(config: unknown, user: DatabaseUser, signal: AbortSignal): Promise<void>;
  /** The names of the users that may log in and whose name begins with `prefix`. */
  usersNamed(config: unknown, prefix: string, signal: AbortSignal): Promise<readonly string[]>;
}
