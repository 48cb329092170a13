import { lookup } from 'node:dns/promises';
import { bareHost, egressError, isPublicAddress, isTrustedHost, type Egress } from './egress.js';
import type { FetchJson } from './key-source.js';

/** Every address that a host name has now. */
export type ResolveHost = (hostname: string) => Promise<readonly string[]>;

export interface GuardedFetchOptions {
  readonly egress: Egress;
  /** how names become addresses; default: the system's resolver */
  readonly resolveHost?: ResolveHost;
  /** the whole call, name look-up and body included; default 5 seconds */
  readonly timeoutMs?: number;
  /** of the body after decompression; default 256 KiB */
  readonly maxBytes?: number;
}

const TIMEOUT_MS = 5000;
const MAX_BYTES = 256 * 1024;

const resolveBySystem: ResolveHost = async (hostname) => {
  const addresses = await lookup(hostname, { all: true });
  return addresses.map(({ address }) => address);
};

/**
 * Fetches JSON without being led astray: https only, every address of the host public, no redirects, 5 seconds in all,
 * at most 256 KiB; hosts that the operator vouches for may be http and private. A name that changes its address between
 * check and connection gains nothing: the host there would need the certificate of that name.
 * Rejects with an `Error` whose message holds no URL.
 */
export function createGuardedFetch(options: GuardedFetchOptions): FetchJson {
  const { egress, resolveHost = resolveBySystem, timeoutMs = TIMEOUT_MS, maxBytes = MAX_BYTES } = options;
  return async (url) => {
    const refusal = egressError(url, egress);
    if (refusal !== undefined) throw new Error(`refused to fetch: ${refusal}`);
    const signal = AbortSignal.timeout(timeoutMs);
    const { hostname } = new URL(url);
    if (!isTrustedHost(hostname, egress)) await refusePrivateName(resolveHost(bareHost(hostname)), signal);
    const response = await fetch(url, { redirect: 'manual', signal, headers: { accept: 'application/json' } });
    return JSON.parse(await readBody(response, maxBytes)) as unknown;
  };
}

async function refusePrivateName(lookUp: ReturnType<ResolveHost>, signal: AbortSignal): Promise<void> {
  const addresses = await Promise.race([lookUp, rejectOnAbort(signal)]);
  if (addresses.length === 0 || !addresses.every(isPublicAddress)) {
    throw new Error('refused to fetch: the name has an address that is not public');
  }
}

/** The resolver cannot be interrupted; its answer is no longer waited for. */
function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('the name was not resolved in time'));
    });
  });
}

async function readBody({ status, body }: Response, maxBytes: number): Promise<string> {
  if (status !== 200 || body === null) {
    await body?.cancel();
    throw new Error(`answered with status ${String(status)}`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    // Leaving the loop cancels the body and with it the connection.
    if (size > maxBytes) throw new Error(`answered with more than ${String(maxBytes)} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
