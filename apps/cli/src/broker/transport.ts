import type { z } from 'zod';
import { CommandFailure } from '../command-failure.js';
import { EXIT } from '../exit-codes.js';
import type { IdentityToken } from '../identity/compact-token.js';
import { systemCodeOf } from '../system-code.js';
import { BrokerRefusal } from './broker-refusal.js';
import { BrokerUnreachable } from './broker-unreachable.js';
import { exchange } from './exchange.js';

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
    const { status, text, header } = await this.exchange(method, path, token, call);
    const body = text === '' ? undefined : parseJson(text);
    if (status < 200 || status > 299) throw BrokerRefusal.of(status, body, header('retry-after'));
    const parsed = schema.safeParse(body);
    if (!parsed.success) throw notUnderstood(parsed.error);
    return { body: parsed.data, etag: header('etag') };
  }

  private async exchange(method: string, path: string, token: string, { body, headers, timeoutMs }: Call) {
    try {
      return await exchange({
        method,
        url: this.url + path, // redirects are not followed: the token is for this address only
        headers: {
          accept: 'application/json',
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        timeoutMs: timeoutMs ?? TIMEOUT_MS,
      });
    } catch (error) {
      throw new BrokerUnreachable(this.url, systemCodeOf(error) ?? 'the connection broke');
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
