import vault from 'node-vault';
import { z } from 'zod';
import { NoAnswer, type Transport, type TransportCall } from './transport.js';

/**
 * Timeouts of one call, in milliseconds; `MINT_MS` is for the engine's call of a mint, which is never aborted earlier.
 */
const CALL_MS = 30_000;
export const MINT_MS = 60_000;

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

/** Calls one server with one token. Returns answers of every status; throws only `NoAnswer`. */
export class VaultClient {
  private readonly client: vault.client;

  constructor(
    transport: Transport,
    address: string,
    namespace: string | undefined,
    private readonly token: string | undefined,
  ) {
    this.client = vault({
      endpoint: address,
      debug: () => undefined,
      // lists by GET with a query, because gateways do not know the verb LIST
      noCustomHTTPVerbs: true,
      'request-promise': { defaults: () => (call: TransportCall) => transport.send(call) },
    });
    // node-vault takes missing values from VAULT_TOKEN, VAULT_NAMESPACE and VAULT_PREFIX: set all three here
    Object.assign(this.client, { token: token ?? '', namespace: namespace ?? '', pathPrefix: '' });
  }

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
    const options: Partial<TransportCall> = {
      timeout,
      onAnswer: (status, headers) => (seen = { status, ...told(headers) }),
    };
    const answered =
      method === 'write' ? this.client.write(path, body ?? {}, options) : this.client[method](path, options);
    const raw: unknown = await answered.catch((error: unknown) => {
      if (seen.status === 0) throw error instanceof NoAnswer ? error : new NoAnswer('bad-answer', true);
      return bodyOf(error);
    });
    const parsed = EnvelopeSchema.safeParse(raw ?? {});
    return { ...seen, body: parsed.success ? parsed.data : {} };
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
