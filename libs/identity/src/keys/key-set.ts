import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { IdentityAlgorithm, IssuerProfile } from '../issuers/issuer-spec.js';
import { MAX_KEYS, PublicJwkSchema, readPublicKey, type PublicJwk } from './public-jwk.js';

const JwksSchema = z.looseObject({
  keys: z.array(z.unknown()).max(MAX_KEYS),
  /** SPIFFE Trust Domain and Bundle §4.1.3; a hint that is no positive number is ignored */
  spiffe_refresh_hint: z.number().positive().optional().catch(undefined),
});

interface VerificationKey {
  readonly jwk: PublicJwk;
  readonly key: KeyObject;
}

/** The keys of one issuer that may verify a token. An empty set is valid: the issuer withdrew all keys. */
export class KeySet {
  private constructor(
    private readonly keys: readonly VerificationKey[],
    /** the publisher's refresh interval; undefined when it names none */
    readonly refreshHintSeconds: number | undefined,
    /** the number of entries for other uses, of other types, or that are no keys */
    readonly passedOver: number,
  ) {}

  /**
   * Reads a JWKS (RFC 7517 §5; for SPIFFE a bundle, SPIFFE Trust Domain and Bundle §4). Ignores keys for other uses and
   * of other types. Throws `Error` when the input is no JWKS or holds more than 50 keys.
   */
  static read(jwks: unknown, profile: IssuerProfile): KeySet {
    const parsed = JwksSchema.safeParse(jwks);
    if (!parsed.success) throw new Error('it is not a JWKS of at most 50 keys');
    const { keys: entries, spiffe_refresh_hint: hint } = parsed.data;
    const keys = entries.flatMap((entry) => readKey(entry, profile));
    return new KeySet(keys, profile === 'spiffe-jwt' ? hint : undefined, entries.length - keys.length);
  }

  /** The keys, each with its id (undefined when it has none) and the algorithms that it may verify. */
  get described(): readonly { readonly kid: string | undefined; readonly algorithms: readonly IdentityAlgorithm[] }[] {
    return this.keys.map((key) => ({ kid: key.jwk.kid, algorithms: ALGORITHMS.filter((name) => fits(key, name)) }));
  }

  /** True when a key has this id, whatever its algorithm. */
  has(kid: string): boolean {
    return this.keys.some(({ jwk }) => jwk.kid === kid);
  }

  /**
   * Returns the one key with this algorithm and id (any id when the token names none); undefined when none or several
   * match.
   */
  find(algorithm: IdentityAlgorithm, kid: string | undefined): KeyObject | undefined {
    const fitting = this.keys.filter(
      (candidate) => (kid === undefined || candidate.jwk.kid === kid) && fits(candidate, algorithm),
    );
    return fitting.length === 1 ? fitting[0]?.key : undefined;
  }
}

function readKey(entry: unknown, profile: IssuerProfile): VerificationKey[] {
  const parsed = PublicJwkSchema.safeParse(entry);
  if (!parsed.success || !mayVerify(parsed.data, profile)) return [];
  const key = readPublicKey(parsed.data);
  return key === undefined ? [] : [{ jwk: parsed.data, key }];
}

/** A key published for another purpose (TLS, X.509-SVID, WIT) must not verify an identity token. */
function mayVerify({ use, key_ops: operations }: PublicJwk, profile: IssuerProfile): boolean {
  // For the same keys, SPIRE's bundle says `jwt-svid` and its OIDC discovery provider `sig` or nothing.
  const wanted = profile === 'spiffe-jwt' ? ['jwt-svid', 'sig'] : ['sig'];
  return (use === undefined || wanted.includes(use)) && (operations === undefined || operations.includes('verify'));
}

const isEdwards = (name: string): boolean => name === 'EdDSA' || name === 'Ed25519';

/** The algorithm is bound to the key, never taken from the token alone (RFC 8725 §3.1). */
function fits({ jwk, key }: VerificationKey, algorithm: IdentityAlgorithm): boolean {
  const isDeclared = jwk.alg === undefined || jwk.alg === algorithm || (isEdwards(jwk.alg) && isEdwards(algorithm));
  return isDeclared && keyKind(key) === kindFor[algorithm];
}

const kindFor: Record<IdentityAlgorithm, string> = {
  ES256: 'ec prime256v1',
  ES384: 'ec secp384r1',
  RS256: 'rsa',
  PS256: 'rsa',
  EdDSA: 'ed25519',
  Ed25519: 'ed25519',
};

const ALGORITHMS = Object.keys(kindFor) as readonly IdentityAlgorithm[];

function keyKind(key: KeyObject): string {
  return [key.asymmetricKeyType, key.asymmetricKeyDetails?.namedCurve].filter((part) => part !== undefined).join(' ');
}
