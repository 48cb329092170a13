import {
  isSecretReference,
  schemaFault,
  secretsIn,
  strayReferences,
  type AnyProvider,
  type ConnectionSpec,
  type SecretFault,
} from '@mayfly/credentials';
import type { FieldError, Json, JsonObject } from '@mayfly/kernel';
import { below } from '@mayfly/templates';

/** Before the host (RFC 3986 §3.2.1). Where else a vendor takes one, its provider finds it. */
const PASSWORD_IN_URL = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*:[^/?#]*@/i;

/** What may stand where a secret may. */
const PUBLIC = /^([a-z][a-z0-9+.-]*:\/\/|-----BEGIN CERTIFICATE-----)/i;
const WRITE_REFERENCE = 'write the secret as a reference, `env:NAME` or `file:PATH`';

/** What the service can do with connections. */
interface ConnectionContext {
  readonly providers: readonly AnyProvider[];
  readonly secretFault: SecretFault;
}

/**
 * What is wrong with a connection: a provider that this service does not have, a configuration that the provider refuses,
 * a password written out where a reference belongs, a reference where none belongs or to what is Mayfly's own.
 * Pointers are relative to the spec; values are never quoted.
 */
export function findConnectionFaults(
  spec: ConnectionSpec,
  { providers, secretFault }: ConnectionContext,
): FieldError[] {
  const provider = providers.find(({ kind }) => kind === spec.provider);
  if (provider === undefined) {
    const kinds = providers.map(({ kind }) => kind).join(', ');
    return [{ pointer: '/provider', detail: `there is no provider \`${spec.provider}\`; this service has ${kinds}` }];
  }
  const fault = schemaFault(provider.schemas.config, spec.config);
  const refused = fault === undefined ? [] : [{ pointer: fault.path.reduce(below, '/config'), detail: fault.detail }];
  return [
    ...refused,
    ...findSecrets(spec.config, provider),
    ...findWrittenOut(spec.config, provider),
    ...findStrays(spec.config, provider),
    ...findForbidden(spec.config, '/config', secretFault),
  ];
}

/** References outside the secret members: what is written there is shown, to agents too. */
function findStrays(config: Json, { kind, secretMembers }: AnyProvider): FieldError[] {
  const places = secretMembers.length === 0 ? 'nowhere' : `at ${secretMembers.join(', ')} only`;
  const detail = `write the value itself; \`${kind}\` takes a secret reference ${places}`;
  return strayReferences(config, secretMembers).map((pointer) => ({ pointer: `/config${pointer}`, detail }));
}

/** Secrets that are written out, where a secret belongs. An address without a password, or a certificate, is none. */
function findWrittenOut(config: Json, { secretMembers }: AnyProvider): FieldError[] {
  return secretMembers.flatMap((pointer) => {
    const value = memberAt(config, pointer);
    const isPublic = typeof value !== 'string' || isSecretReference(value) || PUBLIC.test(value);
    return isPublic ? [] : [{ pointer: `/config${pointer}`, detail: WRITE_REFERENCE }];
  });
}

/** What a JSON Pointer of object members without escapes points to. */
function memberAt(config: Json, pointer: string): Json | undefined {
  const names = pointer.split('/').slice(1);
  return names.reduce<Json | undefined>(
    (value, name) =>
      value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as JsonObject)[name] : undefined,
    config,
  );
}

function findForbidden(value: Json, pointer: string, secretFault: SecretFault): FieldError[] {
  if (typeof value === 'string') {
    const detail = isSecretReference(value) ? secretFault(value) : undefined;
    return detail === undefined ? [] : [{ pointer, detail }];
  }
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    findForbidden(inner ?? null, below(pointer, key), secretFault),
  );
}

/** What any URL shows, and what the provider finds besides; each place once. */
function findSecrets(config: Json, provider: AnyProvider): FieldError[] {
  const general = findPasswords(config, '/config');
  const found = new Set(general.map(({ pointer }) => pointer));
  const more = secretsIn(provider, config).map((pointer) => ({
    pointer: `/config${pointer}`,
    detail: WRITE_REFERENCE,
  }));
  return [...general, ...more.filter(({ pointer }) => !found.has(pointer))];
}

function findPasswords(value: Json, pointer: string): FieldError[] {
  if (typeof value === 'string') {
    return PASSWORD_IN_URL.test(value) ? [{ pointer, detail: WRITE_REFERENCE }] : [];
  }
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, member]) => findPasswords(member ?? null, below(pointer, key)));
}
