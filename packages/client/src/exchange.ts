import { request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';

/** Far larger than the largest page of issuances. */
const LARGEST_ANSWER_BYTES = 16 * 1024 * 1024;

export interface Exchange {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** from the first byte sent to the last byte received */
  readonly timeoutMs: number;
}

/** The complete answer to one request. */
export interface Exchanged {
  readonly status: number;
  readonly text: string;
  /** reads a header by its lower-case name */
  readonly header: (name: string) => string | undefined;
}

/**
 * Sends one request on its own connection and reads the complete answer; follows no redirect. Rejects with a system
 * error (`ECONNREFUSED` …), or with code `ETIMEDOUT` or `EMSGSIZE`. It does not use `fetch`: with Node 20, `fetch` may
 * wait forever when the peer closes a connection right after accepting it, as a load balancer without a backend does.
 */
export function exchange({ method, url, headers, body, timeoutMs }: Exchange): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? overHttps : overHttp;
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const request = send(url, { method, headers: { ...headers, ...length }, agent: false });
    const patience = setTimeout(() => request.destroy(failure('ETIMEDOUT')), timeoutMs);
    const parts: Buffer[] = [];
    let size = 0;
    request.once('close', () => {
      clearTimeout(patience);
      reject(failure('ECONNRESET')); // unless it has been settled
    });
    request.once('error', reject);
    request.once('response', (response) => {
      response.once('error', reject);
      response.on('data', (part: Buffer) => {
        size += part.length;
        parts.push(part);
        if (size > LARGEST_ANSWER_BYTES) request.destroy(failure('EMSGSIZE'));
      });
      response.once('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          text: Buffer.concat(parts).toString('utf8'),
          header: (name) => single(response.headers[name]),
        });
      });
    });
    request.end(body);
  });
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
