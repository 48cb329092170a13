import type { JsonObject } from '@mayfly/kernel';
import type { SigningAlgorithm } from './jws.js';

/** A public key as the JWKS shows it (RFC 7517 §4; RFC 8037 §2 for Ed25519, RFC 7518 §6.2 for P-256). */
export interface PublicSigningJwk extends JsonObject {
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
  readonly y?: string;
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly use: 'sig';
}

/** One signing key at rest. Nothing in it is secret without the sealing key. */
export interface StoredSigningKey {
  /** JWK thumbprint (RFC 7638) */
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly publicJwk: PublicSigningJwk;
  /** PKCS #8, sealed for this kid and this `activeFrom`: neither can be changed in the row */
  readonly sealedPrivateKey: Buffer;
  readonly createdAt: Date;
  /** The key signs from this instant (to the millisecond) until the next key's. */
  readonly activeFrom: Date;
}

/** Where signing keys rest. Rows are added and never changed or removed. Both methods throw `unavailable`. */
export interface SigningKeyStore {
  /** All keys ever added, earliest `activeFrom` first. */
  list(): Promise<readonly StoredSigningKey[]>;
  /**
   * Adds a key if the one with the latest `activeFrom` is still `expectedNewestKid` (undefined: if there is none).
   * False when it is not: another replica was first. Of any number of concurrent calls with one expectation, one is true.
   */
  add(key: StoredSigningKey, expectedNewestKid: string | undefined): Promise<boolean>;
}
