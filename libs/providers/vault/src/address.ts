import { isIP } from 'node:net';

/** Where clouds answer questions about the machine, with its credentials, beyond the link-local ranges. */
const METADATA = new Set([
  'metadata.google.internal',
  '100.100.100.200',
  '192.0.0.192',
  'fd00:ec2::254',
  '0.0.0.0',
  '::',
]);

/**
 * Why a server's address is not allowed, or undefined: it is an https URL of a host, with a path prefix at most, and never
 * one of the addresses at which a cloud hands out the credentials of the machine that Mayfly runs on.
 */
export function addressFault(address: string, allowPlainHttp: boolean): string | undefined {
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) return 'use a URL such as https://vault.example:8200';
  const url = new URL(address);
  if (url.protocol !== 'https:' && !allowPlainHttp) return 'use https';
  if (isForbiddenHost(url.hostname)) return 'name a server of yours; this address belongs to the cloud or to the link';
  return partsFault(address, url);
}

function partsFault(address: string, { username, password, pathname }: URL): string | undefined {
  if (username !== '' || password !== '') return 'leave user and password out; `auth` says how to log in';
  if (/[?#]/.test(address)) return 'leave the query out';
  if (/[%\\\s]|\.\./.test(address)) return 'write the URL out, without `%`, `..` and backslashes';
  const isPlain = /^(\/[A-Za-z0-9_-]+)*\/?$/.test(pathname);
  return isPlain ? undefined : 'use a path prefix of letters, digits, `_` and `-`, or none';
}

/** Whether nothing may ever be asked of this host, be it a name or an address as `URL` and the resolver write them. */
export function isForbiddenHost(host: string): boolean {
  const plain = unmapped(
    host
      .replace(/^\[|\]$/g, '')
      .replace(/\.$/, '')
      .toLowerCase(),
  );
  if (METADATA.has(plain)) return true;
  if (isIP(plain) === 4) return plain.startsWith('169.254.');
  return isIP(plain) === 6 && /^fe[89ab]/.test(plain);
}

/** The IPv4 address inside an IPv4-mapped IPv6 one (RFC 4291 §2.5.5.2), in either of its spellings. */
function unmapped(host: string): string {
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(host)?.[1];
  if (dotted !== undefined) return dotted;
  const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  if (hex === null) return host;
  const bytes = hex
    .slice(1)
    .map((group) => parseInt(group, 16))
    .flatMap((group) => [group >> 8, group & 255]);
  return bytes.join('.');
}
