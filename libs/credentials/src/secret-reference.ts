import { Problem, type Json } from '@mayfly/kernel';

/** Looks a secret up by reference: `env:NAME` or `file:PATH`. Throws `unavailable` naming the reference, never a value. */
export interface SecretSource {
  read(reference: string): Promise<string>;
}

const REFERENCE = /^(env|file):.+$/s;

/** Whether a configuration string is a reference to a secret. */
export function isSecretReference(text: string): boolean {
  return REFERENCE.test(text);
}

/** A copy of `config` in which each secret reference is replaced by its value. */
export async function resolveSecrets(config: Json, source: SecretSource): Promise<Json> {
  if (typeof config === 'string') return isSecretReference(config) ? await source.read(config) : config;
  if (config === null || typeof config !== 'object') return config;
  if (Array.isArray(config))
    return Promise.all((config as readonly Json[]).map((item) => resolveSecrets(item, source)));
  const entries = await Promise.all(
    Object.entries(config).map(async ([key, value]) => [key, await resolveSecrets(value ?? null, source)] as const),
  );
  return Object.fromEntries(entries);
}

/** Throws `provider_unavailable` after `seconds`, with a signal for the call that should stop by then. */
export async function withDeadline<T>(seconds: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(seconds * 1000);
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Problem('provider_unavailable', `the provider did not answer within ${String(seconds)} s`));
    });
  });
  // Inside a promise, a call that throws at once is one that rejects: `late` never stays without a listener.
  const answer = new Promise<T>((resolve) => {
    resolve(call(signal));
  });
  return Promise.race([answer, late]);
}
