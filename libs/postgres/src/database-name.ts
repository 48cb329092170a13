import { Problem } from '@mayfly/kernel';

/**
 * Returns the database in a URL; undefined when it has none. Decodes every percent escape in the name (RFC 3986 §2.1),
 * also of `/`, `:`, `?` and `#`, as libpq does; node-postgres would leave these escaped. Throws Problem
 * `invalid_declaration`, without the URL, when an escape does not decode to text.
 */
export function databaseIn(url: string): string | undefined {
  const name = /^[a-z]+:\/\/[^/?#]*\/([^?#]*)/.exec(url)?.[1] ?? '';
  try {
    return name === '' ? undefined : decodeURIComponent(name);
  } catch {
    throw new Problem(
      'invalid_declaration',
      'the URL of PostgreSQL has a `%` without two hexadecimal digits in the name of its database; write %25 for the character itself',
    );
  }
}
