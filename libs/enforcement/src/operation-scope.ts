import { deny, type Judgement, permit } from '@mayfly/policy';
import type { KnownLease, KnownTask } from './known-tasks.js';
import type { Operation } from './operation.js';
import type { AskingIdentity, ResourceServers } from './resource-servers.js';
import type { ShownToken } from './shown-tokens.js';

/** The part of the index of resource servers that operations are judged by. */
export type ServedBy = Pick<ResourceServers, 'serves' | 'guards'>;

/** Returns the credentials that the token stands for and whose enforcement point the caller is. */
export function servedLeases(
  { leases }: KnownTask,
  { leaseId }: ShownToken,
  identity: AskingIdentity,
  servers: ServedBy,
): readonly KnownLease[] {
  return leases.filter(({ id, connection, judged }) => {
    if (leaseId !== undefined && id !== leaseId) return false;
    const isServer = judged !== undefined && servers.serves(identity, judged.audience);
    return isServer || (connection !== undefined && servers.guards(identity, connection));
  });
}

/**
 * Judges the control `operation-scope`. INVARIANT: I7, an operation that nothing allows is denied: without a scope that
 * judges operations, the template has to name it, and the target is the connection or a name below it.
 */
export function judgeScope(
  task: Pick<KnownTask, 'operations' | 'template'>,
  served: readonly KnownLease[],
  { operation, target }: Pick<Operation, 'operation' | 'target'>,
): Judgement {
  const isAllowed = served.some(({ connection, judged }) =>
    judged === undefined
      ? task.operations.includes(operation) && connection !== undefined && isAtOrBelow(target, connection)
      : judged.allows(operation, target),
  );
  if (isAllowed) return permit('operation-scope');
  return deny('operation-scope', `the task may not do \`${operation}\` at this target`, {
    help: `use an operation and a target of its credentials, or of \`operations\` in template \`${task.template.name}\``,
  });
}

function isAtOrBelow(target: string, connection: string): boolean {
  return target === connection || target.startsWith(`${connection}/`);
}
