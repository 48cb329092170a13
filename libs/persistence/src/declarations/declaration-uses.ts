import { ofKind, type Declaration, type DeclarationOf } from '@mayfly/declarations';
import type { ClientBase } from 'pg';

/** The kinds that can be taken away again. Agents are retired instead, and keep their names. */
export type RemovableKind = 'Issuer' | 'Connection';

type DeclaredCredential = DeclarationOf<'TaskTemplate'>['spec']['credentials'][number];

/** What would break if a record were gone, in words; nothing when it can go. */
export async function usesOf(
  client: ClientBase,
  kind: RemovableKind,
  name: string,
  declarations: readonly Declaration[],
): Promise<string[]> {
  if (kind === 'Issuer') {
    return ofKind('Agent', declarations)
      .filter(({ spec }) => spec.identities.some(({ issuer }) => issuer === name))
      .map(({ metadata }) => `agent \`${metadata.name}\``);
  }
  const templates = ofKind('TaskTemplate', declarations)
    .filter(({ spec }) => spec.credentials.some((credential) => namesConnection(credential, name)))
    .map(({ metadata }) => `template \`${metadata.name}\``);
  const leases = await liveLeases(client, name);
  return leases === 0 ? templates : [...templates, `${String(leases)} live leases`];
}

/** A scope names the connection that it ends sessions by in `endSessions`. */
function namesConnection({ connection, scope }: DeclaredCredential, name: string): boolean {
  return connection === name || scope.endSessions === name;
}

async function liveLeases(client: ClientBase, connection: string): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM public.lease
     WHERE (connection = $1 OR scope ->> 'endSessions' = $1) AND due_at IS NOT NULL`,
    [connection],
  );
  return rows[0]?.count ?? 0;
}
