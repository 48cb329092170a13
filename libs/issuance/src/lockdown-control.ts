import { deny, permit, type Judgement } from '@mayfly/policy';
import { type EngagedLockdown, type LockdownSubject, scopeWords } from '@mayfly/tasks';

/** Port: the lockdowns in force, as this replica knows them. */
export interface LockdownSource {
  /**
   * Returns a lockdown in force that covers a requested task, or undefined. Throws `unavailable` when this replica may
   * have missed one.
   */
  lockdownOf(task: LockdownSubject): EngagedLockdown | undefined;
}

/** Judges the control `lockdown` of a requested task, by the lockdown that covers it. */
export function judgeLockdown(lockdown: EngagedLockdown | undefined): Judgement {
  return lockdown === undefined ? permit('lockdown') : lockdownDenial(lockdown.id, scopeWords(lockdown.scope));
}

/** Returns the denial of a task under a lockdown. `covers` says what the lockdown covers, when that is known. */
export function lockdownDenial(id: string | undefined, covers = 'this task') {
  const which = id === undefined ? 'a lockdown' : `lockdown \`${id}\``;
  return deny('lockdown', `${which} covers ${covers}`, {
    help: 'ask an operator, who can read its reason, and wait until it is released',
  });
}
