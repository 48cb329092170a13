import { X509Certificate } from 'node:crypto';
import { z } from 'zod';

const BundleSchema = z.looseObject({ keys: z.array(z.unknown()).max(50) });
/** Exactly one certificate, the authority itself (SPIFFE X.509-SVID §6.1). Keys of JWT-SVIDs have another `use`. */
const AuthoritySchema = z.looseObject({ use: z.literal('x509-svid'), x5c: z.array(z.string()).length(1) });
const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Returns the X.509 authorities of a SPIFFE bundle, in PEM. Ignores entries for other uses. Throws `Error` when the
 * input is no bundle.
 */
export function authoritiesIn(bundle: unknown): string[] {
  const parsed = BundleSchema.safeParse(bundle);
  if (!parsed.success) throw new Error('it is not a SPIFFE bundle');
  return parsed.data.keys.flatMap((entry) => {
    const authority = AuthoritySchema.safeParse(entry).data;
    return authority === undefined ? [] : certificate(Buffer.from(authority.x5c[0] ?? '', 'base64'));
  });
}

/** Returns the certificates of a text: PEM, or a SPIFFE bundle. Throws `Error` when it has none. */
export function readAuthorities(text: string): string[] {
  const isPem = text.includes('-----BEGIN ');
  const found = isPem ? (text.match(PEM) ?? []).flatMap((pem) => certificate(pem)) : authoritiesIn(parse(text));
  if (found.length === 0) throw new Error('it has no certificate of an authority');
  return found;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Error('it is neither PEM nor a SPIFFE bundle');
  }
}

function certificate(encoded: string | Buffer): string[] {
  try {
    return [new X509Certificate(encoded).toString()];
  } catch {
    return [];
  }
}
