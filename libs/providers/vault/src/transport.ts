import { Agent as HttpAgent, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as requestPlain } from 'node:http';
import { Agent as HttpsAgent, request as requestSecure } from 'node:https';
import { connectionAddressFault, EgressRefused, guardedLookup } from '@mayfly/egress';

/** Thrown when a call ended without an answer. `sent`: the server may have acted on it. */
export class NoAnswer extends Error {
  constructor(
    readonly why: 'timeout' | 'unreachable' | 'connection-lost' | 'bad-answer' | 'certificate' | 'address-refused',
    readonly sent: boolean,
  ) {
    super(why);
  }
}

/** The members that Mayfly uses of a call that node-vault hands to its transport. */
export interface TransportCall {
  readonly method: string;
  readonly uri: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly timeout: number;
  /** receives the answer's status and headers, which node-vault does not pass on */
  readonly onAnswer?: (status: number, headers: IncomingMessage['headers']) => void;
}

export interface TransportAnswer {
  readonly statusCode: number;
  readonly body: unknown;
  readonly request: { readonly path: string };
}

const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/**
 * The HTTP transport of node-vault, in place of its own. One timeout covers the whole call. It ignores proxy and
 * certificate settings of the environment, follows no redirect (which would carry the token along), and its errors hold
 * neither token nor body.
 */
export class Transport {
  private readonly agents: { readonly http: HttpAgent; readonly https: HttpsAgent };

  constructor(ca: string | undefined) {
    // close idle connections before the server does, which would look like a lost call
    const options = {
      keepAlive: true,
      maxSockets: 256,
      timeout: 45_000,
      lookup: guardedLookup(connectionAddressFault),
    };
    this.agents = {
      http: new HttpAgent(options),
      https: new HttpsAgent({ ...options, rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) }),
    };
  }

  /** Rejects with `NoAnswer` only. */
  send(call: TransportCall): Promise<TransportAnswer> {
    const url = new URL(call.uri);
    const text = call.json === undefined ? undefined : JSON.stringify(call.json);
    const secure = url.protocol === 'https:';
    const options: RequestOptions = {
      method: call.method,
      agent: secure ? this.agents.https : this.agents.http,
      headers: { ...call.headers, ...(text === undefined ? {} : jsonHeaders(text)) },
    };
    return new Promise((settle, reject) => {
      let connected = false;
      const request = (secure ? requestSecure : requestPlain)(url, options);
      const timer = setTimeout(() => request.destroy(new NoAnswer('timeout', connected)), call.timeout);
      const fail = (error: Error): void => {
        clearTimeout(timer);
        reject(error instanceof NoAnswer ? error : noAnswer(error, connected));
      };
      request.on('socket', (socket) => {
        if (socket.connecting) socket.once(secure ? 'secureConnect' : 'connect', () => (connected = true));
        else connected = true;
      });
      request.on('error', fail);
      request.on('response', (response) => {
        collect(response).then((body) => {
          clearTimeout(timer);
          call.onAnswer?.(response.statusCode ?? 0, response.headers);
          settle({ statusCode: response.statusCode ?? 0, body, request: { path: url.pathname } });
        }, fail);
      });
      request.end(text);
    });
  }

  close(): void {
    this.agents.http.destroy();
    this.agents.https.destroy();
  }
}

function jsonHeaders(text: string): Record<string, string> {
  return { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(text)) };
}

async function collect(response: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_ANSWER_BYTES) throw new NoAnswer('bad-answer', true);
    parts.push(part);
  }
  const text = Buffer.concat(parts).toString();
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // a gateway's page is not an answer of Vault; its status still counts
    return undefined;
  }
}

function noAnswer(error: Error, connected: boolean): NoAnswer {
  if (error instanceof EgressRefused) return new NoAnswer('address-refused', false);
  const code = 'code' in error ? String(error.code) : '';
  if (/CERT|SIGNED|TLS|SSL/.test(code)) return new NoAnswer('certificate', false);
  return connected ? new NoAnswer('connection-lost', true) : new NoAnswer('unreachable', false);
}
