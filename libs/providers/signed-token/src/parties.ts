import type { MintOrder } from '@mayfly/credentials';
import type { JsonObject } from '@mayfly/kernel';

/**
 * Returns the claims `sub` and `act` (RFC 8693 §4.1). Without a parent task, `sub` is the agent and there is no `act`. In
 * a task that was handed on, `sub` is the agent of the root, for which the others act. `act` is the agent that acts, and in
 * it are those that handed the work on, the latest outermost. Only the outermost actor may decide access.
 */
export function partiesOf({ agent, actors }: Pick<MintOrder<unknown, unknown>, 'agent' | 'actors'>): JsonObject {
  const [root, ...between] = actors ?? [];
  if (root === undefined) return { sub: agent.id };
  const inner = between.reduce<JsonObject>((act, sub) => (Object.keys(act).length === 0 ? { sub } : { sub, act }), {});
  return { sub: root, act: Object.keys(inner).length === 0 ? { sub: agent.id } : { sub: agent.id, act: inner } };
}
