import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { digestOf, Problem } from '@mayfly/kernel';
import type { SigningAlgorithm } from './jws.js';
import type { Sealer } from './sealer.js';
import type { PublicSigningJwk, StoredSigningKey } from './signing-key-store.js';

/** A signing key in memory, ready to use. */
export interface SigningKey {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly publicJwk: PublicSigningJwk;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly activeFrom: Date;
}

const CURVES: Record<SigningAlgorithm, string> = { EdDSA: 'Ed25519', ES256: 'P-256' };

/** A new key, sealed for storing. */
export function newSigningKey(
  sealer: Sealer,
  algorithm: SigningAlgorithm,
  createdAt: Date,
  activeFrom: Date,
): StoredSigningKey {
  const { privateKey } =
    algorithm === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicJwk = describePublicKey(createPublicKey(privateKey), algorithm);
  const der = privateKey.export({ type: 'pkcs8', format: 'der' });
  const sealedPrivateKey = sealer.seal(der, sealingContext(publicJwk.kid, activeFrom));
  der.fill(0);
  return { kid: publicJwk.kid, algorithm, publicJwk, sealedPrivateKey, createdAt, activeFrom };
}

/**
 * The key of a stored row. The public half is taken from the sealed private one, so that a row planted or edited in the
 * database never gets into the JWKS: it throws `internal` naming the kid.
 */
export function openSigningKey(sealer: Sealer, row: StoredSigningKey): SigningKey {
  const der = sealer.open(row.sealedPrivateKey, sealingContext(row.kid, row.activeFrom));
  const privateKey = createPrivateKey({ key: der, type: 'pkcs8', format: 'der' });
  der.fill(0);
  const publicKey = createPublicKey(privateKey);
  const publicJwk = describePublicKey(publicKey, row.algorithm);
  if (publicJwk.crv !== CURVES[row.algorithm]) {
    throw new Problem('internal', `signing key \`${row.kid}\` is not for the algorithm that its row names`);
  }
  return { kid: row.kid, algorithm: row.algorithm, publicJwk, privateKey, publicKey, activeFrom: row.activeFrom };
}

/** SHA-256 JWK thumbprint, base64url (RFC 7638 §3.1; members for Ed25519 by RFC 8037 §2). */
export function thumbprint(jwk: Pick<PublicSigningJwk, 'kty' | 'crv' | 'x' | 'y'>): string {
  const { kty, crv, x, y } = jwk;
  return digestOf(y === undefined ? { crv, kty, x } : { crv, kty, x, y });
}

function describePublicKey(key: KeyObject, alg: SigningAlgorithm): PublicSigningJwk {
  const { kty = '', crv = '', x = '', y } = key.export({ format: 'jwk' });
  const members = y === undefined ? { kty, crv, x } : { kty, crv, x, y };
  return { ...members, kid: thumbprint(members), alg, use: 'sig' };
}

function sealingContext(kid: string, activeFrom: Date): string {
  return `signing-key:${kid}:${activeFrom.toISOString()}`;
}
