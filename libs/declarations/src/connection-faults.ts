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

/**
 * A password before the host (RFC 3986 §3.2.1). The provider finds passwords at a vendor's other positions in a URL.
 */
const PASSWORD_IN_URL = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*:[^/?#]*@/i;

/** Values that may be plain text at a secret member: a URL, and a certificate. */
const PUBLIC = /^([a-z][a-z0-9+.-]*:\/\/|-----BEGIN CERTIFICATE-----)/i;
const WRITE_REFERENCE = 'write the secret as a reference, `env:NAME` or `file:PATH`';

/** The facts of the service that a connection is checked against. */
interface ConnectionContext {
  readonly providers: readonly AnyProvider[];
  readonly secretFault: SecretFault;
}

/**
 * Returns the faults of a connection: an unknown provider, a configuration that the provider refuses, a secret in plain
 * text, a reference at a member that takes none, a reference to Mayfly's own secrets. Pointers are relative to the
 * spec; no detail quotes a value.
 */
export function findConnectionFaults(
  spec: ConnectionSpec,
  { providers, secretFault }: ConnectionContext,
): FieldError[] {
  const provider = providers.find(({ kind }) => kind === spec.provider);
  if (provider === undefined) {
    const kinds = providers.map(({ kind }) => kind).join(', ');
    return [{ pointer: '/provider', detail: `there is no provider \`${spec.provider}\`; use one of ${kinds}` }];
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

/** Returns references outside the secret members. Agents too may read those members. */
function findStrays(config: Json, { kind, secretMembers }: AnyProvider): FieldError[] {
  const places = secretMembers.length === 0 ? 'nowhere' : `at ${secretMembers.join(', ')} only`;
  const detail = `write the value itself; \`${kind}\` takes a secret reference ${places}`;
  return strayReferences(config, secretMembers).map((pointer) => ({ pointer: `/config${pointer}`, detail }));
}

/** Returns plain-text secrets at the secret members. A URL without a password, or a certificate, is no secret. */
function findWrittenOut(config: Json, { secretMembers }: AnyProvider): FieldError[] {
  return secretMembers.flatMap((pointer) => {
    const value = memberAt(config, pointer);
    const isPublic = typeof value !== 'string' || isSecretReference(value) || PUBLIC.test(value);
    return isPublic ? [] : [{ pointer: `/config${pointer}`, detail: WRITE_REFERENCE }];
  });
}

/** Returns the value at a JSON Pointer of object members without escapes. */
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

/** Returns the passwords in any URL, and the secrets that the provider finds, each pointer once. */
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
