import { z } from 'zod';
import { PinnedKeysSchema } from '../keys/public-jwk.js';
import { parseSpiffeId } from '../spiffe-id.js';
import { isPlainUrl } from './plain-url.js';

const UrlSchema = z
  .string()
  .max(512)
  .refine((url) => isPlainUrl(url), 'use an https URL with no user, query or fragment');

/** The absolute path of a file, with or without `file:` in front. */
export const FilePathSchema = z
  .string()
  .max(1024)
  .refine((path) => /^(file:)?\/[^\0]+$/.test(path), 'give the absolute path of the file');

const EndpointIdSchema = z.string().refine((id) => parseSpiffeId(id) !== undefined, {
  error: 'use the SPIFFE ID of the endpoint, such as `spiffe://example.org/spire/server`',
});

/**
 * The endpoint at which a trust domain publishes its bundle, and the authentication of its server (SPIFFE Federation
 * §5.2).
 */
const BundleEndpointSchema = z.discriminatedUnion('profile', [
  z.strictObject({ profile: z.literal('https_web'), url: UrlSchema }),
  z
    .strictObject({
      profile: z.literal('https_spiffe'),
      url: UrlSchema,
      spiffeId: EndpointIdSchema,
      /** the bundle of the endpoint's trust domain, as a SPIFFE bundle */
      bundle: z.looseObject({ keys: z.array(z.unknown()).min(1).max(50) }).optional(),
      /** a file with the same: a SPIFFE bundle, or certificates in PEM */
      bundleFile: FilePathSchema.optional(),
    })
    .refine(({ bundle, bundleFile }) => (bundle === undefined) !== (bundleFile === undefined), {
      error: 'state exactly one of `bundle` and `bundleFile`, which authenticates the endpoint',
    }),
]);
export type BundleEndpoint = z.infer<typeof BundleEndpointSchema>;

/** The location of an issuer's keys. */
export const KeysSchema = z
  .strictObject({
    jwks: PinnedKeysSchema.optional(),
    jwksUri: UrlSchema.optional(),
    discovery: z.literal(true).optional(),
    bundleEndpoint: BundleEndpointSchema.optional(),
  })
  .refine((keys) => Object.keys(keys).length === 1, {
    error: 'state exactly one of `jwks`, `jwksUri`, `discovery` and `bundleEndpoint`',
  });
