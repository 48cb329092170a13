import { Problem, type Json } from '@mayfly/kernel';

/**
 * Reads a secret by reference: `env:NAME` or `file:PATH`. Throws `provider_rejected`, which names the reference, never
 * a value.
 */
export interface SecretSource {
  /** Returns the secret behind a reference, read anew at each call. */
  read(reference: string): Promise<string>;
}

/**
 * Returns the reason why a reference is not allowed, or undefined. Refuses Mayfly's own secrets. Does not check that
 * the referenced secret exists.
 */
export type SecretFault = (reference: string) => string | undefined;

const REFERENCE = /^(env|file):.+$/s;

/** True when a configuration text is a reference to a secret. */
export function isSecretReference(text: string): boolean {
  return REFERENCE.test(text);
}

/** Returns JSON Pointers (RFC 6901) to the references in `config` that are not at `secretMembers`. */
export function strayReferences(config: Json, secretMembers: readonly string[], at = ''): string[] {
  if (typeof config === 'string') return isSecretReference(config) && !secretMembers.includes(at) ? [at] : [];
  if (config === null || typeof config !== 'object') return [];
  return Object.entries(config).flatMap(([key, value]) =>
    strayReferences(value ?? null, secretMembers, below(at, key)),
  );
}

/**
 * Returns a copy of `config` with the references at `secretMembers` (JSON Pointers, RFC 6901) replaced by their values.
 * Throws `provider_rejected`, before any secret is read, when a reference is at any other member: the provider may show
 * that member.
 */
export async function resolveSecrets(
  config: Json,
  source: SecretSource,
  secretMembers: readonly string[],
): Promise<Json> {
  const [stray] = strayReferences(config, secretMembers);
  if (stray !== undefined)
    throw new Problem(
      'provider_rejected',
      `the configuration has a secret reference at \`${stray}\`; write a plain value there`,
    );
  return secretMembers.length === 0 ? config : replaceReferences(config, source, '', secretMembers);
}

async function replaceReferences(
  value: Json,
  source: SecretSource,
  at: string,
  secretMembers: readonly string[],
): Promise<Json> {
  if (typeof value === 'string')
    return isSecretReference(value) && secretMembers.includes(at) ? await source.read(value) : value;
  if (value === null || typeof value !== 'object') return value;
  const entries = await Promise.all(
    Object.entries(value).map(async ([key, member]) => {
      return [key, await replaceReferences(member ?? null, source, below(at, key), secretMembers)] as const;
    }),
  );
  return Array.isArray(value) ? entries.map(([, member]) => member) : Object.fromEntries(entries);
}

function below(pointer: string, key: string): string {
  return `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** Runs `call` with a signal that aborts after `seconds`. Throws `provider_unavailable` at that instant. */
export async function withDeadline<T>(seconds: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(seconds * 1000);
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(
        new Problem('provider_unavailable', `the provider did not answer within ${String(seconds)} s; try again later`),
      );
    });
  });
  // The promise turns a synchronous throw of `call` into a rejection, so that `late` always has a listener.
  const answer = new Promise<T>((resolve) => {
    resolve(call(signal));
  });
  return Promise.race([answer, late]);
}
