import { digestOf, type JsonObject } from '@mayfly/kernel';
import type { CreateTask } from '@mayfly/client';
import { z } from 'zod';
import { claimsOf, type IdentityToken } from '../identity/compact-token.js';
import type { PrivateDirectory } from './private-directory.js';

const Instant = z.iso.datetime();

/** What is kept between two calls of a profile. */
const KeptSchema = z.discriminatedUnion('state', [
  /** a task was asked for, and no answer has come yet: the same key asks for the same task again */
  z.strictObject({ state: z.literal('asked'), idempotencyKey: z.string() }),
  z.strictObject({
    state: z.literal('open'),
    taskId: z.string(),
    credential: z.string(),
    openedAt: Instant,
    expiresAt: Instant,
    session: z.strictObject({
      accessKeyId: z.string(),
      secretAccessKey: z.string(),
      sessionToken: z.string().exactOptional(),
      expiration: z.string(),
      region: z.string().exactOptional(),
    }),
  }),
  /** the task is to be ended, and the broker has not said that it is: nothing of the session is left */
  z.strictObject({ state: z.literal('ending'), taskId: z.string() }),
]);
export type Kept = z.infer<typeof KeptSchema>;
export type OpenTask = Extract<Kept, { state: 'open' }>;

/** What makes two calls the same profile; a difference in any member is another task. */
export interface Profile {
  readonly brokerUrl: string;
  readonly request: CreateTask;
  readonly picked: readonly string[];
  readonly identity: IdentityToken;
}

/**
 * The name under which a profile's session is kept. The identity is the place of its token and whom the token names:
 * the claims that stay when it is replaced by a fresh one.
 */
export async function profileKey({ brokerUrl, request, picked, identity }: Profile): Promise<string> {
  const { iss, sub, azp, client_id: clientId } = claimsOf(await identity.read());
  return digestOf({
    brokerUrl,
    request: { ...request } as JsonObject,
    picked: picked.toSorted(),
    identity: { place: identity.place, iss, sub, azp, clientId },
  });
}

/** The one file of a profile. */
export class KeptFile {
  constructor(
    private readonly directory: PrivateDirectory,
    private readonly key: string,
  ) {}

  get lockPath(): string {
    return this.directory.pathOf(`${this.key}.lock`);
  }

  /** Undefined where nothing is kept, or half of something: whatever cannot be read is nothing. */
  async read(): Promise<Kept | undefined> {
    const text = await this.directory.read(this.name);
    if (text === undefined) return undefined;
    try {
      return KeptSchema.parse(JSON.parse(text));
    } catch {
      return undefined;
    }
  }

  async write(kept: Kept): Promise<void> {
    await this.directory.write(this.name, JSON.stringify(kept));
  }

  async remove(): Promise<void> {
    await this.directory.remove(this.name);
  }

  private get name(): string {
    return `${this.key}.json`;
  }
}

const LONGEST_MARGIN_MS = 30_000;

/** Whether a session is handed out once more: not in the last tenth of its life, or the last thirty seconds of a long one. */
export function hasTimeLeft({ openedAt, expiresAt }: OpenTask, now: Date): boolean {
  const end = Date.parse(expiresAt);
  return now.getTime() < end - Math.min(LONGEST_MARGIN_MS, (end - Date.parse(openedAt)) / 10);
}

/** The earlier of two instants in RFC 3339. */
export function earlier(one: string, other: string): string {
  return Date.parse(one) <= Date.parse(other) ? one : other;
}
