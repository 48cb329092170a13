import type { Actor, AuditEntry } from '@mayfly/audit';
import type { LockdownId, Page, PageRequest } from '@mayfly/kernel';
import type { LockdownScope } from '@mayfly/tasks';

/** The person who did something to a lockdown, when, and why. */
export interface LockdownAct {
  readonly at: Date;
  readonly by: Actor;
  readonly reason: string;
}

/** The leases under a lockdown: `matched` is the sum of `revoked`, `revoking` and `abandoned`. */
export interface LockdownProgress {
  readonly matched: number;
  /** proven dead */
  readonly revoked: number;
  /** to be revoked, and not proven dead */
  readonly revoking: number;
  /** given up by an operator: never proven dead */
  readonly abandoned: number;
  /** the age of the oldest revocation that is not proven; undefined when there is none */
  readonly oldestSeconds?: number;
}

/** A stored lockdown. */
export interface Lockdown {
  readonly id: LockdownId;
  readonly scope: LockdownScope;
  readonly engaged: LockdownAct;
  readonly releaseRequested?: LockdownAct;
  /** in the past: the lockdown denies nothing any more */
  readonly released?: Omit<LockdownAct, 'reason'>;
  /** true while the ends of its tasks are being recorded; it cannot be released meanwhile */
  readonly isEnding: boolean;
  readonly progress: LockdownProgress;
}

/** The tasks and leases that a lockdown would end now. */
export interface LockdownReach {
  readonly tasks: number;
  readonly leases: number;
  /** the number of leases at each connection, the largest first; at most 20 connections */
  readonly connections: readonly { readonly name: string; readonly leases: number }[];
}

/** A lockdown to engage. */
export interface NewLockdown {
  readonly id: LockdownId;
  readonly scope: LockdownScope;
  readonly reason: string;
  readonly actor: Actor;
  readonly entry: AuditEntry;
}

/** The locked row of a lockdown: while the work runs, no other release can change it. */
export interface LockedLockdown {
  readonly lockdown: Lockdown;
  /** Stores the request for a release, with its entry. */
  requestRelease(by: Actor, reason: string, entry: AuditEntry): Promise<void>;
  /** Takes the request for a release back, with an entry. */
  withdrawRelease(entry: AuditEntry): Promise<void>;
  /** Stores the release, with its entry. The lockdown denies nothing once the work is committed. */
  release(by: Actor, entry: AuditEntry): Promise<void>;
}

/** Port: the store of lockdowns. All methods throw `unavailable`. */
export interface LockdownStore {
  /** True when the scope names something that exists: declared now, or a task. */
  knows(scope: LockdownScope): Promise<boolean>;
  /** Counts what a lockdown of the scope would end now. */
  reach(scope: LockdownScope): Promise<LockdownReach>;
  /**
   * Engages a lockdown, unless one of the same scope is in force. Returns the id of the one in force. Waits for the
   * commits of grants under way; every later commit that would grant or deliver something under the scope is refused.
   * Orders the end of the tasks.
   */
  engage(lockdown: NewLockdown): Promise<LockdownId>;
  /** Ends the tasks of a lockdown in batches, until all have ended. A worker ends the rest after a crash. */
  endTasks(id: LockdownId): Promise<void>;
  find(id: LockdownId): Promise<Lockdown | undefined>;
  /** Lists lockdowns, the newest first. */
  list(filter: { readonly inForce: boolean }, page: PageRequest<LockdownId>): Promise<Page<Lockdown, LockdownId>>;
  /** Runs `work` under the lock of the lockdown; `work` gets undefined when there is none. */
  underLock<T>(id: LockdownId, work: (locked: LockedLockdown | undefined) => Promise<T>): Promise<T>;
}
