import { Problem } from '@mayfly/kernel';

/**
 * The database that a URL names; undefined where it names none. Every character of the name may be escaped (RFC 3986 §2.1),
 * `/`, `:`, `?` and `#` too, as libpq reads it; node-postgres would leave these escaped. Throws Problem
 * `invalid_declaration`, without the URL, when an escape stands for no text.
 */
export function databaseIn(url: string): string | undefined {
  const name = /^[a-z]+:\/\/[^/?#]*\/([^?#]*)/.exec(url)?.[1] ?? '';
  try {
    return name === '' ? undefined : decodeURIComponent(name);
  } catch {
    throw new Problem(
      'invalid_declaration',
      'the URL of the PostgreSQL has a `%` in the name of its database that two hexadecimal digits should follow; write %25 for the character itself',
    );
  }
}
