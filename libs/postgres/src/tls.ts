import type { ConnectionOptions } from 'node:tls';
import { Problem } from '@mayfly/kernel';
import { parseIntoClientConfig } from 'pg-connection-string';

type Parts = ReturnType<typeof parseIntoClientConfig>;

/**
 * Returns the parts of a URL as node-postgres reads them. `authority`, as PEM, is the certificate of the authority that
 * signed the server's. With it, `sslmode=verify-ca` has libpq's meaning: signed by that authority, with any host name.
 * So has `require` together with `uselibpqcompat`. Throws Problem `invalid_declaration` when libpq would miss the
 * certificate.
 */
export function partsOf(url: string, authority: string | undefined): Parts {
  if (authority === undefined) return readable(url);
  // node-postgres accepts `verify-ca` only with a file
  const given = readable(url.replace(/([?&]sslmode=)verify-ca\b/, '$1verify-full'));
  return given.ssl === undefined || given.ssl === false
    ? given
    : { ...given, ssl: checkedBy(authority, url, given.ssl === true ? {} : given.ssl) };
}

function checkedBy(authority: string, url: string, ssl: ConnectionOptions): ConnectionOptions {
  const mode = /[?&]sslmode=([a-z-]+)/.exec(url)?.[1];
  const isLibpqs = /[?&]uselibpqcompat=true\b/.test(url);
  if (mode === 'no-verify' || (isLibpqs && mode === 'prefer')) return ssl;
  const checked = { ...ssl, ca: authority, rejectUnauthorized: true };
  const isAnyName = mode === 'verify-ca' || (isLibpqs && mode === 'require');
  return isAnyName ? { ...checked, checkServerIdentity: () => undefined } : checked;
}

function readable(url: string): Parts {
  if (/[?&]uselibpqcompat=true\b/.test(url) && /[?&]sslmode=verify-ca\b/.test(url) && !/[?&]sslrootcert=/.test(url)) {
    throw new Problem(
      'invalid_declaration',
      'the URL of PostgreSQL has sslmode=verify-ca without a certificate of an authority; add one',
    );
  }
  return parseIntoClientConfig(url);
}
