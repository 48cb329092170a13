import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';

export const MAX_KEYS = 50;
/** RFC 7518 §3.3 and §3.5 require 2048 bits or more; longer keys than the maximum would make each verification slow. */
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;
const CURVES: readonly (string | undefined)[] = ['prime256v1', 'secp384r1'];
/** The members of private and symmetric keys (RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** One public key of a JWKS (RFC 7517 §4). Ignores members that Mayfly does not use. */
export const PublicJwkSchema = z.looseObject({
  kty: z.enum(['EC', 'RSA', 'OKP']),
  kid: z.string().max(256).optional(),
  alg: z.string().max(32).optional(),
  use: z.string().max(32).optional(),
  key_ops: z.array(z.string().max(32)).max(16).optional(),
});
export type PublicJwk = z.infer<typeof PublicJwkSchema>;

/** Keys in a declaration: each must be public and strong enough. */
export const PinnedKeysSchema = z.strictObject({
  keys: z
    .array(
      PublicJwkSchema.refine((jwk) => !hasPrivateMember(jwk), {
        error: 'use the public key only; this key has private members',
        abort: true,
      }).refine(
        (jwk) => readPublicKey(jwk) !== undefined,
        'use a public key on P-256, P-384 or Ed25519, or RSA with 2048 to 8192 bits',
      ),
    )
    .max(MAX_KEYS),
});

function hasPrivateMember(jwk: PublicJwk): boolean {
  return PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member));
}

/** Returns the key, or undefined when it is malformed, private, weak or of an untrusted type. */
export function readPublicKey(jwk: PublicJwk): KeyObject | undefined {
  if (hasPrivateMember(jwk)) return undefined;
  try {
    const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
    return isStrong(key) ? key : undefined;
  } catch {
    return undefined;
  }
}

function isStrong({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): boolean {
  const { modulusLength = 0, namedCurve } = details ?? {};
  if (type === 'rsa') return modulusLength >= MIN_RSA_BITS && modulusLength <= MAX_RSA_BITS;
  return type === 'ec' ? CURVES.includes(namedCurve) : type === 'ed25519';
}
