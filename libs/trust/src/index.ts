export { FederationTokens, type FederationTokenOrder } from './federation-tokens.js';
export { DIGESTS, type SignInput, type SigningAlgorithm } from './jws.js';
export { KEY_RING_DEFAULTS, KeyRing, type KeyRingOptions } from './key-ring.js';
export { LeaseMarker } from './lease-marker.js';
export { Sealer } from './sealer.js';
export type { SealingKeys } from './sealing-key.js';
export type { PublicSigningJwk, SigningKeyPurpose, SigningKeyStore, StoredSigningKey } from './signing-key-store.js';
export { ACCESS_TOKEN_TYPE, TokenSigner, type TokenClaims } from './token-signer.js';
export { TokenVerifier, type TokenExpectations } from './token-verifier.js';
