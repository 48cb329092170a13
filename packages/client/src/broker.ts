import createClient, { type Client, type Middleware } from 'openapi-fetch';
import { ANSWERS } from './answer-shapes.js';
import { BrokerProblem } from './broker-problem.js';
import { BrokerUnreachable } from './broker-unreachable.js';
import { exchange } from './exchange.js';
import { misfit } from './misfit.js';
import type { paths } from './schema.js';
import { UnexpectedAnswer } from './unexpected-answer.js';
import { systemCodeOf } from './system-code.js';

const TIMEOUT_MS = 30_000;
const HEADERS_READ = ['content-type', 'etag', 'location', 'retry-after', 'x-request-id'];
/** Characters of a sendable token. Node would refuse others with an error that repeats the header. */
const SENDABLE = /^[\x21-\x7e]+$/;

/** Source of the bearer token. The client reads it before every request, so it always sends the current token. */
export interface TokenSource {
  /** Returns the token to send, without a scheme. */
  read(): Promise<string>;
}

export interface BrokerOptions {
  /** without a trailing slash */
  readonly url: string;
  readonly token: TokenSource;
  /** for one request and its complete answer; 30 s by default */
  readonly timeoutMs?: number;
}

/** The operations of openapi.json, by method and path. */
export type Calls = Client<paths>;

/** The body of an answer, and its entity tag if it has one. */
export interface Answer<T> {
  readonly body: T;
  readonly etag: string | undefined;
}

/**
 * Calls one broker and retries nothing. A call rejects with `BrokerProblem` for a problem, `BrokerUnreachable` without
 * a complete answer, `UnexpectedAnswer` when the answer is not a broker's, and the error of the token source. No error
 * holds a token or a secret. It follows no redirect, because the token is for this address only.
 */
export class Broker {
  readonly calls: Calls;

  constructor(private readonly options: BrokerOptions) {
    this.calls = this.within(options.timeoutMs ?? TIMEOUT_MS);
  }

  /** Returns the same calls with another time-out. */
  within(timeoutMs: number): Calls {
    const { url, token } = this.options;
    const calls = createClient<paths>({
      baseUrl: url,
      headers: { accept: 'application/json' },
      fetch: (request) => send(request, url, timeoutMs),
    });
    calls.use(withToken(token), CHECKED);
    return calls;
  }
}

/** Returns the body and entity tag of a call, as in `answerOf(broker.calls.GET('/me'))`. */
export async function answerOf<T>(
  call: Promise<{ readonly data?: T; readonly response: Response }>,
): Promise<Answer<T>> {
  const { data, response } = await call;
  // `CHECKED` has thrown for every answer that is not a success.
  return { body: data as T, etag: response.headers.get('etag') ?? undefined };
}

function withToken(token: TokenSource): Middleware {
  return {
    onRequest: async ({ request }) => {
      const text = await token.read();
      if (!SENDABLE.test(text))
        throw new TypeError('the bearer token has characters that a header cannot have; use the token as issued');
      request.headers.set('authorization', `Bearer ${text}`);
      return request;
    },
  };
}

/** Throws `BrokerProblem` for a failure, and `UnexpectedAnswer` for a success that does not match openapi.json. */
const CHECKED: Middleware = {
  onResponse: async ({ request, schemaPath, response }) => {
    const body = parseJson(await response.clone().text());
    if (!response.ok) throw BrokerProblem.of(response.status, body, response.headers.get('retry-after') ?? undefined);
    const shape = ANSWERS[`${request.method} ${schemaPath} ${String(response.status)}`];
    const place = shape === undefined ? [] : misfit(body, shape);
    if (place !== undefined) throw new UnexpectedAnswer(place.join('.'));
  },
};

async function send(request: Request, url: string, timeoutMs: number): Promise<Response> {
  const body = await request.text();
  try {
    const { status, text, header } = await exchange({
      method: request.method,
      url: request.url,
      headers: Object.fromEntries(request.headers),
      ...(body === '' ? {} : { body }),
      timeoutMs,
    });
    const headers = HEADERS_READ.flatMap((name): [string, string][] => {
      const value = header(name);
      return value === undefined ? [] : [[name, value]];
    });
    return new Response(text === '' ? null : text, { status, headers });
  } catch (error) {
    throw new BrokerUnreachable(url, systemCodeOf(error) ?? 'the connection broke');
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
