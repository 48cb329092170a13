/** What `unlessAborted` rejects with, unless it is given something else. */
class Aborted extends Error {
  readonly code = 'aborted';
}

/**
 * The promise's own outcome, or a rejection with what `failure` makes as soon as `signal` aborts. The promise itself goes on
 * to its end, and what becomes of it then is nobody's concern.
 */
export async function unlessAborted<T>(
  signal: AbortSignal,
  promise: Promise<T>,
  failure: () => Error = () => new Aborted(),
): Promise<T> {
  promise.catch(() => undefined);
  const done = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    const stop = (): void => {
      reject(failure());
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
