export { AccessTokens } from './access-tokens.js';
export { HttpDoor, type HeldRequest } from './doors/http-door.js';
export { KnownTasks, type OperationLease, type OperationTask, type OperationTasks } from './known-tasks.js';
export type { LeftOfLimit, Operation, OperationAnswer } from './operation.js';
export type { OperationRecords } from './operation-record.js';
export { Operations } from './operations.js';
export { ResourceServers } from './resource-servers.js';
export { ShownTokens } from './shown-tokens.js';
export type { UseRequest, UsesLeft, UseStore, UseVerdict } from './use.store.js';
