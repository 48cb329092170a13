import type { SessionEnding } from './session-ending.js';

/**
 * How Vault begins the names of database users that it makes for tokens of ours: `v-`, and eight characters of the token's
 * display name, which it calls `token-mayfly`.
 */
const USER_PREFIX = 'v-token-ma';

/** The users with such names at a database that are not among `known`. Throws `Problem`. */
export async function unknownUsers(
  sessions: SessionEnding,
  config: unknown,
  known: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const users = await sessions.usersNamed(config, USER_PREFIX, signal);
  return users.filter((user) => !known.has(user));
}
