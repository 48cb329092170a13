import type { JsonObject } from '@mayfly/kernel';
import type { SigningAlgorithm } from './jws.js';

/**
 * What a key signs: the tokens that agents get, or those that targets trust this service by. Each purpose has keys of its
 * own (docs/adr/0010-federation-keys.md).
 */
export type SigningKeyPurpose = 'access' | 'federation';

/** A public key as the JWKS shows it (RFC 7517 §4; RFC 8037 §2 for Ed25519, RFC 7518 §6.2 for P-256 and §6.3 for RSA). */
export interface PublicSigningJwk extends JsonObject {
  readonly kty: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
  readonly n?: string;
  readonly e?: string;
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
  /** PKCS #8, sealed for the purpose, this kid and this `activeFrom`: none of them can be changed in the row */
  readonly sealedPrivateKey: Buffer;
  readonly createdAt: Date;
  /** The key signs from this instant (to the millisecond) until the next key's. */
  readonly activeFrom: Date;
}

/**
 * Where the signing keys of one purpose rest; it neither shows nor counts those of another. Rows are added and never changed
 * or removed. Both methods throw `unavailable`.
 */
export interface SigningKeyStore {
  readonly purpose: SigningKeyPurpose;
  /** All keys ever added, earliest `activeFrom` first. */
  list(): Promise<readonly StoredSigningKey[]>;
  /**
   * Adds a key if the one with the latest `activeFrom` is still `expectedNewestKid` (undefined: if there is none).
   * False when it is not: another replica was first. Of any number of concurrent calls with one expectation, one is true.
   */
  add(key: StoredSigningKey, expectedNewestKid: string | undefined): Promise<boolean>;
}
