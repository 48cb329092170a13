export { ConnectionSpecSchema, type Connection, type ConnectionSpec } from './connection.js';
export type {
  AnyProvider,
  CredentialProvider,
  Minted,
  MintCheck,
  MintOrder,
  Probeable,
  ProviderTraits,
  Renewable,
  RevocationClass,
  RevocationOrder,
  RevocationOutcome,
} from './provider.js';
export { ProviderRegistry, type RegisteredProvider } from './registry.js';
export {
  isSecretReference,
  resolveSecrets,
  strayReferences,
  withDeadline,
  type SecretFault,
  type SecretSource,
} from './secret-reference.js';
