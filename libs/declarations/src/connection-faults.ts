import type { AnyProvider, ConnectionSpec } from '@mayfly/credentials';
import type { FieldError, Json } from '@mayfly/kernel';
import { below } from '@mayfly/templates';
import { firstFault } from './lint-facts.js';

/** Before the host, or among the parameters, where PostgreSQL takes it too. */
const PASSWORD_IN_URL = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*:[^/?#]*@|[^?]*\?(.*&)?password=)/is;

/**
 * What is wrong with a connection: a provider that this service does not have, a configuration that the provider refuses,
 * or a password written out where a reference belongs. Pointers are relative to the spec; values are never quoted.
 */
export function findConnectionFaults(spec: ConnectionSpec, providers: readonly AnyProvider[]): FieldError[] {
  const provider = providers.find(({ kind }) => kind === spec.provider);
  if (provider === undefined) {
    const kinds = providers.map(({ kind }) => kind).join(', ');
    return [{ pointer: '/provider', detail: `there is no provider \`${spec.provider}\`; this service has ${kinds}` }];
  }
  const fault = firstFault(provider.schemas.config, spec.config);
  const refused = fault === undefined ? [] : [{ pointer: '/config', detail: fault }];
  return [...refused, ...findPasswords(spec.config, '/config')];
}

function findPasswords(value: Json, pointer: string): FieldError[] {
  if (typeof value === 'string') {
    const detail = 'write the secret as a reference, `env:NAME` or `file:PATH`';
    return PASSWORD_IN_URL.test(value) ? [{ pointer, detail }] : [];
  }
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, member]) => findPasswords(member ?? null, below(pointer, key)));
}
