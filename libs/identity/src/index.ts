export { bindingsOf, type AgentBinding } from './agents/agent-binding.js';
export {
  agentIdentityErrors,
  AgentIdentitySchema,
  AgentSpecSchema,
  type AgentIdentity,
  type AgentSpec,
} from './agents/agent-spec.js';
export { fitsEveryLogin } from './agents/claims-alone.js';
export { findBindingConflicts, type BindingConflict } from './agents/binding-conflicts.js';
export { bindIdentity, BindingIndex } from './agents/binding-index.js';
export { boundClaimsOf, type BoundClaims } from './agents/bound-claims.js';
export {
  agentRefused,
  identityRefusalReason,
  isReasonHidden,
  refusedIdentity,
  replayRefused,
  tokenMissing,
  type RefusedIdentity,
} from './identity-refusal.js';
export type { IdentityUses } from './identity-uses.js';
export type { IssuerCheck } from './examination/issuer-check.js';
export { examineKeys } from './examination/key-examination.js';
export { examineToken } from './examination/token-examination.js';
export { IdentityVerifier } from './identity-verifier.js';
export {
  IssuerSpecSchema,
  RoleSchema,
  type IdentityAlgorithm,
  type IssuerProfile,
  type IssuerSpec,
  type Role,
  type TrustedIssuer,
} from './issuers/issuer-spec.js';
export { describeTermFault, groupIssuers, issuerKey, termFaults, type TermFault } from './issuers/issuer-group.js';
export { issuerEgressErrors, TrustedIssuers } from './issuers/trusted-issuers.js';
export { IssuerKeySource } from './keys/issuer.key-source.js';
export type { KeySet } from './keys/key-set.js';
export type { FetchJson, KeySource, ReadFile, ServerTrust } from './keys/key-source.js';
export type { ClaimValue, KeptClaims } from './profiles/profile.js';
export type { AgentPrincipal, Principal } from './principal.js';
export { IDENTITY_REFUSAL_REASONS, type IdentityRefusalReason } from './refusal-reasons.js';
export { parseSpiffeId } from './spiffe-id.js';
export type { VerifiedIdentity } from './verified-identity.js';
