export { ConnectionSpecSchema, type Connection, type ConnectionSpec } from './connection.js';
export type { DeclaredRoute } from './connection-routes.js';
export type { IdentityTokenOrder, IdentityTokens } from './identity-tokens.js';
export type { Authoring, ScopeRemark } from './authoring.js';
export type {
  Attending,
  Attenuable,
  ClockReporting,
  ConnectionAware,
  Enumerable,
  Introspectable,
  OperationJudging,
  Probeable,
  ProbeCheck,
  ProbeReport,
  Reconcilable,
  Renewable,
  ResourceServer,
  ScopeObjection,
  SecretFinding,
  SharedRevocation,
  TargetObject,
  TargetObjects,
  Usable,
  UseOrder,
  UseOutcome,
} from './provider-parts.js';
export {
  audienceFor,
  canUse,
  attending,
  clockAt,
  connectionsOf,
  enumerable,
  judgedScope,
  type JudgedScope,
  examining,
  objectionsTo,
  probeable,
  reconcilable,
  remarksOn,
  renewable,
  resourceServersOf,
  secretsIn,
  sharedRevocation,
  traitsOf,
  usable,
} from './provider-questions.js';
export type {
  AnyProvider,
  CredentialProvider,
  EffectiveTraits,
  Minted,
  MintOrder,
  ProviderTraits,
  RecordHandle,
  RelatedConnection,
  RevocationOrder,
  RevocationOutcome,
} from './provider.js';
export { ProviderRegistry, type ProviderEntry, type RegisteredProvider } from './registry.js';
export { parseValue } from './parse-value.js';
export { faultText, schemaFault } from './schema-fault.js';
export {
  isSecretReference,
  strayReferences,
  withDeadline,
  type SecretFault,
  type SecretSource,
} from './secret-reference.js';
export type {
  DenialFindings,
  DeniedSession,
  DenyPolicies,
  DenyPolicyClaim,
  DenyPolicyWrite,
  FoundDenials,
} from './deny-policies.js';
export type { LeaseMarks } from './lease-marks.js';
export { clientLibrary } from './client-library.js';
export { ConnectionGates } from './targets/connection-gates.js';
export { openMaterial, sealMaterial } from './targets/kept-material.js';
export { TargetClocks } from './targets/target-clocks.js';
export { configOf, handleOf, openHandle, sealHandle } from './targets/lease-handle.js';
export type { SealedLease, Sealing } from './targets/sealing.js';
export type { ConnectionSource, Target } from './targets/target.js';
export { Targets } from './targets/targets.js';
export { unlessAborted } from './unless-aborted.js';
