import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { embeddedIpv4 } from './embedded-ipv4.js';

/** The reason why an address is not on the public internet. */
export type EgressRule =
  | 'metadata'
  | 'link-local'
  | 'unspecified'
  | 'loopback'
  | 'private'
  | 'shared'
  | 'multicast'
  | 'embedded-ipv4'
  | 'reserved';

/** The one table; the first match decides (RFC 6890, the IANA registries, and the documentation of the clouds). */
const TABLE: readonly (readonly [EgressRule, readonly string[]])[] = [
  // Most metadata services are link-local (169.254.169.254, 169.254.170.2, fe80::a9fe:a9fe), so the whole range is
  // refused.
  ['link-local', ['169.254.0.0/16', 'fe80::/10']],
  [
    'metadata',
    [
      '100.100.100.200/32', // Alibaba Cloud
      '192.0.0.192/32', // Oracle Cloud
      '168.63.129.16/32', // Azure's wire server
      'fd00:ec2::/32', // AWS: instance, container and pod credentials
      'fd20:ce::/64', // Google Cloud
      'fd00:42::42/128', // Scaleway
    ],
  ],
  ['unspecified', ['0.0.0.0/8', '::/128']],
  ['loopback', ['127.0.0.0/8', '::1/128']],
  ['private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fec0::/10']],
  ['shared', ['100.64.0.0/10']],
  ['multicast', ['224.0.0.0/4', 'ff00::/8']],
  [
    'embedded-ipv4',
    ['::/96', '::ffff:0:0/96', '::ffff:0:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '2001::/32', '2002::/16'],
  ],
  [
    'reserved',
    [
      '192.0.0.0/24',
      '192.0.2.0/24',
      '192.88.99.0/24',
      '198.18.0.0/15',
      '198.51.100.0/24',
      '203.0.113.0/24',
      '240.0.0.0/4',
      '2001::/23',
      '2001:db8::/32',
      '3fff::/20',
    ],
  ],
];

type Address = ipaddr.IPv4 | ipaddr.IPv6;
export type Block = readonly [Address, number];

const BLOCKS = TABLE.flatMap(([rule, blocks]) => blocks.map((block) => [rule, ipaddr.parseCIDR(block)] as const));
/** In IPv6 only global unicast is public (RFC 4291 §2.4). */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3');

/** Rules that no setting lifts: these addresses give out credentials of the machine itself. */
const ALWAYS: readonly EgressRule[] = ['link-local', 'metadata'];

/** The host names of the clouds' metadata services. */
const METADATA_NAMES = new Set([
  'metadata.google.internal',
  'metadata.goog',
  'instance-data.ec2.internal',
  'metadata',
  'instance-data',
]);

/**
 * Returns the address, without its zone (`%eth0`), or undefined when the text is not an address as sockets and
 * resolvers write it.
 */
export function readAddress(text: string): Address | undefined {
  const [address = ''] = text.split('%');
  return isIP(address) === 0 ? undefined : ipaddr.parse(address);
}

/**
 * True when an address is in a block. An IPv4-mapped address is also in the blocks of its IPv4 address, since sockets
 * treat both alike.
 */
export function isWithin(address: Address, block: Block): boolean {
  return [address, unmapped(address)].some(
    (each) => each.kind() === block[0].kind() && each.match([block[0], block[1]] as never),
  );
}

function unmapped(address: Address): Address {
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/**
 * Returns the rule that keeps an address (as sockets write it) off the public internet; undefined for a public address.
 * An IPv6 address that embeds the IPv4 address of a metadata service, in any known form, gets the rule of that IPv4
 * address.
 */
export function egressRuleOf(text: string): EgressRule | undefined {
  const address = readAddress(text);
  if (address === undefined) return 'reserved';
  const own = tableRule(address);
  if (!(address instanceof ipaddr.IPv6) || isAlwaysRefused(own)) return own;
  const inner = embeddedIpv4(address).map((each) => tableRule(ipaddr.parse(each)));
  return inner.find(isAlwaysRefused) ?? own;
}

/** True when no allow-list lifts the rule. */
export function isAlwaysRefused(rule: EgressRule | undefined): boolean {
  return rule !== undefined && ALWAYS.includes(rule);
}

/** True when a host name (lower case, no final dot) is one of a metadata service. */
export function isMetadataName(host: string): boolean {
  return METADATA_NAMES.has(host);
}

function tableRule(address: Address): EgressRule | undefined {
  const found = BLOCKS.find(([, block]) => address.kind() === block[0].kind() && address.match(block as never));
  if (found !== undefined) return found[0];
  return address instanceof ipaddr.IPv6 && !address.match(GLOBAL_IPV6) ? 'reserved' : undefined;
}
