import { VaultFailure } from './failures.js';

/** The promise's own outcome, or `timeout` as soon as `signal` aborts. The promise goes on to its end all the same. */
export async function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  // nobody else may be listening when the caller has gone
  promise.catch(() => undefined);
  const done = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    const stop = (): void => {
      reject(new VaultFailure('timeout', '', { uncertain: true }));
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true, signal: done.signal });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    done.abort();
  }
}
