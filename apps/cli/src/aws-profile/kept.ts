import { digestOf, type JsonObject } from '@mayfly/kernel';
import type { CreateTask } from '@mayfly/client';
import { z } from 'zod';
import { claimsOf, type IdentityToken } from '../identity/compact-token.js';
import type { PrivateDirectory } from './private-directory.js';

const Instant = z.iso.datetime();

/** The stored state of a profile between two calls. */
const KeptSchema = z.discriminatedUnion('state', [
  /** a task was requested without an answer yet: the same key returns the same task */
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
  /** the end of the task is not confirmed yet: the session is deleted already */
  z.strictObject({ state: z.literal('ending'), taskId: z.string() }),
]);
export type Kept = z.infer<typeof KeptSchema>;
export type OpenTask = Extract<Kept, { state: 'open' }>;

/** The inputs that identify a profile. Two profiles that differ in a member have two tasks. */
export interface Profile {
  readonly brokerUrl: string;
  readonly request: CreateTask;
  readonly picked: readonly string[];
  readonly identity: IdentityToken;
}

/**
 * Returns the file name of a profile's session: a digest of all its members. Of the identity token it covers the source
 * and the claims that a fresh token keeps.
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

/** The file that stores the state of one profile. */
export class KeptFile {
  constructor(
    private readonly directory: PrivateDirectory,
    private readonly key: string,
  ) {}

  get lockPath(): string {
    return this.directory.pathOf(`${this.key}.lock`);
  }

  /** Reads the state. Returns undefined for a missing file and for invalid content. */
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

/** False in the last tenth of a session's life, or in its last 30 s if that is shorter. */
export function hasTimeLeft({ openedAt, expiresAt }: OpenTask, now: Date): boolean {
  const end = Date.parse(expiresAt);
  return now.getTime() < end - Math.min(LONGEST_MARGIN_MS, (end - Date.parse(openedAt)) / 10);
}

/** Returns the earlier of two RFC 3339 instants. */
export function earlier(one: string, other: string): string {
  return Date.parse(one) <= Date.parse(other) ? one : other;
}
