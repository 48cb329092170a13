import { egressRuleOf, isAlwaysRefused, isMetadataName, readAddress } from './address-rules.js';
import { EgressRefused } from './egress-refused.js';
import { bareHost } from './public-egress.js';

/**
 * Returns the fault of a connection's host name or address, judged without DNS, or undefined. Connections often point
 * into private networks, so only link-local addresses and metadata services are refused.
 */
export function connectionHostFault(hostname: string): string | undefined {
  const host = bareHost(hostname);
  if (readAddress(host) !== undefined) return connectionAddressFault(host)?.message;
  return isMetadataName(host) ? new EgressRefused('metadata').message : undefined;
}

/** Returns the refusal of a connection's resolved address, or undefined. For `guardedLookup`. */
export function connectionAddressFault(address: string): EgressRefused | undefined {
  const rule = egressRuleOf(address);
  return rule !== undefined && isAlwaysRefused(rule) ? new EgressRefused(rule) : undefined;
}
