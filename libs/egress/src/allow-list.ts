import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { egressRuleOf, isAlwaysRefused, isMetadataName, isWithin, readAddress, type Block } from './address-rules.js';

/** An entry cannot be read. The message names its position, never its text. */
export class InvalidAllowList extends Error {}

interface Entry {
  /** true when the entry also allows plain http */
  readonly plainHttp: boolean;
  /** undefined allows every port */
  readonly port: number | undefined;
  readonly matches: (host: string) => boolean;
  /** the addresses that the entry allows under any host name; undefined for an entry by name */
  readonly block?: Block;
}

const HOST_AND_PORT = /^(\[[0-9a-f:.]+\]|[^:[\]/]+)(?::(\d{1,5}))?$/;
const HOST_NAME = /^(\*\.)?(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/;

/**
 * The operator's list of hosts and addresses that egress may reach although they are not on the public internet.
 * Entries: `10.0.0.0/8`, `10.1.2.3`, `keycloak.internal`, `keycloak.internal:8443`, `[fd12::1]:8443`,
 * `*.svc.cluster.local`. An entry without a port allows every port. An entry that starts with `http://` also allows
 * plain http.
 */
export class AllowList {
  private constructor(private readonly entries: readonly Entry[]) {}

  static readonly none = new AllowList([]);

  /** Reads entries separated by commas. Throws `InvalidAllowList`. */
  static read(text: string): AllowList {
    const parts = text.split(',').map((part) => part.trim().toLowerCase());
    return new AllowList(parts.flatMap((part, index) => (part === '' ? [] : [readEntry(part, index + 1)])));
  }

  /** `host` is in lower case, without brackets and without a final dot. */
  allowsHost(host: string, port: number): boolean {
    return this.entriesAt(port).some((entry) => entry.matches(host));
  }

  allowsPlainHttp(host: string, port: number): boolean {
    return this.entriesAt(port).some((entry) => entry.plainHttp && entry.matches(host));
  }

  allowsAddress(text: string, port: number): boolean {
    const address = readAddress(text);
    if (address === undefined) return false;
    return this.entriesAt(port).some(({ block }) => block !== undefined && isWithin(address, block));
  }

  private entriesAt(port: number): readonly Entry[] {
    return this.entries.filter((entry) => entry.port === undefined || entry.port === port);
  }
}

function readEntry(text: string, position: number): Entry {
  const invalid = (what: string): InvalidAllowList => new InvalidAllowList(`entry ${String(position)}: ${what}`);
  const plainHttp = text.startsWith('http://');
  const place = text.replace(/^https?:\/\//, '');
  if (place.includes('/')) {
    if (place !== text) throw invalid('write a network without a scheme, such as 10.0.0.0/8');
    return blockEntry(readNetwork(place, invalid), { plainHttp: false, port: undefined }, invalid);
  }
  const { host, port } = readPlace(place, invalid);
  const address = readAddress(host);
  const limits = { plainHttp, port };
  if (address !== undefined) return blockEntry([address, address.kind() === 'ipv4' ? 32 : 128], limits, invalid);
  return nameEntry(host, limits, invalid);
}

type Invalid = (what: string) => InvalidAllowList;
type Limits = Pick<Entry, 'plainHttp' | 'port'>;

function readPlace(place: string, invalid: Invalid): { host: string; port: number | undefined } {
  if (isIP(place) === 6) return { host: place, port: undefined };
  const [, host, port] = HOST_AND_PORT.exec(place) ?? [];
  if (host === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535)
    throw invalid('use a network (10.0.0.0/8), a host, or host:port');
  return { host: host.replace(/^\[|\]$/g, ''), port: port === undefined ? undefined : Number(port) };
}

function readNetwork(text: string, invalid: Invalid): Block {
  const [network = ''] = text.split('/');
  if (isIP(network) === 0 || !ipaddr.isValidCIDR(text)) throw invalid('use a network such as 10.0.0.0/8');
  const [address, bits] = ipaddr.parseCIDR(text);
  if (edges([address, bits])[0] !== address.toString())
    throw invalid('write the first address of the network before the `/`');
  return [address, bits];
}

function blockEntry(block: Block, limits: Limits, invalid: Invalid): Entry {
  const [first, last] = edges(block).map(egressRuleOf);
  if (isAlwaysRefused(first) && first === last)
    throw invalid('link-local addresses and metadata services are always refused; leave it out');
  const matches = (host: string): boolean => {
    const address = readAddress(host);
    return address !== undefined && isWithin(address, block);
  };
  return { ...limits, matches, block };
}

/** Returns the first and the last address of a block. */
function edges([address, bits]: Block): [string, string] {
  const text = `${address.toString()}/${String(bits)}`;
  const family = address.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
  return [family.networkAddressFromCIDR(text).toString(), family.broadcastAddressFromCIDR(text).toString()];
}

function nameEntry(text: string, limits: Limits, invalid: Invalid): Entry {
  const name = text.replace(/\.$/, '');
  // Resolvers read a name whose last label is a number as an address in an old form (inet_aton).
  if (!HOST_NAME.test(name) || /(^|\.)(\d+|0x[0-9a-f]*)$/.test(name))
    throw invalid('use a host name or an address written out');
  if (isMetadataName(name)) throw invalid('metadata services are always refused; leave it out');
  const isWildcard = name.startsWith('*.');
  return { ...limits, matches: (host) => (isWildcard ? host.endsWith(name.slice(1)) : host === name) };
}
