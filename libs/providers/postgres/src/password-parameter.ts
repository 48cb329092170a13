import type { Json } from '@mayfly/kernel';

/** libpq accepts the password as a URL parameter too ("Connection URIs"). */
const PASSWORD_PARAMETER = /^[a-z][a-z0-9+.-]*:\/\/[^?]*\?(.*&)?password=/is;

/** Returns `/url`, a JSON Pointer, when the URL in a connection's configuration has a password parameter. */
export function passwordParametersIn(config: Json): readonly string[] {
  const url = config !== null && typeof config === 'object' && 'url' in config ? config.url : undefined;
  return typeof url === 'string' && PASSWORD_PARAMETER.test(url) ? ['/url'] : [];
}
