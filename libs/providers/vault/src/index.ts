export { TransitKey, transitSchema, type TransitConfig } from './transit.js';
export { VaultProvider } from './vault.provider.js';
export { type VaultConfig, type VaultHandle, type VaultScope } from './vault.schemas.js';
export { VAULT_REDACTION } from './secret-texts.js';
