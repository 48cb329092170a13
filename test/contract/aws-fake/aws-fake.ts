import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Account, ACCOUNT, type Principal } from './account.js';
import { AwsError, errorXml, type Call } from './answers.js';
import { Iam } from './iam.js';
import { readPolicy } from './policy.js';
import { S3 } from './s3.js';
import { signatureOf, type Signature } from './signature.js';
import { Sts } from './sts.js';

/**
 * A fault of one call. `refuse` answers this code before any work; the others act after the work, like a server that
 * commits and then hangs, drops the connection, or answers 500.
 */
export type Fault =
  | { readonly kind: 'refuse'; readonly code: string; readonly status?: number; readonly message?: string }
  | { readonly kind: 'hang' | 'reset' | 'error' };

/** A call with its answer, as the wire has them. */
export interface Exchange {
  readonly call: Call;
  readonly token: string | undefined;
  readonly status: number;
  readonly text: string;
}

/** The answer of a broken server: any status, and a text that need not be XML. */
export interface RawAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const SKEW_SECONDS = 300;

/** An AWS account behind one address: an enforcing STS, IAM and object store, with faults on demand. */
export class AwsFake {
  readonly account = new Account();
  /** set: sees every exchange after the work, and may replace the answer */
  intercept: ((exchange: Exchange) => RawAnswer | undefined) | undefined;
  /** number of completed calls by action */
  readonly done = new Map<string, number>();
  /** the calls with a session, as CloudTrail records them: who called, and for which source identity */
  readonly trail: { readonly path: string; readonly arn: string; readonly sourceIdentity: string | undefined }[] = [];
  readonly admin = this.account.addUser(
    'admin',
    readPolicy('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'),
  );
  private readonly faults: { readonly action: string; readonly fault: Fault }[] = [];
  private readonly sts = new Sts(this.account);
  private readonly iam = new Iam(this.account);
  private readonly s3 = new S3(this.account);
  private readonly server: Server = createServer(
    // A client on a busy machine may send on a connection that Node's 5 s have just closed.
    { keepAliveTimeout: 120_000 },
    (request, response) => void this.serve(request, response),
  );
  private frozen: Promise<void> | undefined;
  private waiting = 0;
  private tokens = { count: 1, at: performance.now() };

  static async start(): Promise<AwsFake> {
    const fake = new AwsFake();
    await new Promise<void>((resolve) => fake.server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${String((this.server.address() as AddressInfo).port)}`;
  }

  /** Gives the next `times` calls of this action the fault. */
  fail(action: string, fault: Fault, times = 1): void {
    for (let count = 0; count < times; count += 1) this.faults.push({ action, fault });
  }

  /** Holds every call without an answer until `release`. */
  freeze(): { reached(): Promise<void>; release(): Promise<void> } {
    let thaw = (): void => undefined;
    this.frozen = new Promise((resolve) => (thaw = resolve));
    const reached = async (): Promise<void> => {
      while (this.waiting === 0) await pause(2);
    };
    const release = async (): Promise<void> => {
      this.frozen = undefined;
      thaw();
      while (this.waiting > 0) await pause(2);
    };
    return { reached, release };
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const signature = signatureOf(request);
    const call = callOf(request, body, signature);
    response.setHeader('date', this.account.now().toUTCString());
    this.waiting += 1;
    await this.frozen;
    this.waiting -= 1;
    try {
      const answer = await this.carryOut(call, signature, body);
      this.done.set(call.action, (this.done.get(call.action) ?? 0) + 1);
      const exchange = { call, token: signature?.token, status: 200, text: answer.body.toString() };
      if (!this.replaced(response, exchange)) this.send(response, answer, this.takeFault(call.action, 'after'));
    } catch (error) {
      const refusal = error instanceof AwsError ? error : new AwsError('InternalFailure', 500, String(error));
      const text = errorXml(call.service, refusal);
      if (this.replaced(response, { call, token: signature?.token, status: refusal.status, text })) return;
      response.writeHead(refusal.status, { 'content-type': 'text/xml' }).end(text);
    }
  }

  private replaced(response: ServerResponse, exchange: Exchange): boolean {
    const raw = this.intercept?.(exchange);
    if (raw !== undefined) response.writeHead(raw.status, raw.headers).end(raw.text);
    return raw !== undefined;
  }

  private send(
    response: ServerResponse,
    { body, type }: { body: string | Buffer; type?: string },
    fault: Fault | undefined,
  ): void {
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'reset') return void response.socket?.resetAndDestroy();
    if (fault?.kind === 'error')
      return void response.writeHead(500, { 'content-type': 'text/html' }).end('<html>oops</html>');
    response.writeHead(200, { 'content-type': type ?? 'text/xml' }).end(body);
  }

  private async carryOut(
    call: Call,
    signature: Signature | undefined,
    body: Buffer,
  ): Promise<{ body: string | Buffer; type?: string }> {
    this.throttle(call);
    const fault = this.takeFault(call.action, 'before');
    if (fault?.kind === 'refuse')
      throw new AwsError(fault.code, fault.status ?? 400, fault.message ?? 'refused by the test');
    const caller = this.authenticate(call, signature, body);
    this.record(call, caller);
    if (call.service === 'sts') return { body: await this.sts.answer(call, caller) };
    if (caller === undefined) throw new AwsError('AccessDenied', 403, 'Access Denied');
    return call.service === 'iam' ? { body: this.iam.answer(call, caller) } : this.s3.answer(call, caller);
  }

  private record({ path }: Call, caller: Principal | undefined): void {
    if (caller?.session === undefined) return;
    const { role, name, sourceIdentity } = caller.session;
    const arn = `arn:aws:sts::${ACCOUNT}:assumed-role/${role.name}/${name}`;
    this.trail.push({ path, arn, sourceIdentity });
  }

  private authenticate({ service }: Call, signature: Signature | undefined, body: Buffer): Principal | undefined {
    if (signature === undefined) return undefined;
    const principal = this.account.principals.get(signature.accessKeyId);
    const said = service === 's3' ? REFUSALS.s3 : REFUSALS.query;
    if (principal === undefined) throw new AwsError(...said.unknown);
    const skew = Math.abs(signature.at.getTime() - this.account.now().getTime()) / 1000;
    if (skew > SKEW_SECONDS) throw new AwsError(...said.skewed);
    if (!signature.isMadeWith(principal.secretAccessKey, body)) throw new AwsError(...said.unsigned);
    if (signature.token !== principal.token) throw new AwsError(...said.token);
    if (principal.session !== undefined && principal.session.expiresAt <= this.account.now())
      throw new AwsError(...said.expired);
    return principal;
  }

  private throttle({ service }: Call): void {
    const { callsPerSecond } = this.account.behaviour;
    if (service === 's3' || callsPerSecond === Infinity) return;
    const now = performance.now();
    const count = Math.min(callsPerSecond, this.tokens.count + ((now - this.tokens.at) / 1000) * callsPerSecond);
    this.tokens = { count: count < 1 ? count : count - 1, at: now };
    if (count < 1) throw new AwsError('Throttling', 400, 'Rate exceeded');
  }

  private takeFault(action: string, when: 'before' | 'after'): Fault | undefined {
    const index = this.faults.findIndex(
      (one) => one.action === action && (one.fault.kind === 'refuse') === (when === 'before'),
    );
    return index < 0 ? undefined : this.faults.splice(index, 1)[0]?.fault;
  }
}

type Refusal = readonly [code: string, status: number, message: string];
type RefusedFor = 'unknown' | 'skewed' | 'unsigned' | 'token' | 'expired';

const UNSIGNED: Refusal = ['SignatureDoesNotMatch', 403, 'The request signature we calculated does not match yours.'];
/** Refusals of a wrong login, by STS and IAM and by the object store. */
const REFUSALS: Readonly<Record<'query' | 's3', Readonly<Record<RefusedFor, Refusal>>>> = {
  query: {
    unknown: ['InvalidClientTokenId', 403, 'The security token included in the request is invalid.'],
    skewed: ['SignatureDoesNotMatch', 403, 'Signature expired'],
    unsigned: UNSIGNED,
    token: ['InvalidClientTokenId', 403, 'The security token included in the request is invalid.'],
    expired: ['ExpiredToken', 403, 'The security token included in the request is expired'],
  },
  s3: {
    unknown: ['InvalidAccessKeyId', 403, 'The AWS Access Key Id you provided does not exist in our records.'],
    skewed: ['RequestTimeTooSkewed', 403, 'The difference between the request time and the current time is too large.'],
    unsigned: UNSIGNED,
    token: ['InvalidToken', 400, 'The provided token is malformed or otherwise invalid.'],
    expired: ['ExpiredToken', 400, 'The provided token has expired.'],
  },
};

function callOf(request: IncomingMessage, body: Buffer, signature: Signature | undefined): Call {
  const url = new URL(request.url ?? '/', 'http://fake');
  const method = request.method ?? 'GET';
  const isForm = (request.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded');
  const form = isForm ? new URLSearchParams(body.toString()) : url.searchParams;
  const service = signature?.service === 'iam' ? 'iam' : isForm ? 'sts' : 's3';
  return { service, action: form.get('Action') ?? method, form, method, path: url.pathname, body };
}
