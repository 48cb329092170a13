import { lookup as resolve, type LookupAddress, type LookupOptions } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { z } from 'zod';

/** Addresses at which clouds hand out the credentials of a machine, and all others that no router passes on. */
const METADATA = new BlockList();
METADATA.addSubnet('169.254.0.0', 16);
METADATA.addAddress('100.100.100.200');
METADATA.addSubnet('fe80::', 10, 'ipv6');
METADATA.addSubnet('fd00:ec2::', 32, 'ipv6');
METADATA.addSubnet('fd20:ce::', 64, 'ipv6');
// the same IPv4 addresses by way of NAT64
METADATA.addSubnet('64:ff9b::a9fe:0', 112, 'ipv6');

const METADATA_NAMES = /(^|\.)(metadata(\.google\.internal|\.goog)?|instance-data(\.ec2\.internal)?)$/;

/** Whether this IP address hands out a machine's credentials or is link-local. */
function isMetadataAddress(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && METADATA.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** An address of STS or IAM: https, or http too where `allowPlainHttp`; never a metadata service, never with a login in it. */
export function endpointSchema(allowPlainHttp: boolean): z.ZodType<string> {
  return z
    .string()
    .max(512)
    .superRefine((text, context) => {
      const fault = faultOf(text, allowPlainHttp);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    });
}

function faultOf(text: string, allowPlainHttp: boolean): string | undefined {
  const url = /^https?:\/\//.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return 'use an https:// URL';
  if (url.protocol === 'http:' && !allowPlainHttp) return 'use https; plain http is for development';
  if (url.username + url.password !== '') return 'leave the login out; `auth` is the place for it';
  if (url.pathname + url.search + url.hash !== '/') return 'use scheme, host and port only';
  return isMetadata(url.hostname) ? 'a metadata service is no endpoint of AWS' : undefined;
}

function isMetadata(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  return isMetadataAddress(host) || METADATA_NAMES.test(host);
}

type Resolved = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

/** Looks a host up as Node does, and refuses a name that leads to a metadata service today. */
export function guardedLookup(host: string, options: LookupOptions, resolved: Resolved): void {
  resolve(host, options, (error, address, family) => {
    const found = Array.isArray(address) ? address.map((entry) => entry.address) : [address];
    const refused = error === null && found.some(isMetadataAddress);
    resolved(refused ? new Error('the name leads to a metadata service') : error, address, family);
  });
}
