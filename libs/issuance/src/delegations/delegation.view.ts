import type { JsonObject, TaskId } from '@mayfly/kernel';
import type { Delegation, TreeNode } from './delegation.store.js';

/** Returns a delegation as the agent that handed the work on sees it. */
export function delegationView(delegation: Delegation): JsonObject {
  const { id, parentId, rootId, depth, agent, template, parameters, purpose, ttlSeconds, acceptBy } = delegation;
  const { uses } = delegation;
  return {
    ...{ id, state: delegation.acceptedAt === undefined ? 'pending_acceptance' : 'accepted' },
    ...{ parentId, rootId, depth, agent, template, parameters, purpose, ttlSeconds },
    uses: uses,
    acceptBy: acceptBy.toISOString(),
  };
}

/** Returns a tree as a list, parents before children. */
export function treeView(rootId: TaskId, nodes: readonly TreeNode[], isCut: boolean): JsonObject {
  return {
    rootId,
    nodes: nodes.map(({ expiresAt, acceptBy, ...node }) => ({
      ...node,
      expiresAt: expiresAt?.toISOString(),
      acceptBy: acceptBy?.toISOString(),
    })),
    truncated: isCut,
  };
}
