import { Problem, type Json } from '@mayfly/kernel';

/** Looks a secret up by reference: `env:NAME` or `file:PATH`. Throws `provider_rejected` naming the reference, never a value. */
export interface SecretSource {
  read(reference: string): Promise<string>;
}

/** Says why a reference is not allowed, whether or not anything is there, or undefined: what Mayfly itself lives by is not. */
export type SecretFault = (reference: string) => string | undefined;

const REFERENCE = /^(env|file):.+$/s;

/** Whether a configuration string is a reference to a secret. */
export function isSecretReference(text: string): boolean {
  return REFERENCE.test(text);
}

/** Where references stand in `config` although the member is not among `secretMembers`: JSON Pointers (RFC 6901). */
export function strayReferences(config: Json, secretMembers: readonly string[], at = ''): string[] {
  if (typeof config === 'string') return isSecretReference(config) && !secretMembers.includes(at) ? [at] : [];
  if (config === null || typeof config !== 'object') return [];
  return Object.entries(config).flatMap(([key, value]) =>
    strayReferences(value ?? null, secretMembers, below(at, key)),
  );
}

/**
 * A copy of `config` in which the references at `secretMembers` (JSON Pointers, RFC 6901) are replaced by their values.
 * Throws `provider_rejected`, before anything is read, when a reference stands elsewhere: a secret would then end up
 * where the provider shows what it was given.
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
      `the configuration has a secret reference at \`${stray}\`, which takes none`,
    );
  return replaceReferences(config, source, '', secretMembers);
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
