import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { DEAD_TOKEN, DENIED, failure, type Answer, type Fields } from './answers.js';
import { DatabaseEngine } from './database-engine.js';
import { askEngine } from './engines.js';
import { Leases } from './leases.js';
import { logIn } from './logins.js';
import { Namespace } from './namespace.js';
import { SystemRoutes } from './system.js';
import { Tokens, type Token } from './tokens.js';

/** Faults of one answer. All happen after the work, so only the server knows the result. */
export type Interruption = 'hang' | 'reset' | '500' | 'page of a gateway' | 'role without a lease';

const CAPABILITY: Readonly<Record<string, readonly string[]>> = {
  GET: ['read'],
  LIST: ['list'],
  POST: ['create', 'update'],
  DELETE: ['delete'],
};

/** A call with its answer, as the wire has them. */
export interface Exchange {
  readonly path: string;
  readonly fields: Fields;
  readonly token: string;
  readonly answer: Answer;
}

/** The answer of a broken server: any status, and a text that need not be JSON. */
export interface RawAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const ROOT_TOKEN = 'root-of-the-fake';

/**
 * An enforcing fake of the Vault and OpenBao protocol, with answers measured at OpenBao 2.6.2: tokens, accessors,
 * orphans, policies, explicit expiry, leases that end with their token, revocation that drops the real PostgreSQL role,
 * and the failures of such a server. It permits nothing that the server refuses.
 */
export class VaultFake {
  isSealed = false;
  /** true: a standby that forwards nothing */
  isStandby = false;
  /** number of next requests to answer with 429 */
  rateLimited = 0;
  /** set: every request waits for it, as at a stopped process */
  frozen: Promise<void> | undefined;
  /** set: sees every exchange after the work, and may replace the answer */
  intercept: ((exchange: Exchange) => RawAnswer | undefined) | undefined;
  /** every request that passed, in order */
  readonly calls: string[] = [];
  readonly database = new DatabaseEngine();
  readonly leases = new Leases();
  readonly tokens = new Tokens((token) => this.leases.revokeOf(token));
  private readonly namespaces = new Map([['', new Namespace('')]]);
  private readonly system = new SystemRoutes(this.tokens, this.leases, this.namespaces);
  private readonly interruptions: { readonly path: string; readonly how: Interruption }[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;

  constructor() {
    this.tokens.root(this.namespaces.get('')!, ROOT_TOKEN);
    // A client on a busy machine may send on a connection that Node's 5 s have just closed.
    const patience = { keepAliveTimeout: 120_000 };
    this.server = createServer(patience, (request, response) => void this.serve(request, response));
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  async start(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `http://127.0.0.1:${String((this.server.address() as AddressInfo).port)}`;
  }

  /** Cuts every connection, also of calls that wait for an answer. */
  cutConnections(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cutConnections();
    this.server.close();
    await once(this.server, 'close');
    await this.database.stop();
  }

  /** Gives the next answer to a path with this prefix the fault. */
  interrupt(path: string, how: Interruption): void {
    this.interruptions.push({ path, how });
  }

  /** Ends every login token, as an operator can, so that the broker loses its own. */
  loseLogins(): void {
    for (const accessor of this.tokens.accessors()) {
      const token = this.tokens.byAccessor(accessor);
      if (token?.path.endsWith('/login')) this.tokens.revoke(token);
    }
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = await readCall(request);
    await this.frozen;
    const fault = this.takeInterruption(call.path);
    if (fault === 'role without a lease') request.socket.destroy();
    const answer = await this.answer(call);
    this.calls.push(`${call.method} ${call.path}`);
    if (fault === 'reset') request.socket.destroy();
    if (fault === 'hang' || fault === 'reset') return;
    if (fault === 'page of a gateway') {
      response.writeHead(502, { 'Content-Type': 'text/html' }).end('<h1>Bad Gateway</h1>');
      return;
    }
    const { path, fields, headers } = call;
    const raw = this.intercept?.({ path, fields, token: headers.token, answer });
    if (raw !== undefined) response.writeHead(raw.status, raw.headers).end(raw.text);
    else send(response, fault === '500' ? failure(500, 'internal error') : answer);
  }

  private takeInterruption(path: string): Interruption | undefined {
    const index = this.interruptions.findIndex((planned) => path.startsWith(planned.path));
    return index < 0 ? undefined : this.interruptions.splice(index, 1)[0]!.how;
  }

  private async answer(call: Call): Promise<Answer> {
    const { path, fields, headers } = call;
    const wide = this.answerToAll(path);
    if (wide !== undefined) return wide;
    const namespace = this.namespaces.get(headers.namespace);
    if (namespace === undefined) return failure(404, 'namespace not found');
    const login = /^auth\/([\w-]+)\/login$/.exec(path)?.[1];
    if (login !== undefined) return logIn(this.tokens, namespace, login, fields);
    const token = this.tokens.find(headers.token);
    if (token === undefined || !reaches(token, namespace)) return DEAD_TOKEN;
    if (!this.allows(token.policies, namespace, call.method, path)) return DENIED;
    const own = this.system.answer({ ...call, token, namespace });
    // A token of the parent works inside a namespace and uses the policies of that namespace.
    const inside = token.namespace === namespace ? token : { ...token, namespace };
    return own ?? askEngine({ ...call, token: inside }, this.database, this.leases);
  }

  /** Returns the answers that do not depend on the caller. */
  private answerToAll(path: string): Answer | undefined {
    if (path === 'sys/health') return this.health();
    if (this.isSealed) return failure(503, 'Vault is sealed');
    if (this.isStandby) return { status: 307, headers: { Location: `http://127.0.0.1:1/v1/${path}` } };
    if (this.rateLimited === 0) return undefined;
    this.rateLimited -= 1;
    const limited = failure(429, `request path "${path}": rate limit quota exceeded`);
    return { ...limited, headers: { 'Retry-After': '1' } };
  }

  private allows(policies: readonly string[], namespace: Namespace, method: string, path: string): boolean {
    const has = namespace.capabilities(policies, path);
    if (has.has('root')) return true;
    if (has.has('deny')) return false;
    // Anyone with a capability in a mount may read the mounts; the route itself checks it.
    if (path.startsWith('sys/internal/ui/mounts/')) return true;
    const needsSudo = path.startsWith('sys/leases/lookup/') || path === 'auth/token/accessors';
    return (CAPABILITY[method] ?? []).some((need) => has.has(need)) && (!needsSudo || has.has('sudo'));
  }

  private health(): Answer {
    const body = { initialized: true, sealed: this.isSealed, standby: this.isStandby, version: '2.6.2-fake' };
    return { status: this.isSealed ? 503 : this.isStandby ? 429 : 200, body };
  }
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly fields: Fields;
  readonly headers: { readonly token: string; readonly namespace: string };
  readonly request: IncomingMessage;
}

async function readCall(request: IncomingMessage): Promise<Call> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const text = Buffer.concat(parts).toString();
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://fake');
  // node:http does not know the verb LIST; this is the server's other form of it.
  const isList = /^(1|true)$/.test(searchParams.get('list') ?? '');
  const header = (name: string): string => String(request.headers[name] ?? '');
  return {
    method: isList ? 'LIST' : (request.method ?? ''),
    path: pathname.replace(/^\/v1\//, ''),
    fields: text === '' ? {} : (JSON.parse(text) as Fields),
    headers: { token: header('x-vault-token'), namespace: header('x-vault-namespace') },
    request,
  };
}

function reaches(token: Token, namespace: Namespace): boolean {
  return token.namespace.name === '' || token.namespace === namespace;
}
