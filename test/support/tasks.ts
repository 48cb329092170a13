import type { TestAnswer, TestCall } from './broker.js';

/** A task in the form of the task routes' answers. */
export interface TaskBody {
  readonly id: string;
  readonly state: string;
  readonly endCause?: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly maxExpiresAt: string;
  readonly heartbeatTimeoutSeconds?: number;
  readonly credentials: readonly CredentialBody[];
  readonly taskToken?: { readonly value: string; readonly expiresAt: string };
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

/** A receiver of requests: a broker in this process or in another one. */
export interface Door {
  send(route: string, call?: TestCall): Promise<TestAnswer>;
}

/** Body of a request for the starter template `support-read-cases`. */
export const READ_EMEA = {
  template: 'support-read-cases',
  parameters: { region: 'emea' },
  purpose: 'answer ticket 4711',
} as const;

/** Returns the task of an answer of a task route. */
export function taskIn({ body }: TestAnswer): TaskBody {
  return body as unknown as TaskBody;
}

/** Requests a task. Throws the refusal when it is not granted. */
export async function grant(door: Door, token: string, body: unknown = READ_EMEA): Promise<TaskBody> {
  const answer = await door.send('POST /tasks', { token, body });
  if (answer.status !== 201) throw new Error(`refused with ${String(answer.status)}: ${JSON.stringify(answer.body)}`);
  return taskIn(answer);
}

/** Returns a member of a credential's secret. */
export function secretOf(task: TaskBody, credential: string, member: string): string {
  const value = task.credentials.find(({ name }) => name === credential)?.secret?.[member];
  if (value === undefined) throw new Error(`the task has no \`${member}\` of credential \`${credential}\``);
  return value;
}

/** Returns the lease id of a credential. */
export function leaseIdOf(task: TaskBody, credential: string): string {
  const found = task.credentials.find(({ name }) => name === credential);
  if (found === undefined) throw new Error(`the task has no credential \`${credential}\``);
  return found.leaseId;
}

/** Returns lease states by credential name. */
export function statesOf({ credentials }: TaskBody): Record<string, string> {
  return Object.fromEntries(credentials.map(({ name, state }) => [name, state]));
}
