import { isAlwaysRefused, type EgressRule } from './address-rules.js';

/** The setting with the operator's allow-list. */
const EGRESS_SETTING = 'MAYFLY_EGRESS_ALLOW';

const WORDS: Record<EgressRule, string> = {
  metadata: 'the metadata service of a cloud',
  'link-local': 'a link-local address, where clouds have their metadata services',
  unspecified: 'the unspecified address',
  loopback: 'an address of this machine',
  private: 'an address of a private network',
  shared: 'an address of a shared network (carrier-grade NAT)',
  multicast: 'a multicast address',
  'embedded-ipv4': 'an IPv6 address that embeds an IPv4 address',
  reserved: 'a reserved address',
};

/**
 * Names the rule that refused a URL or an address, and the setting that allows it. `code` separates it from a network
 * failure.
 */
export class EgressRefused extends Error {
  readonly code = 'EGRESS_REFUSED';

  constructor(readonly rule: EgressRule | 'plain-http') {
    super(refusalText(rule));
    this.name = 'EgressRefused';
  }
}

/** Returns the text of a refusal, without the address: the caller may not learn the addresses of a name. */
function refusalText(rule: EgressRule | 'plain-http'): string {
  if (rule === 'plain-http')
    return `use https; an operator can allow plain http there by an entry \`http://…\` in ${EGRESS_SETTING}`;
  const remedy = isAlwaysRefused(rule)
    ? 'no setting allows it; use another host'
    : `an operator can allow the host or its addresses in ${EGRESS_SETTING}`;
  return `the host has ${WORDS[rule]} (rule \`${rule}\`); ${remedy}`;
}
