import { clientLibrary } from '@mayfly/credentials';
import type { ServerClock } from './server-clock.js';
import type vault from 'node-vault';
import { z } from 'zod';
import { NoAnswer, type Transport, type TransportCall } from './transport.js';

/**
 * Timeouts of one call, in milliseconds; `MINT_MS` is for the engine's call of a mint, which is never aborted earlier.
 */
const CALL_MS = 30_000;
export const MINT_MS = 60_000;

/** An answer of any status. */
export interface VaultAnswer {
  readonly status: number;
  /** the response envelope; members that the server left out are absent */
  readonly body: Envelope;
  readonly retryAfterSeconds?: number;
  /** the server's clock, to the second */
  readonly date?: Date;
}

const EnvelopeSchema = z.looseObject({
  errors: z.array(z.string()).optional().catch(undefined),
  warnings: z.array(z.string()).nullish().catch(undefined),
  lease_id: z.string().optional().catch(undefined),
  lease_duration: z.number().optional().catch(undefined),
  renewable: z.boolean().optional().catch(undefined),
  data: z.record(z.string(), z.json()).nullish().catch(undefined),
  auth: z
    .looseObject({
      client_token: z.string(),
      accessor: z.string(),
      lease_duration: z.number(),
      renewable: z.boolean(),
      orphan: z.boolean().optional(),
      policies: z.array(z.string()).nullish(),
    })
    .nullish()
    .catch(undefined),
});
export type Envelope = z.infer<typeof EnvelopeSchema>;

export type Method = 'read' | 'write' | 'list';

/**
 * Calls one server with one token. Returns answers of every status; throws only `NoAnswer`, or `provider_unavailable`
 * when node-vault cannot be loaded. It is loaded with the first call.
 */
export class VaultClient {
  private client: Promise<vault.client> | undefined;

  constructor(
    private readonly transport: Transport,
    private readonly address: string,
    private readonly namespace: string | undefined,
    private readonly token: string | undefined,
    private readonly clock: ServerClock,
  ) {}

  /** The token of all calls, empty when there is none. */
  get identity(): string {
    return this.token ?? '';
  }

  /**
   * Sends one call; `path` has no leading slash. Uses only `read`, `write` and `list` of node-vault, because its
   * helpers change the client's own token.
   */
  async call(method: Method, path: string, body?: unknown, timeout = CALL_MS): Promise<VaultAnswer> {
    let seen: Pick<VaultAnswer, 'retryAfterSeconds' | 'date'> & { status: number } = { status: 0 };
    const client = await (this.client ??= this.open());
    const sentAt = this.clock.now();
    const options: Partial<TransportCall> = {
      timeout,
      onAnswer: (status, headers) => {
        seen = { status, ...told(headers) };
        this.clock.note(sentAt, seen.date);
      },
    };
    const answered = method === 'write' ? client.write(path, body ?? {}, options) : client[method](path, options);
    const raw: unknown = await answered.catch((error: unknown) => {
      if (seen.status === 0) throw error instanceof NoAnswer ? error : new NoAnswer('bad-answer', true);
      return bodyOf(error);
    });
    const parsed = EnvelopeSchema.safeParse(raw ?? {});
    return { ...seen, body: parsed.success ? parsed.data : {} };
  }

  private async open(): Promise<vault.client> {
    const { default: makeClient } = await clientLibrary('node-vault', () => import('node-vault'));
    const client = makeClient({
      endpoint: this.address,
      debug: () => undefined,
      // lists by GET with a query, because gateways do not know the verb LIST
      noCustomHTTPVerbs: true,
      'request-promise': { defaults: () => (call: TransportCall) => this.transport.send(call) },
    });
    // node-vault takes missing values from VAULT_TOKEN, VAULT_NAMESPACE and VAULT_PREFIX: set all three here
    return Object.assign(client, { token: this.token ?? '', namespace: this.namespace ?? '', pathPrefix: '' });
  }
}

/** Returns the body of a rejected answer. node-vault rejects every status but 200 and 204, also the success 202. */
function bodyOf(error: unknown): unknown {
  const response = error instanceof Error && 'response' in error ? error.response : undefined;
  return typeof response === 'object' && response !== null && 'body' in response ? response.body : undefined;
}

function told(headers: Record<string, string | string[] | undefined>): Pick<VaultAnswer, 'retryAfterSeconds' | 'date'> {
  const retryAfter = Number(headers['retry-after']);
  const date = new Date(String(headers.date));
  return {
    ...(Number.isFinite(retryAfter) && retryAfter > 0 ? { retryAfterSeconds: Math.ceil(retryAfter) } : {}),
    ...(Number.isNaN(date.getTime()) ? {} : { date }),
  };
}
