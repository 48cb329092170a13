import { X509Certificate } from 'node:crypto';
import { parseSpiffeId } from '@mayfly/identity';
import { FetchFailed } from './fetch-failed.js';

/**
 * Returns the reason why a server's certificate (DER, its chain already verified) does not prove `spiffeId`; undefined
 * when it does. A server's X.509-SVID is no authority and has exactly one URI in its SAN, the SPIFFE ID (SPIFFE
 * X.509-SVID §2, §5.2).
 */
export function spiffeIdentityFault(der: Buffer, spiffeId: string): Error | undefined {
  const certificate = new X509Certificate(der);
  if (certificate.ca) return new FetchFailed('its certificate belongs to an authority, not to a server');
  const names = (certificate.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('URI:'));
  const [only, ...others] = names.map((name) => parseSpiffeId(name.slice('URI:'.length))?.canonical);
  if (others.length > 0)
    return new FetchFailed('its certificate has more than one URI, which an X.509-SVID may not have');
  if (only !== undefined && only === parseSpiffeId(spiffeId)?.canonical) return undefined;
  const found = only === undefined ? 'none' : `\`${only}\``;
  return new FetchFailed(`its certificate is for another SPIFFE ID (${found}); compare \`spiffeId\``);
}
