import type { Task } from '@mayfly/client';
import { leaseEnds } from '@mayfly/sdk';
import { list, table } from '../output/table.js';
import { shortInstant } from './instants.js';
import type { ListedTask } from './task-list.js';

/** Formats a task and its credentials for people. */
export function taskWords(task: Task): string {
  const facts = list({
    task: task.id,
    state: task.endCause === undefined ? task.state : `${task.state} (${task.endCause})`,
    reason: task.endReason,
    template: `${task.template.name}@${String(task.template.version)}`,
    agent: `${task.agent.name} in ${task.runtime}`,
    purpose: task.purpose,
    created: shortInstant(task.createdAt),
    expires: `${shortInstant(task.expiresAt)}, renewable until ${shortInstant(task.maxExpiresAt)}`,
    'last heartbeat': task.heartbeatAt === undefined ? undefined : shortInstant(task.heartbeatAt),
    ended: task.endedAt === undefined ? undefined : shortInstant(task.endedAt),
  });
  return `${facts}\n${leaseEnds(task).join('\n')}\n`;
}

/** Formats tasks as a table for people. */
export function taskTable(tasks: readonly ListedTask[]): string {
  const rows = tasks.map(({ taskId, agent, template, createdAt, expiresAt, credentials, cause }) => [
    shortInstant(createdAt),
    agent,
    template,
    Object.entries(credentials)
      .map(([name, state]) => `${name} ${state}`)
      .join(', '),
    cause ?? '',
    shortInstant(expiresAt),
    taskId,
  ]);
  if (rows.length === 0) return 'none\n';
  return table(['CREATED', 'AGENT', 'TEMPLATE', 'CREDENTIALS', 'CAUSE', 'EXPIRES', 'TASK'], rows);
}
