import type { TestAnswer, TestCall } from './broker.js';

/** A task as the routes of tasks answer it. */
export interface TaskBody {
  readonly id: string;
  readonly state: string;
  readonly endCause?: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly maxExpiresAt: string;
  readonly heartbeatTimeoutSeconds?: number;
  readonly credentials: readonly CredentialBody[];
}

export interface CredentialBody {
  readonly leaseId: string;
  readonly name: string;
  readonly provider: string;
  readonly state: string;
  readonly expiresAt: string;
  readonly providerExpiresAt?: string;
  readonly lastError?: string;
  readonly secret?: Readonly<Record<string, string>>;
}

/** Whatever answers requests: a broker in this process or in another one. */
export interface Door {
  send(route: string, call?: TestCall): Promise<TestAnswer>;
}

/** Of the starter template `support-read-cases`. */
export const READ_EMEA = {
  template: 'support-read-cases',
  parameters: { region: 'emea' },
  purpose: 'answer ticket 4711',
} as const;

/** The task in an answer of any of its routes. */
export function taskIn({ body }: TestAnswer): TaskBody {
  return body as unknown as TaskBody;
}

/** A granted task; throws with the refusal otherwise. */
export async function grant(door: Door, token: string, body: unknown = READ_EMEA): Promise<TaskBody> {
  const answer = await door.send('POST /tasks', { token, body });
  if (answer.status !== 201) throw new Error(`refused with ${String(answer.status)}: ${JSON.stringify(answer.body)}`);
  return taskIn(answer);
}

/** A member of the secret of a task's credential. */
export function secretOf(task: TaskBody, credential: string, member: string): string {
  const value = task.credentials.find(({ name }) => name === credential)?.secret?.[member];
  if (value === undefined) throw new Error(`the task has no \`${member}\` of credential \`${credential}\``);
  return value;
}

/** The id of the lease of a task's credential. */
export function leaseIdOf(task: TaskBody, credential: string): string {
  const found = task.credentials.find(({ name }) => name === credential);
  if (found === undefined) throw new Error(`the task has no credential \`${credential}\``);
  return found.leaseId;
}

/** The states of a task's leases, by credential. */
export function statesOf({ credentials }: TaskBody): Record<string, string> {
  return Object.fromEntries(credentials.map(({ name, state }) => [name, state]));
}
