import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AwsSession } from '@mayfly/sdk';

const PATH = '/credentials';

/**
 * Serves an AWS session at `AWS_CONTAINER_CREDENTIALS_FULL_URI`, which may be http on a loopback address only. Tools
 * send the token of `AWS_CONTAINER_AUTHORIZATION_TOKEN` as `Authorization`. A page in a browser can reach the endpoint
 * too, so it refuses requests with an `Origin` or another `Host`.
 */
export class AwsEndpoint {
  readonly token = randomBytes(32).toString('base64url');
  private readonly server: Server;

  private constructor(private session: AwsSession) {
    this.server = createServer((request, response) => {
      this.answer(request, response);
    });
  }

  /** Listens on a free port of 127.0.0.1. */
  static async start(session: AwsSession): Promise<AwsEndpoint> {
    const endpoint = new AwsEndpoint(session);
    await new Promise<void>((resolve, reject) => {
      endpoint.server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    endpoint.server.unref();
    return endpoint;
  }

  get url(): string {
    return `http://${this.host}${PATH}`;
  }

  /** Replaces the session that the endpoint serves. */
  replace(session: AwsSession): void {
    this.session = session;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private get host(): string {
    return `127.0.0.1:${String((this.server.address() as AddressInfo).port)}`;
  }

  private answer({ method, url, headers }: IncomingMessage, response: ServerResponse): void {
    const refusal = this.refusalOf({ method, url, headers });
    const { accessKeyId, secretAccessKey, sessionToken = '', expiration } = this.session;
    if (refusal !== undefined) refuse(response, refusal);
    else {
      send(response, 200, {
        AccessKeyId: accessKeyId,
        SecretAccessKey: secretAccessKey,
        Token: sessionToken,
        Expiration: expiration,
      });
    }
  }

  private refusalOf({ method, url, headers }: Pick<IncomingMessage, 'method' | 'url' | 'headers'>) {
    if (headers.host !== this.host || headers.origin !== undefined) return { status: 403, code: 'Forbidden' };
    if (!isSame(headers.authorization ?? '', this.token)) return { status: 401, code: 'Unauthorized' };
    return method === 'GET' && url === PATH ? undefined : { status: 404, code: 'NotFound' };
  }
}

function refuse(response: ServerResponse, { status, code }: { readonly status: number; readonly code: string }): void {
  send(response, status, { code, message: 'this endpoint serves one command only' });
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

/** Compares in constant time. */
function isSame(given: string, wanted: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(wanted)];
  return left.length === right.length && timingSafeEqual(left, right);
}
