import { connectionsOf, type AnyProvider } from '@mayfly/credentials';
import { canonicalJson, type Json } from '@mayfly/kernel';
import { sampleScopes } from '@mayfly/templates';
import type { LockedState } from '../declaration.store.js';
import { ofKind, type DeclarationOf } from '../document.schema.js';

/** The kinds that can be deleted. Agents are retired instead and keep their names. */
export type RemovableKind = 'Issuer' | 'Connection' | 'Policy';

/**
 * The kinds whose documents one person deletes, because their deletion only takes access away. A document of another kind
 * may forbid something: two persons replace it by one that forbids nothing.
 */
export const DELETED_BY_ONE: Readonly<Record<RemovableKind, boolean>> = {
  Issuer: true,
  Connection: true,
  Policy: false,
};

/** Returns, in words, the users of a record that would break without it; empty when it can be deleted. */
export async function usesOf(
  kind: RemovableKind,
  name: string,
  state: Pick<LockedState, 'declared' | 'liveLeases'>,
  providers: readonly AnyProvider[],
): Promise<string[]> {
  if (kind === 'Policy') return [];
  const { declarations } = await state.declared();
  if (kind === 'Issuer') {
    return ofKind('Agent', declarations)
      .filter(({ spec }) => spec.identities.some(({ issuer }) => issuer === name))
      .map(({ metadata }) => `agent \`${metadata.name}\``);
  }
  const templates = ofKind('TaskTemplate', declarations)
    .filter(({ spec }) => usesConnection(spec, name, providers))
    .map(({ metadata }) => `template \`${metadata.name}\``);
  const { own, naming } = await state.liveLeases(name);
  const leases = own + naming.filter((lease) => worksWith(lease, name, providers)).length;
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
