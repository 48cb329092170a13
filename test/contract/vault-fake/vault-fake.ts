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

/** How one answer goes wrong, all of them after the work is done: what came of it only the server knows. */
export type Interruption = 'hang' | 'reset' | '500' | 'page of a gateway' | 'role without a lease';

const CAPABILITY: Readonly<Record<string, readonly string[]>> = {
  GET: ['read'],
  LIST: ['list'],
  POST: ['create', 'update'],
  DELETE: ['delete'],
};

export const ROOT_TOKEN = 'root-of-the-fake';

/**
 * An enforcing fake of the protocol of Vault and OpenBao, with the answers that were measured at OpenBao 2.6.2: tokens,
 * accessors, orphans, policies, explicit ends, leases that die with their token, revocation that really drops the role at
 * PostgreSQL, and the ways in which such a server fails. It allows nothing that the server refuses.
 */
export class VaultFake {
  isSealed = false;
  /** a standby that passes nothing on */
  isStandby = false;
  /** how many requests are answered 429 from now on */
  rateLimited = 0;
  /** every request waits, as at a process that was stopped */
  frozen: Promise<void> | undefined;
  /** of every request that got through, in order */
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
    this.server = createServer((request, response) => void this.serve(request, response));
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

  /** Every call that is waiting for an answer is cut. */
  cutConnections(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cutConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  /** The next answer to a path that begins so goes wrong. */
  interrupt(path: string, how: Interruption): void {
    this.interruptions.push({ path, how });
  }

  /** Ends every token of a login, as an operator can: the broker's own is lost. */
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
    send(response, fault === '500' ? failure(500, 'internal error') : answer);
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
    // a token of the parent works inside a namespace, where its policies are looked for
    const inside = token.namespace === namespace ? token : { ...token, namespace };
    return own ?? askEngine({ ...call, token: inside }, this.database, this.leases);
  }

  /** What is answered whoever asks. */
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
    // reading the mounts is for whoever may do anything in one of them; the route itself looks
    if (path.startsWith('sys/internal/ui/mounts/')) return true;
    const isListOfLeases = path.startsWith('sys/leases/lookup/');
    return (CAPABILITY[method] ?? []).some((need) => has.has(need)) && (!isListOfLeases || has.has('sudo'));
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
  // the verb LIST is one that node:http does not know; this is the server's other form of it
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
