import type { TaskId } from '@mayfly/kernel';

/** The units in which uses are counted. One call is one attempt that may have reached the target. */
export const USE_UNITS = ['calls', 'queries', 'rows', 'bytes', 'spend'] as const;

export type UseUnit = (typeof USE_UNITS)[number];

/** The amounts of one use, or those that are used: whole numbers from 0. */
export type UseAmounts = Readonly<Record<UseUnit, number>>;

/** The limits of uses of one task with everything below it. A unit without a limit is not counted. */
export interface UseLimits {
  readonly total: Readonly<Partial<Record<UseUnit, number>>>;
  /** the most calls in any 60 s */
  readonly callsPerMinute?: number;
}

/** The limits of one task that a use draws from: its own, or those of a task above it. */
export interface UseCounter {
  readonly taskId: TaskId;
  readonly limits: UseLimits;
}

/** The units that a text names, with their numbers. */
type GivenAmounts = Readonly<Partial<Record<UseUnit, number | undefined>>>;

/** The members of a template's `quota` that limit uses. */
export interface UseQuota {
  readonly uses?: number | GivenAmounts | undefined;
  readonly usesPerMinute?: number | undefined;
}

/** Returns the limits of a quota within those that a delegation leaves; undefined when neither limits a use. */
export function narrowedLimitsOf(quota: UseQuota, left: UseQuota['uses']): UseLimits | undefined {
  const [own, given] = [useLimitsOf(quota), useLimitsOf({ uses: left })];
  if (own === undefined || given === undefined) return own ?? given;
  const total = USE_UNITS.flatMap((unit) => {
    const limits = [own.total[unit], given.total[unit]].filter((limit) => limit !== undefined);
    return limits.length === 0 ? [] : [[unit, Math.min(...limits)] as const];
  });
  return { ...own, total: Object.fromEntries(total) };
}

/** Returns the limits of a quota; undefined when it limits no use. A number limits calls. */
export function useLimitsOf({ uses, usesPerMinute }: UseQuota): UseLimits | undefined {
  const units = typeof uses === 'number' ? { calls: uses } : (uses ?? {});
  const total = Object.fromEntries(Object.entries(units).filter(([, limit]) => limit !== undefined));
  if (Object.keys(total).length === 0 && usesPerMinute === undefined) return undefined;
  return { total, ...(usesPerMinute === undefined ? {} : { callsPerMinute: usesPerMinute }) };
}

/** Returns the amounts of a use: a number counts calls, and an object is one call unless it says otherwise. */
export function useAmounts(uses: number | GivenAmounts = 1): UseAmounts {
  const given = typeof uses === 'number' ? { calls: uses } : uses;
  const { calls = 1, queries = 0, rows = 0, bytes = 0, spend = 0 } = given;
  return { calls, queries, rows, bytes, spend };
}
