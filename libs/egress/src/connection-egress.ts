import { egressRuleOf, isAlwaysRefused, isMetadataName, readAddress } from './address-rules.js';
import { EgressRefused } from './egress-refused.js';
import { bareHost } from './public-egress.js';

/**
 * Why a connection may not lead to this host name or address, without DNS; undefined when it may. Connections lead into
 * private networks by their nature; only link-local addresses and metadata services are refused.
 */
export function connectionHostFault(hostname: string): string | undefined {
  const host = bareHost(hostname);
  if (readAddress(host) !== undefined) return connectionAddressFault(host)?.message;
  return isMetadataName(host) ? new EgressRefused('metadata').message : undefined;
}

/** The refusal of an address that a connection was resolved to, for `guardedLookup`; undefined when it may be used. */
export function connectionAddressFault(address: string): EgressRefused | undefined {
  const rule = egressRuleOf(address);
  return rule !== undefined && isAlwaysRefused(rule) ? new EgressRefused(rule) : undefined;
}
