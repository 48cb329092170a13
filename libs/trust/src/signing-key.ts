import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { digestOf, Problem } from '@mayfly/kernel';
import type { SigningAlgorithm } from './jws.js';
import type { Sealer } from './sealer.js';
import type { PublicSigningJwk, SigningKeyPurpose, StoredSigningKey } from './signing-key-store.js';

/** An opened signing key, ready to use. */
export interface SigningKey {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly publicJwk: PublicSigningJwk;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly activeFrom: Date;
}

/** The JWK members that identify a key of each algorithm. */
const KINDS: Record<SigningAlgorithm, Pick<PublicSigningJwk, 'kty' | 'crv'>> = {
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
  ES256: { kty: 'EC', crv: 'P-256' },
  RS256: { kty: 'RSA' },
};

/**
 * The algorithms of each purpose; new keys use the first. No algorithm has two purposes, so a key's algorithm alone
 * shows its purpose.
 */
const ALGORITHMS: Record<SigningKeyPurpose, readonly [SigningAlgorithm, ...SigningAlgorithm[]]> = {
  access: ['EdDSA', 'ES256'],
  federation: ['RS256'],
};

const generate = promisify(generateKeyPair);

/** Returns the algorithm of new keys of a purpose. */
export function usualAlgorithm(purpose: SigningKeyPurpose): SigningAlgorithm {
  return ALGORITHMS[purpose][0];
}

/** True when keys of the purpose may use this algorithm. */
export function fitsPurpose(algorithm: SigningAlgorithm, purpose: SigningKeyPurpose): boolean {
  return ALGORITHMS[purpose].includes(algorithm);
}

/** Makes a private key on the thread pool: an RSA key (2,048 bits) takes a tenth of a second or more. */
export async function newPrivateKey(algorithm: SigningAlgorithm): Promise<KeyObject> {
  const made = {
    EdDSA: () => generate('ed25519'),
    ES256: () => generate('ec', { namedCurve: 'P-256' }),
    RS256: () => generate('rsa', { modulusLength: 2_048 }),
  }[algorithm];
  return (await made()).privateKey;
}

/** Returns the row of a private key, with the key sealed. */
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
 * Opens a stored key. It derives the public key from the sealed private key, so a row that someone planted, edited or
 * moved from another purpose never enters the JWKS. Throws `internal` for such a row.
 */
export function openSigningKey(sealer: Sealer, purpose: SigningKeyPurpose, row: StoredSigningKey): SigningKey {
  const der = sealer.open(row.sealedPrivateKey, sealingContext(purpose, row.kid, row.activeFrom));
  const privateKey = createPrivateKey({ key: der, type: 'pkcs8', format: 'der' });
  der.fill(0);
  const publicKey = createPublicKey(privateKey);
  const publicJwk = describePublicKey(publicKey, row.algorithm);
  if (!fitsPurpose(row.algorithm, purpose) || !isOfKind(publicJwk, row.algorithm)) {
    throw new Problem('internal', `signing key \`${row.kid}\` does not fit the algorithm in its row; restore the row`);
  }
  return { kid: row.kid, algorithm: row.algorithm, publicJwk, privateKey, publicKey, activeFrom: row.activeFrom };
}

function isOfKind({ kty, crv }: PublicSigningJwk, algorithm: SigningAlgorithm): boolean {
  return kty === KINDS[algorithm].kty && crv === KINDS[algorithm].crv;
}

type JwkMembers = Pick<PublicSigningJwk, 'kty' | 'crv' | 'x' | 'y' | 'n' | 'e'>;

/** Returns the SHA-256 JWK thumbprint, base64url (RFC 7638 §3.1; members by §3.2, for Ed25519 by RFC 8037 §2). */
export function thumbprint(jwk: JwkMembers): string {
  return digestOf(publicMembers(jwk));
}

function describePublicKey(key: KeyObject, alg: SigningAlgorithm): PublicSigningJwk {
  const members = publicMembers(key.export({ format: 'jwk' }));
  return { ...members, kid: thumbprint(members), alg, use: 'sig' };
}

/** Keeps only the members of the public key. */
function publicMembers({ kty = '', crv = '', x = '', y, n = '', e = '' }: Partial<JwkMembers>): JwkMembers {
  if (kty === 'RSA') return { kty, n, e };
  return y === undefined ? { kty, crv, x } : { kty, crv, x, y };
}

/** Returns the sealing context. That of access keys, the older purpose, names no purpose. */
function sealingContext(purpose: SigningKeyPurpose, kid: string, activeFrom: Date): string {
  const kind = purpose === 'access' ? 'signing-key' : `${purpose}-signing-key`;
  return `${kind}:${kid}:${activeFrom.toISOString()}`;
}
