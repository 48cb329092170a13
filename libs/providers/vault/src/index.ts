export type { DatabaseUser, SessionEnding } from './session-ending.js';
export { VaultProvider, type VaultParts } from './vault.provider.js';
export {
  vaultConfigSchema,
  VaultHandleSchema,
  VaultScopeSchema,
  type VaultConfig,
  type VaultHandle,
  type VaultScope,
} from './vault.schemas.js';
export { VAULT_REDACTION } from './secret-texts.js';
