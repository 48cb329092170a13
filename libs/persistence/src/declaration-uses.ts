import { ofKind, type Declaration } from '@mayfly/declarations';
import type { ClientBase } from 'pg';

/** The kinds that can be taken away again. Agents are retired instead, and keep their names. */
export type RemovableKind = 'Issuer' | 'Connection';

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
    .filter(({ spec }) => spec.credentials.some(({ connection }) => connection === name))
    .map(({ metadata }) => `template \`${metadata.name}\``);
  const leases = await liveLeases(client, name);
  return leases === 0 ? templates : [...templates, `${String(leases)} live leases`];
}

async function liveLeases(client: ClientBase, connection: string): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM lease WHERE connection = $1 AND due_at IS NOT NULL`,
    [connection],
  );
  return rows[0]?.count ?? 0;
}
