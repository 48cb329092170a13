import { lookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { EgressRefused } from './egress-refused.js';

/** How a host name becomes addresses; `lookup` of `node:dns`, or a stand-in for tests. */
export type ResolveHost = LookupFunction;

/** The system's resolver. */
export const resolveBySystem: ResolveHost = lookup;

/**
 * A look-up for sockets that fails when any of the addresses found is refused, so that what was judged is what is
 * connected to. `net` does not look up a host that is an address already: judge those first.
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
