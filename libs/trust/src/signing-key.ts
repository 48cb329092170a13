import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { digestOf, Problem } from '@mayfly/kernel';
import type { SigningAlgorithm } from './jws.js';
import type { Sealer } from './sealer.js';
import type { PublicSigningJwk, SigningKeyPurpose, StoredSigningKey } from './signing-key-store.js';

/** A signing key in memory, ready to use. */
export interface SigningKey {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly publicJwk: PublicSigningJwk;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly activeFrom: Date;
}

/** What a key of each algorithm is, as its JWK says. */
const KINDS: Record<SigningAlgorithm, Pick<PublicSigningJwk, 'kty' | 'crv'>> = {
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
  ES256: { kty: 'EC', crv: 'P-256' },
  RS256: { kty: 'RSA' },
};

/** No algorithm is in two lists, so that a key's algorithm alone tells its purpose. The first is that of new keys. */
const ALGORITHMS: Record<SigningKeyPurpose, readonly [SigningAlgorithm, ...SigningAlgorithm[]]> = {
  access: ['EdDSA', 'ES256'],
  federation: ['RS256'],
};

const generate = promisify(generateKeyPair);

/** The algorithm of new keys of a purpose. */
export function usualAlgorithm(purpose: SigningKeyPurpose): SigningAlgorithm {
  return ALGORITHMS[purpose][0];
}

/** Whether keys of a purpose may be for this algorithm. */
export function fitsPurpose(algorithm: SigningAlgorithm, purpose: SigningKeyPurpose): boolean {
  return ALGORITHMS[purpose].includes(algorithm);
}

/** A new private key, made on the thread pool: one of RSA (2,048 bits) takes a tenth of a second and more. */
export async function newPrivateKey(algorithm: SigningAlgorithm): Promise<KeyObject> {
  const made = {
    EdDSA: () => generate('ed25519'),
    ES256: () => generate('ec', { namedCurve: 'P-256' }),
    RS256: () => generate('rsa', { modulusLength: 2_048 }),
  }[algorithm];
  return (await made()).privateKey;
}

/** A private key and all that goes with it, sealed for storing. */
export function sealSigningKey(
  sealer: Sealer,
  purpose: SigningKeyPurpose,
  privateKey: KeyObject,
  terms: Pick<StoredSigningKey, 'algorithm' | 'createdAt' | 'activeFrom'>,
): StoredSigningKey {
  const publicJwk = describePublicKey(createPublicKey(privateKey), terms.algorithm);
  const der = privateKey.export({ type: 'pkcs8', format: 'der' });
  const sealedPrivateKey = sealer.seal(der, sealingContext(purpose, publicJwk.kid, terms.activeFrom));
  der.fill(0);
  return { kid: publicJwk.kid, publicJwk, sealedPrivateKey, ...terms };
}

/**
 * The key of a stored row. The public half is taken from the sealed private one, so that a row planted or edited in the
 * database, or moved there from another purpose, never gets into the JWKS: it throws `internal` naming the kid.
 */
export function openSigningKey(sealer: Sealer, purpose: SigningKeyPurpose, row: StoredSigningKey): SigningKey {
  const der = sealer.open(row.sealedPrivateKey, sealingContext(purpose, row.kid, row.activeFrom));
  const privateKey = createPrivateKey({ key: der, type: 'pkcs8', format: 'der' });
  der.fill(0);
  const publicKey = createPublicKey(privateKey);
  const publicJwk = describePublicKey(publicKey, row.algorithm);
  if (!fitsPurpose(row.algorithm, purpose) || !isOfKind(publicJwk, row.algorithm)) {
    throw new Problem('internal', `signing key \`${row.kid}\` is not for the algorithm that its row names`);
  }
  return { kid: row.kid, algorithm: row.algorithm, publicJwk, privateKey, publicKey, activeFrom: row.activeFrom };
}

function isOfKind({ kty, crv }: PublicSigningJwk, algorithm: SigningAlgorithm): boolean {
  return kty === KINDS[algorithm].kty && crv === KINDS[algorithm].crv;
}

type JwkMembers = Pick<PublicSigningJwk, 'kty' | 'crv' | 'x' | 'y' | 'n' | 'e'>;

/** SHA-256 JWK thumbprint, base64url (RFC 7638 §3.1; members by §3.2, for Ed25519 by RFC 8037 §2). */
export function thumbprint(jwk: JwkMembers): string {
  return digestOf(publicMembers(jwk));
}

function describePublicKey(key: KeyObject, alg: SigningAlgorithm): PublicSigningJwk {
  const members = publicMembers(key.export({ format: 'jwk' }));
  return { ...members, kid: thumbprint(members), alg, use: 'sig' };
}

/** The members that make the public key, and no other. */
function publicMembers({ kty = '', crv = '', x = '', y, n = '', e = '' }: Partial<JwkMembers>): JwkMembers {
  if (kty === 'RSA') return { kty, n, e };
  return y === undefined ? { kty, crv, x } : { kty, crv, x, y };
}

/** Access keys were there first: their context names no purpose. */
function sealingContext(purpose: SigningKeyPurpose, kid: string, activeFrom: Date): string {
  const kind = purpose === 'access' ? 'signing-key' : `${purpose}-signing-key`;
  return `${kind}:${kid}:${activeFrom.toISOString()}`;
}
