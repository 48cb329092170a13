import { connectionsOf, type AnyProvider } from '@mayfly/credentials';
import { ofKind, type Declaration, type DeclarationOf } from '@mayfly/declarations';
import { canonicalJson, type Json } from '@mayfly/kernel';
import { sampleScopes } from '@mayfly/templates';
import type { ClientBase } from 'pg';

/** The kinds that can be deleted. Agents are retired instead and keep their names. */
export type RemovableKind = 'Issuer' | 'Connection';

interface Declared {
  readonly declarations: readonly Declaration[];
  readonly providers: readonly AnyProvider[];
}

/** Returns, in words, the users of a record that would break without it; empty when it can be deleted. */
export async function usesOf(
  client: ClientBase,
  kind: RemovableKind,
  name: string,
  { declarations, providers }: Declared,
): Promise<string[]> {
  if (kind === 'Issuer') {
    return ofKind('Agent', declarations)
      .filter(({ spec }) => spec.identities.some(({ issuer }) => issuer === name))
      .map(({ metadata }) => `agent \`${metadata.name}\``);
  }
  const templates = ofKind('TaskTemplate', declarations)
    .filter(({ spec }) => usesConnection(spec, name, providers))
    .map(({ metadata }) => `template \`${metadata.name}\``);
  const leases = await liveLeases(client, name, providers);
  return leases === 0 ? templates : [...templates, `${String(leases)} live leases`];
}

function usesConnection(
  spec: DeclarationOf<'TaskTemplate'>['spec'],
  name: string,
  providers: readonly AnyProvider[],
): boolean {
  const samples = new Map(sampleScopes(spec).map(({ credential, scope }) => [credential, scope]));
  return spec.credentials.some((credential) => {
    const scope = samples.get(credential) ?? credential.scope;
    return credential.connection === name || worksWith({ provider: credential.provider, scope }, name, providers);
  });
}

/**
 * Counts the live leases of this connection, and those whose scope works with it. PostgreSQL finds the name in a scope;
 * the provider decides what it means.
 */
async function liveLeases(client: ClientBase, name: string, providers: readonly AnyProvider[]): Promise<number> {
  const own = await client.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM public.lease WHERE connection = $1 AND due_at IS NOT NULL',
    [name],
  );
  const { rows } = await client.query<{ provider: string; scope: Json }>(
    `SELECT provider, scope FROM public.lease
     WHERE due_at IS NOT NULL AND connection IS DISTINCT FROM $1 AND strpos(scope::text, $2) > 0`,
    [name, JSON.stringify(name)],
  );
  return (own.rows[0]?.count ?? 0) + rows.filter((lease) => worksWith(lease, name, providers)).length;
}

/**
 * True when the scope works with the connection. When the provider no longer accepts the scope, any mention of the name
 * counts, which errs on the safe side.
 */
function worksWith(
  { provider: kind, scope }: { readonly provider: string; readonly scope: Json },
  name: string,
  providers: readonly AnyProvider[],
): boolean {
  const provider = providers.find((one) => one.kind === kind);
  if (provider?.schemas.scope.safeParse(scope).success === true) return connectionsOf(provider, scope).includes(name);
  return canonicalJson(scope).includes(JSON.stringify(name));
}
