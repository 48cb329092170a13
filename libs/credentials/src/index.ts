export { ConnectionSpecSchema, type Connection, type ConnectionSpec } from './connection.js';
export type {
  AnyProvider,
  Attending,
  ConnectionAware,
  CredentialProvider,
  EffectiveTraits,
  Minted,
  MintCheck,
  MintOrder,
  Probeable,
  ProbeCheck,
  ProbeReport,
  ProviderTraits,
  Reconcilable,
  RecordHandle,
  RelatedConnection,
  RelatedConnections,
  Renewable,
  ScopeObjection,
  ScopeRemark,
  Standing,
  RevocationClass,
  RevocationOrder,
  RevocationOutcome,
} from './provider.js';
export type { IdentityTokenOrder, IdentityTokens } from './identity-tokens.js';
export { ProviderRegistry, type RegisteredProvider } from './registry.js';
export { faultText, schemaFault, type SchemaFault } from './schema-fault.js';
export {
  isSecretReference,
  resolveSecrets,
  strayReferences,
  withDeadline,
  type SecretFault,
  type SecretSource,
} from './secret-reference.js';
export type { DenialClaim, DenialWrite, DeniedSession, StandingDenials } from './standing-denials.js';
export { unlessAborted } from './unless-aborted.js';
