import type { JsonObject } from '@mayfly/kernel';
import type { SigningAlgorithm } from './jws.js';

/**
 * The purpose of a signing key: `access` keys sign the tokens of agents, `federation` keys the tokens that prove this
 * service to targets. Each purpose has its own keys (docs/adr/0010-federation-keys.md).
 */
export type SigningKeyPurpose = 'access' | 'federation';

/** A public key in the JWKS (RFC 7517 §4; RFC 8037 §2 for Ed25519, RFC 7518 §6.2 for P-256 and §6.3 for RSA). */
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

/** One stored signing key. It reveals no secret without the sealing key. */
export interface StoredSigningKey {
  /** the JWK thumbprint (RFC 7638) */
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly publicJwk: PublicSigningJwk;
  /** PKCS #8, sealed for the purpose, this kid and this `activeFrom`, so none of them can be changed in the row */
  readonly sealedPrivateKey: Buffer;
  readonly createdAt: Date;
  /** The key signs from this instant (in milliseconds) until the next key's `activeFrom`. */
  readonly activeFrom: Date;
}

/**
 * Port: the store of the signing keys of one purpose; it never reads keys of another. Rows are added and never changed
 * or removed. Both methods throw `unavailable`.
 */
export interface SigningKeyStore {
  readonly purpose: SigningKeyPurpose;
  /** Returns all keys ever added, earliest `activeFrom` first. */
  list(): Promise<readonly StoredSigningKey[]>;
  /**
   * Adds a key when the key with the latest `activeFrom` is `expectedNewestKid` (undefined: when there is none). False
   * when it is not, because another replica was first. Of concurrent calls with one expectation exactly one is true.
   */
  add(key: StoredSigningKey, expectedNewestKid: string | undefined): Promise<boolean>;
}
