import { deny, permit, type Judgement, type Obligations } from '@mayfly/policy';
import { exhaustedLimit, type QuotaLeft, type QuotaLimits } from '@mayfly/tasks';

/** Permits of both quota controls, for a task that the commit counted. */
export const QUOTA_TAKEN: readonly Judgement[] = [permit('quota-concurrent-tasks'), permit('quota-tasks-per-minute')];

/** Returns the limits of a template within the obligations of the policies that permit the task. */
export function narrowedQuota(limits: QuotaLimits, { concurrentTasks, tasksPerMinute }: Obligations): QuotaLimits {
  if (concurrentTasks === undefined && tasksPerMinute === undefined) return limits;
  return {
    ...limits,
    concurrentTasks: Math.min(limits.concurrentTasks, concurrentTasks ?? limits.concurrentTasks),
    tasksPerMinute: Math.min(limits.tasksPerMinute, tasksPerMinute ?? limits.tasksPerMinute),
  };
}

/**
 * Judges the quota controls of a template by a reading of its counters. It takes no quota, so the commit may decide
 * otherwise.
 */
export function judgeQuota(template: string, limits: QuotaLimits, left: QuotaLeft): readonly Judgement[] {
  const exhausted = exhaustedLimit(left);
  return exhausted === undefined ? QUOTA_TAKEN : [...QUOTA_TAKEN, quotaDenial(template, limits, exhausted)];
}

/**
 * Judges a task that the commit refused for its quota. When the counters show free quota by now, the denial asks for a
 * retry after 1 s.
 */
export function judgeRefusedQuota(template: string, limits: QuotaLimits, left: QuotaLeft): readonly Judgement[] {
  const exhausted = exhaustedLimit(left);
  const denial = quotaDenial(template, limits, exhausted ?? 'quota-concurrent-tasks');
  return [...QUOTA_TAKEN, exhausted === undefined ? { ...denial, retryAfterSeconds: 1 } : denial];
}

function quotaDenial(
  template: string,
  limits: QuotaLimits,
  control: 'quota-concurrent-tasks' | 'quota-tasks-per-minute',
) {
  const name = control === 'quota-tasks-per-minute' ? 'tasksPerMinute' : 'concurrentTasks';
  const evidence = { limit: { name, value: limits[name] } };
  const allows = `template \`${template}\` allows ${String(limits[name])}`;
  return control === 'quota-tasks-per-minute'
    ? deny(control, `${allows} tasks a minute (\`quota.tasksPerMinute\`), and that many began in this minute`, {
        ...{ evidence, retryAfterSeconds: 60, help: 'try again within a minute' },
      })
    : deny(control, `${allows} tasks at a time (\`quota.concurrentTasks\`), and that many are running`, {
        ...{ evidence, retryAfterSeconds: 5, help: 'complete a running task first' },
      });
}
