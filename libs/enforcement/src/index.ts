export { AccessTokens } from './access-tokens.js';
export { ResourceServers } from './resource-servers.js';
