import type { z } from 'zod';
import { CommandFailure } from '../command-failure.js';
import { EXIT } from '../exit-codes.js';
import type { IdentityToken } from '../identity/compact-token.js';
import { systemCodeOf } from '../system-code.js';
import { BrokerRefusal } from './broker-refusal.js';
import { BrokerUnreachable } from './broker-unreachable.js';

const TIMEOUT_MS = 30_000;

export interface Call {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** how long an answer is waited for */
  readonly timeoutMs?: number;
}

export interface Answer<T> {
  readonly body: T;
  readonly etag: string | undefined;
}

/** One request, one answer: nothing is tried again here. */
export class Transport {
  constructor(
    private readonly url: string,
    private readonly identity: Pick<IdentityToken, 'read'>,
  ) {}

  /**
   * `call('GET', '/tasks/tsk_1', TaskSchema)`. Throws `BrokerRefusal` for a problem, `BrokerUnreachable` when no answer
   * came, and what reading the identity token throws. No error holds a token or a secret.
   */
  async call<T>(method: string, path: string, schema: z.ZodType<T>, call: Call = {}): Promise<Answer<T>> {
    const token = await this.identity.read();
    const { response, text } = await this.exchange(method, path, token, call);
    const body = text === '' ? undefined : parseJson(text);
    if (!response.ok) throw BrokerRefusal.of(response.status, body, response.headers.get('retry-after'));
    const parsed = schema.safeParse(body);
    if (!parsed.success) throw notUnderstood(parsed.error);
    return { body: parsed.data, etag: response.headers.get('etag') ?? undefined };
  }

  private async exchange(method: string, path: string, token: string, { body, headers, timeoutMs }: Call) {
    try {
      const response = await fetch(this.url + path, {
        method,
        headers: {
          accept: 'application/json',
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: 'error', // the token is for this address only
        signal: AbortSignal.timeout(timeoutMs ?? TIMEOUT_MS),
      });
      return { response, text: await response.text() };
    } catch (error) {
      throw new BrokerUnreachable(this.url, reasonOf(error));
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function notUnderstood(error: z.ZodError): CommandFailure {
  const place = error.issues[0]?.path.join('.') ?? '';
  const where = place === '' ? '' : ` at \`${place}\``;
  return new CommandFailure(
    EXIT.unavailable,
    `the answer is not what a broker gives${where}`,
    'is MAYFLY_URL the address of a broker of this version?',
  );
}

/** A code of the system, such as ECONNREFUSED; the texts of transport errors are not shown. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (error.name === 'TimeoutError') return 'it took too long';
  return systemCodeOf(error.cause) ?? 'the connection broke';
}
