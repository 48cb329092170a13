import type { LookupFunction } from 'node:net';
import { egressRuleOf, isAlwaysRefused, isMetadataName, readAddress, type EgressRule } from './address-rules.js';
import { AllowList } from './allow-list.js';
import { EgressRefused } from './egress-refused.js';
import { guardedLookup, resolveBySystem, type ResolveHost } from './guarded-lookup.js';

/** Returns the host of a URL without brackets and without the final dot, in lower case. */
export function bareHost(hostname: string): string {
  return hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
}

/**
 * The strict guard for keys and bundles that Mayfly fetches: allows https to public addresses, and the operator's
 * allow-list.
 */
export class PublicEgress {
  constructor(private readonly allow: AllowList = AllowList.none) {}

  /** Returns the refusal of an http(s) URL, judged without DNS; undefined when Mayfly may fetch it. */
  refusalOf(url: string): EgressRefused | undefined {
    const { protocol, host, port } = placeOf(url);
    const literal = readAddress(host) === undefined ? nameRule(host) : this.refusedRule(host, host, port);
    const isPlain = protocol !== 'https:' && !this.allow.allowsPlainHttp(host, port);
    const rule = isPlain && !isAlwaysRefused(literal) ? 'plain-http' : literal;
    return rule === undefined ? undefined : new EgressRefused(rule);
  }

  /**
   * Returns the look-up for a connection to this URL. It fails with `EgressRefused` when one of the addresses is
   * refused.
   */
  lookupFor(url: string, resolve: ResolveHost = resolveBySystem): LookupFunction {
    const { host, port } = placeOf(url);
    return guardedLookup((address) => {
      const rule = this.refusedRule(address, host, port);
      return rule === undefined ? undefined : new EgressRefused(rule);
    }, resolve);
  }

  private refusedRule(address: string, host: string, port: number): EgressRule | undefined {
    const rule = egressRuleOf(address);
    if (rule === undefined || isAlwaysRefused(rule)) return rule;
    return this.allow.allowsHost(host, port) || this.allow.allowsAddress(address, port) ? undefined : rule;
  }
}

function nameRule(host: string): EgressRule | undefined {
  return isMetadataName(host) ? 'metadata' : undefined;
}

function placeOf(url: string): { protocol: string; host: string; port: number } {
  const { protocol, hostname, port } = new URL(url);
  const byScheme = protocol === 'https:' ? 443 : 80;
  return { protocol, host: bareHost(hostname), port: port === '' ? byScheme : Number(port) };
}
