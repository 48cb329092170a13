import { Problem } from '@mayfly/kernel';
import type { exhaustedLimit, QuotaLimits } from '@mayfly/quota';

/**
 * The `quota_exceeded` of a template: which limit refused, and what it is; a dry run shows the same. By the time
 * that the counter is read, a place may be free again: then the next request may take it.
 */
export function quotaRefusal(
  template: string,
  quota: QuotaLimits,
  control: ReturnType<typeof exhaustedLimit>,
): Problem {
  const name = control === 'quota-tasks-per-minute' ? 'tasksPerMinute' : 'concurrentTasks';
  const limit = { name, value: quota[name] };
  const allows = `template \`${template}\` allows ${String(limit.value)}`;
  return name === 'tasksPerMinute'
    ? new Problem('quota_exceeded', `${allows} tasks a minute (\`quota.tasksPerMinute\`), and as many began`, {
        ...{ control: 'quota-tasks-per-minute', limit, retryAfterSeconds: 60 },
        help: 'try again within a minute',
      })
    : new Problem('quota_exceeded', `${allows} tasks at a time (\`quota.concurrentTasks\`), and as many run`, {
        ...{ control: 'quota-concurrent-tasks', limit, retryAfterSeconds: control === undefined ? 1 : 5 },
        help: 'complete a running task first',
      });
}
