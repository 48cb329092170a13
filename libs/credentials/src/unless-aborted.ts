/** The default error of `unlessAborted`. */
class Aborted extends Error {
  readonly code = 'aborted';
}

/**
 * Settles as `promise` does, or rejects with `failure()` as soon as `signal` aborts. `promise` itself continues; its
 * result is then ignored.
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
