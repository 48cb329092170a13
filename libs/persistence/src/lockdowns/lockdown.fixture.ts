import { auditEntry, type Actor } from '@mayfly/audit';
import { type Clock, newId } from '@mayfly/kernel';
import type { NewLockdown } from '@mayfly/revocation';
import type { LockdownScope } from '@mayfly/tasks';

/** The person who engages the lockdowns of the specs. */
export const OPERATOR: Actor = { kind: 'person', issuer: 'staff', subject: 'ada' };

/** Builds a lockdown of the scope, with its entry. */
export function newLockdown(clock: Clock, scope: LockdownScope): NewLockdown {
  const id = newId('lkd');
  const reason = 'incident 1';
  const facts = { lockdown: id, scope: { ...scope }, reason };
  return {
    id,
    scope,
    reason,
    actor: OPERATOR,
    entry: auditEntry('lockdown.engaged', clock.now(), OPERATOR, {}, facts),
  };
}
