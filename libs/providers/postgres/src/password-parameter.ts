import type { Json } from '@mayfly/kernel';

/** PostgreSQL takes the password among the parameters of a URL too (libpq, "Connection URIs"). */
const PASSWORD_PARAMETER = /^[a-z][a-z0-9+.-]*:\/\/[^?]*\?(.*&)?password=/is;

/** The member of a connection's configuration whose URL has a password among its parameters, as a JSON Pointer. */
export function passwordParametersIn(config: Json): readonly string[] {
  const url = config !== null && typeof config === 'object' && 'url' in config ? config.url : undefined;
  return typeof url === 'string' && PASSWORD_PARAMETER.test(url) ? ['/url'] : [];
}
