import type { Issuance } from '@mayfly/client';

/** A task, derived from its leases. */
export interface ListedTask {
  readonly taskId: string;
  readonly agent: string;
  readonly template: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  /** lease state by credential name */
  readonly credentials: Readonly<Record<string, string>>;
  readonly cause?: string;
}

/** Groups issuances by task, newest first. One commit creates all leases of a task, so they are adjacent. */
export async function firstTasks(history: AsyncIterable<Issuance>, limit: number): Promise<ListedTask[]> {
  const tasks = new Map<string, ListedTask>();
  for await (const { taskId, name, state, agent, template, createdAt, expiresAt, cause } of history) {
    const known = tasks.get(taskId);
    if (known === undefined && tasks.size === limit) break;
    tasks.set(taskId, {
      ...(known ?? { taskId, agent, template: `${template.name}@${String(template.version)}`, createdAt, expiresAt }),
      credentials: { ...known?.credentials, [name]: state },
      ...(cause === undefined ? {} : { cause }),
    });
  }
  return [...tasks.values()];
}
