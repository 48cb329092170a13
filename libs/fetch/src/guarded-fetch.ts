import { request as requestPlain, type IncomingMessage } from 'node:http';
import { request as requestSecure } from 'node:https';
import { pipeline } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import { createGunzip } from 'node:zlib';
import type { PublicEgress, ResolveHost } from '@mayfly/egress';
import type { FetchJson, ServerTrust } from '@mayfly/identity';
import { FetchFailed } from './fetch-failed.js';
import { spiffeIdentityFault } from './spiffe-server.js';

export interface GuardedFetchOptions {
  readonly egress: PublicEgress;
  /** resolves host names; default: the system's resolver */
  readonly resolveHost?: ResolveHost;
  /** the limit on the whole call, name look-up and body included; default 5 seconds */
  readonly timeoutMs?: number;
  /** the limit on the body after decompression; default 256 KiB */
  readonly maxBytes?: number;
}

const TIMEOUT_MS = 5000;
const MAX_BYTES = 256 * 1024;

/**
 * Returns a `FetchJson` that takes https only, public addresses only (judged in the look-up of the connection itself),
 * no redirects, 5 seconds in all and at most 256 KiB. Only the operator's allow-list loosens these rules. Each call
 * opens its own connection, so that no connection outlives the trust it was opened with. Rejects with `EgressRefused`,
 * or with `FetchFailed`, whose message holds no URL.
 */
export function createGuardedFetch(options: GuardedFetchOptions): FetchJson {
  const { timeoutMs = TIMEOUT_MS, maxBytes = MAX_BYTES } = options;
  return (url, trust = {}, onDate = () => undefined) =>
    exchange(url, { ...options, timeoutMs, maxBytes, trust }, (response) => {
      const stated = statedTime(response);
      if (stated !== undefined) onDate(stated);
    });
}

/** Sends JSON and returns the JSON of the answer. Rejects with `EgressRefused` or `FetchFailed`. */
export type PostJson = (url: string, body: unknown, token: string | undefined) => Promise<unknown>;

/**
 * Returns a `PostJson` under the rules of `createGuardedFetch`. With `token` it sends a bearer token (RFC 6750 §2.1).
 */
export function createGuardedPost(options: GuardedFetchOptions): PostJson {
  const { timeoutMs = TIMEOUT_MS, maxBytes = MAX_BYTES } = options;
  return (url, body, token) => {
    const post = { text: JSON.stringify(body), token };
    return exchange(url, { ...options, timeoutMs, maxBytes, trust: {}, post });
  };
}

interface Exchange extends Required<Pick<GuardedFetchOptions, 'egress' | 'timeoutMs' | 'maxBytes'>> {
  readonly resolveHost?: ResolveHost;
  readonly trust: ServerTrust;
  /** default: a GET */
  readonly post?: { readonly text: string; readonly token: string | undefined };
}

async function exchange(
  url: string,
  call: Exchange,
  onAnswer: (response: IncomingMessage) => void = () => undefined,
): Promise<unknown> {
  const refusal = call.egress.refusalOf(url);
  if (refusal !== undefined) throw refusal;
  const signal = AbortSignal.timeout(call.timeoutMs);
  try {
    const response = await answerOf(url, call, signal);
    onAnswer(response);
    return JSON.parse(await readBody(response, call.maxBytes)) as unknown;
  } catch (error) {
    throw FetchFailed.from(signal.aborted ? signal.reason : error);
  }
}

function answerOf(
  url: string,
  { egress, resolveHost, trust, post }: Exchange,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const options = {
    ...{ agent: false as const, signal, lookup: egress.lookupFor(url, resolveHost) },
    method: post === undefined ? 'GET' : 'POST',
    headers: { accept: 'application/json', 'accept-encoding': 'gzip', ...postHeaders(post) },
  };
  return new Promise((settle, reject) => {
    const request = url.startsWith('https:')
      ? requestSecure(url, { ...options, ...tlsOptions(trust) })
      : requestPlain(url, options);
    request.on('response', settle).on('error', reject).end(post?.text);
  });
}

function postHeaders(post: Exchange['post']): Readonly<Record<string, string>> {
  if (post === undefined) return {};
  const { text, token } = post;
  return {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
}

/**
 * The issuer's authorities replace those of the system. With a SPIFFE ID the certificate's host name proves nothing and
 * is not compared.
 */
function tlsOptions({ authorities, spiffeId }: ServerTrust): ConnectionOptions {
  return {
    ...(authorities === undefined ? {} : { ca: [...authorities] }),
    ...(spiffeId === undefined
      ? {}
      : {
          // Every certificate of a bundle is an anchor, even when it is not self-signed (SPIFFE Trust Domain and Bundle
          // §4).
          allowPartialTrustChain: true,
          checkServerIdentity: (_host: string, { raw }: { readonly raw: Buffer }) => spiffeIdentityFault(raw, spiffeId),
        }),
  };
}

/** A cache answers with the `Date` of the origin; `Age` says for how long it has had the answer (RFC 9111 §5.1). */
function statedTime({ headers: { date, age } }: IncomingMessage): Date | undefined {
  const stated = Date.parse(date ?? '');
  const seconds = /^\d{1,10}$/.test(age ?? '') ? Number(age) : 0;
  return Number.isNaN(stated) ? undefined : new Date(stated + seconds * 1000);
}

async function readBody(response: IncomingMessage, maxBytes: number): Promise<string> {
  if (response.statusCode !== 200) {
    response.destroy();
    throw new FetchFailed(`answered with status ${String(response.statusCode)}`);
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of unpacked(response) as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Leaving the loop destroys the stream and its connection.
    if (size > maxBytes) throw new FetchFailed(`answered with more than ${String(maxBytes)} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function unpacked(response: IncomingMessage): NodeJS.ReadableStream {
  if (response.headers['content-encoding'] !== 'gzip') return response;
  // `pipeline` passes an error of either stream to the reader of the last one.
  return pipeline(response, createGunzip(), () => undefined);
}
