import vault from 'node-vault';
import { z } from 'zod';
import { NoAnswer, type Transport, type TransportCall } from './transport.js';

/** Bounds of one call, in milliseconds; `MINT_MS` for the one that is never broken off. */
const CALL_MS = 30_000;
export const MINT_MS = 60_000;

export interface VaultAnswer {
  readonly status: number;
  /** the envelope; members that the server left out are absent */
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

/** One identity at one server. Answers of every status are answers; only `NoAnswer` is thrown. */
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
      // lists by GET and a query: gateways do not know the verb LIST
      noCustomHTTPVerbs: true,
      'request-promise': { defaults: () => (call: TransportCall) => transport.send(call) },
    });
    // node-vault takes what it was not given from VAULT_TOKEN, VAULT_NAMESPACE and VAULT_PREFIX: nothing here comes from there
    Object.assign(this.client, { token: token ?? '', namespace: namespace ?? '', pathPrefix: '' });
  }

  /** The token that calls are made with, empty when there is none. */
  get identity(): string {
    return this.token ?? '';
  }

  /** `path` has no leading slash. Only `read`, `write` and `list` of node-vault: its helpers change the client's own token. */
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

/** node-vault rejects every status but 200 and 204, also 202, which is one of success. */
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
