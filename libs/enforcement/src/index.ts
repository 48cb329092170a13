export { AccessTokens } from './access-tokens.js';
export { ResourceServers } from './resource-servers.js';
export type { UseRequest, UsesLeft, UseStore, UseVerdict } from './use.store.js';
