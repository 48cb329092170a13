import { connectionHostFault } from '@mayfly/egress';
import { z } from 'zod';

/**
 * Returns the schema for an address of STS or IAM: https, or http too with `allowPlainHttp`; never a metadata service,
 * never with a login.
 */
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
  if (url.username + url.password !== '') return 'leave user and password out; set `auth` instead';
  if (url.pathname + url.search + url.hash !== '/') return 'use scheme, host and port only';
  return connectionHostFault(url.hostname);
}
