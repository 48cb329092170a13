import type { Issuance } from '@mayfly/client';

/** A task, as far as its leases tell. */
export interface ListedTask {
  readonly taskId: string;
  readonly agent: string;
  readonly template: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  /** states of its leases by the name of the credential */
  readonly credentials: Readonly<Record<string, string>>;
  readonly cause?: string;
}

/** The first tasks of a history, newest first. Leases of one task follow each other in it, as they are made in one commit. */
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
