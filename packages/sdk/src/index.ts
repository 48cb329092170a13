export { accessOf } from './access/access-by-provider.js';
export { awsEndpointVariables, awsVariables } from './access/aws.js';
export { chosenAccess, type NamedAccess } from './access/chosen-access.js';
export { memberVariables, tokenVariables, type MemberVariables, type SecretOf } from './access/member-variables.js';
export { requirePlain } from './access/plain-value.js';
export { passwordLine, postgresVariables, type LoginFiles } from './access/postgres.js';
export {
  known,
  type AccessContext,
  type AwsSession,
  type PostgresLogin,
  type Secret,
  type ToolAccess,
  type ToolVariables,
} from './access/tool-access.js';
export { UnusableCredential, type UnusableReason } from './access/unusable-credential.js';
export { isClosed, leaseEnds } from './lease-ends.js';
export { TaskKeeper, type KeeperListener, type KeepOptions, type KeptTasks } from './task-keeper.js';
export { TasksClient, type Asking, type Granted } from './tasks.client.js';
