import type { SessionEnding } from './session-ending.js';

/**
 * The prefix that Vault gives to the database users of our tokens: `v-` and eight characters of the token's display
 * name, which is `token-mayfly-` and the id of the lease.
 */
const USER_PREFIX = 'v-token-ma';

/** Returns the users of our tokens at a database that are not in `known`. Throws `Problem`. */
export async function unknownUsers(
  sessions: SessionEnding,
  config: unknown,
  known: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const users = await sessions.usersNamed(config, USER_PREFIX, signal);
  return users.filter((user) => !known.has(user));
}
