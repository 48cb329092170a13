import { lookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { EgressRefused } from './egress-refused.js';

/** Resolves a host name to addresses: `lookup` of `node:dns`, or a fake in tests. */
export type ResolveHost = LookupFunction;

/** The system's resolver. */
export const resolveBySystem: ResolveHost = lookup;

/**
 * Returns a look-up for sockets that fails when any of the resolved addresses is refused. The socket connects to
 * exactly the addresses that were judged. `net` does not look up a host that is an address: judge such a host first.
 */
export function guardedLookup(
  faultOf: (address: string) => EgressRefused | undefined,
  resolve: ResolveHost = resolveBySystem,
): LookupFunction {
  return (host, options, resolved) => {
    resolve(host, options, (error, address, family) => {
      const found = error === null ? addressesIn(address) : [];
      const fault = found.map(faultOf).find((each) => each !== undefined);
      const nothing = error === null && found.length === 0 ? new Error('the name has no address') : error;
      resolved(fault ?? nothing, address, family);
    });
  };
}

function addressesIn(answer: string | LookupAddress[]): string[] {
  return Array.isArray(answer) ? answer.map(({ address }) => address) : [answer];
}
