import { bareHost, connectionHostFault, egressRuleOf } from '@mayfly/egress';

/**
 * Returns the fault of a server's address, or undefined. The address must be an https URL of a host, with a path prefix
 * at most. It must never be a cloud's metadata service, which hands out the credentials of Mayfly's own machine.
 */
export function addressFault(address: string, allowPlainHttp: boolean): string | undefined {
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) return 'use a URL such as https://vault.example:8200';
  const url = new URL(address);
  if (url.protocol !== 'https:' && !allowPlainHttp) return 'use https';
  return hostFault(url.hostname) ?? partsFault(address, url);
}

function hostFault(hostname: string): string | undefined {
  const isUnspecified = egressRuleOf(bareHost(hostname)) === 'unspecified';
  return isUnspecified ? 'name a server; the unspecified address is refused' : connectionHostFault(hostname);
}

function partsFault(address: string, { username, password, pathname }: URL): string | undefined {
  if (username !== '' || password !== '') return 'leave user and password out; set `auth` instead';
  if (/[?#]/.test(address)) return 'leave the query out';
  if (/[%\\\s]|\.\./.test(address)) return 'write the URL out, without `%`, `..` and backslashes';
  const isPlain = /^(\/[A-Za-z0-9_-]+)*\/?$/.test(pathname);
  return isPlain ? undefined : 'use a path prefix of letters, digits, `_` and `-`, or none';
}
