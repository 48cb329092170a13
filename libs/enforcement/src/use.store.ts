import type { LeaseId, TaskId } from '@mayfly/kernel';
import type { UseAmounts, UseCounter, UseUnit } from '@mayfly/tasks';

/** One use that an enforcement point asks for. */
export interface UseRequest {
  readonly taskId: TaskId;
  /** the lease of the credential, when the caller showed one; it must be active */
  readonly leaseId?: LeaseId;
  /** names the enforcement point and its request: the same key within a minute is the same use */
  readonly key?: string;
  readonly amounts: UseAmounts;
  /** the counters that the use draws from: those of the task and of all tasks above it */
  readonly counters: readonly UseCounter[];
}

/** The rest of each limited unit, of the counter with the least left. It is read in the commit, which may count later uses too. */
export type UsesLeft = Readonly<Partial<Record<UseUnit, { readonly limit: number; readonly left: number }>>>;

/**
 * The verdict of the commit on one use:
 * - `taken`: counted in every counter;
 * - `repeated`: the key was taken within a minute; not counted again;
 * - `dead`: the task or the lease may not be used; `cause` is the end of the task, or `lockdown`, `expired`, `unknown`,
 *   `lease`;
 * - `exhausted`: it crosses a limit, and its commit recorded the end of that task;
 * - `too-fast`: too many calls in this minute; they never fit when there is no `retryAfterSeconds`.
 */
export type UseVerdict =
  | { readonly kind: 'taken' | 'repeated'; readonly left: UsesLeft }
  | { readonly kind: 'dead'; readonly cause: string; readonly left: UsesLeft }
  | { readonly kind: 'exhausted'; readonly counter: UseCounter; readonly unit: UseUnit; readonly left: UsesLeft }
  | {
      readonly kind: 'too-fast';
      readonly counter: UseCounter;
      readonly retryAfterSeconds?: number;
      readonly left: UsesLeft;
    };

/**
 * Port: takes uses. INVARIANT: I7, a use that could not be counted is refused: the call throws `unavailable`. The use
 * may then be counted or not.
 */
export interface UseStore {
  /**
   * Takes a use, or refuses it and takes nothing. Exact for any number of calls at once, in any number of processes: a
   * counter never exceeds a limit, and no more calls than `callsPerMinute` pass in any 60 s. The use that crosses a limit is refused,
   * and the same commit records the end of the task whose limit it is, with everything below it (`uses_exhausted`).
   */
  take(request: UseRequest): Promise<UseVerdict>;
}
