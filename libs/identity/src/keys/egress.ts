import { BlockList, isIP } from 'node:net';

/** Where keys may be fetched from. By default: https, public addresses. */
export interface Egress {
  /** host names or addresses (no port) that the operator vouches for: http and private addresses are allowed there */
  readonly trustedHosts: readonly string[];
}

export const publicEgress: Egress = { trustedHosts: [] };

/** Special-purpose IPv4 blocks (RFC 6890): this host, private, shared, loopback, link-local with metadata, test, multicast, reserved. */
const closedIpv4 = new BlockList();
for (const block of [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]) {
  addBlock(closedIpv4, block, 'ipv4');
}

/** Of IPv6 only global unicast is open, which leaves out loopback, mapped IPv4, NAT64, unique-local and link-local. */
const globalIpv6 = new BlockList();
addBlock(globalIpv6, '2000::/3', 'ipv6');
/** …and of that not what tunnels to IPv4 (Teredo, 6to4) or documents. */
const closedIpv6 = new BlockList();
for (const block of ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']) addBlock(closedIpv6, block, 'ipv6');

function addBlock(list: BlockList, block: string, family: 'ipv4' | 'ipv6'): void {
  const [network = '', prefix = ''] = block.split('/');
  list.addSubnet(network, Number(prefix), family);
}

/** Whether an address is on the public internet. False for what is no address at all. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !closedIpv4.check(address, 'ipv4');
    case 6:
      return globalIpv6.check(address, 'ipv6') && !closedIpv6.check(address, 'ipv6');
    default:
      return false;
  }
}

/** Whether the operator vouches for this host (`URL.hostname`). */
export function isTrustedHost(hostname: string, egress: Egress): boolean {
  return egress.trustedHosts.includes(hostname) || egress.trustedHosts.includes(bareHost(hostname));
}

/** An IPv6 address in a URL without its brackets; any other host as it is. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/** Why this URL may not be fetched, as far as one can tell without asking DNS; undefined when it may. */
export function egressError(url: string, egress: Egress): string | undefined {
  const { protocol, hostname } = new URL(url);
  if (isTrustedHost(hostname, egress)) return undefined;
  if (protocol !== 'https:') return 'use https';
  const host = bareHost(hostname);
  return isIP(host) !== 0 && !isPublicAddress(host) ? 'use a host with a public address' : undefined;
}
