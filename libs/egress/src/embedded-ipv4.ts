import type ipaddr from 'ipaddr.js';

/**
 * A form of IPv6 address that embeds an IPv4 address: `positions` are its byte positions; `inverted` means inverted
 * bits.
 */
interface Form {
  readonly matches: (bytes: readonly number[]) => boolean;
  readonly positions: readonly (readonly [number, number, number, number])[];
  readonly inverted?: true;
}

const startsWith =
  (...prefix: readonly number[]) =>
  (bytes: readonly number[]): boolean =>
    prefix.every((byte, index) => bytes[index] === byte);

const LAST = [12, 13, 14, 15] as const;
const ZERO = Array<number>(8).fill(0);

const FORMS: readonly Form[] = [
  // IPv4-compatible, IPv4-mapped (RFC 4291 §2.5.5) and IPv4-translated (RFC 2765 §2.1)
  { matches: startsWith(...ZERO, 0, 0, 0, 0), positions: [LAST] },
  { matches: startsWith(...ZERO, 0, 0, 0xff, 0xff), positions: [LAST] },
  { matches: startsWith(...ZERO, 0xff, 0xff, 0, 0), positions: [LAST] },
  // NAT64 (RFC 6052 §2.1), and its local prefix (RFC 8215), which has 48, 56, 64 or 96 bits (RFC 6052 §2.2)
  { matches: startsWith(0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0), positions: [LAST] },
  {
    matches: startsWith(0, 0x64, 0xff, 0x9b, 0, 1),
    positions: [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], LAST],
  },
  // 6to4 (RFC 3056 §2)
  { matches: startsWith(0x20, 0x02), positions: [[2, 3, 4, 5]] },
  // Teredo (RFC 4380 §4): the server's address as it is, the client's address with inverted bits
  { matches: startsWith(0x20, 0x01, 0, 0), positions: [[4, 5, 6, 7]] },
  { matches: startsWith(0x20, 0x01, 0, 0), positions: [LAST], inverted: true },
  // ISATAP (RFC 5214 §6.1), under any prefix
  { matches: (bytes) => isIsatap(bytes.slice(8)), positions: [LAST] },
];

function isIsatap([flags, ...rest]: readonly number[]): boolean {
  return (flags === 0 || flags === 2) && startsWith(0, 0x5e, 0xfe)(rest);
}

/** Returns every IPv4 address, dotted, that a gateway or a tunnel may read from an IPv6 address. */
export function embeddedIpv4(address: ipaddr.IPv6): string[] {
  const bytes = address.toByteArray();
  return FORMS.filter(({ matches }) => matches(bytes)).flatMap(({ positions, inverted }) =>
    positions.map((position) =>
      position.map((at) => (inverted === true ? 255 - (bytes[at] ?? 0) : (bytes[at] ?? 0))).join('.'),
    ),
  );
}
