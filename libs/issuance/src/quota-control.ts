import { deny, permit, type Judgement } from '@mayfly/policy';
import { exhaustedLimit, type QuotaLeft, type QuotaLimits } from '@mayfly/tasks';

/** Both quota controls of a task that was counted: the commit took its place. */
export const QUOTA_TAKEN: readonly Judgement[] = [permit('quota-concurrent-tasks'), permit('quota-tasks-per-minute')];

/**
 * The quota controls of a template by what is left of its limits. What is left is read and not taken, so that it can have
 * changed by the time the task is recorded.
 */
export function judgeQuota(template: string, limits: QuotaLimits, left: QuotaLeft): readonly Judgement[] {
  const exhausted = exhaustedLimit(left);
  return exhausted === undefined ? QUOTA_TAKEN : [...QUOTA_TAKEN, quotaDenial(template, limits, exhausted)];
}

/**
 * The denial of a task for which the commit found no place. Where a place is free again by the time the counter is read,
 * the next request may take it.
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
    ? deny(control, `${allows} tasks a minute (\`quota.tasksPerMinute\`), and as many began`, {
        ...{ evidence, retryAfterSeconds: 60, help: 'try again within a minute' },
      })
    : deny(control, `${allows} tasks at a time (\`quota.concurrentTasks\`), and as many run`, {
        ...{ evidence, retryAfterSeconds: 5, help: 'complete a running task first' },
      });
}
