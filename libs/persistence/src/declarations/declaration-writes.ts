import type { RecordWrite, RemovableKind, VersionWrite } from '@mayfly/declarations';
import type { ClientBase } from 'pg';
import { jsonText } from '../database/columns.js';
import { insertVersion } from './template-writes.js';

/** Writes the documents in this order, in the caller's transaction. */
export async function writeDocuments(
  client: ClientBase,
  writes: readonly (RecordWrite | VersionWrite)[],
): Promise<void> {
  await lockRows(client, writes);
  for (const write of writes) {
    if (write.kind === 'TaskTemplate') await insertVersion(client, write);
    else await upsertRecord(client, write);
  }
}

/** Locks agents by id, then templates by name: the same order as requests. */
async function lockRows(client: ClientBase, writes: readonly { readonly name: string }[]): Promise<void> {
  const names = writes.map(({ name }) => name);
  await client.query('SELECT FROM public.agent WHERE name = ANY($1::text[]) ORDER BY id FOR UPDATE', [names]);
  await client.query('SELECT FROM public.template WHERE name = ANY($1::text[]) ORDER BY name FOR UPDATE', [names]);
}

async function upsertRecord(
  client: ClientBase,
  { kind, name, labels, spec, updatedBy, newAgent }: RecordWrite,
): Promise<void> {
  const values = [name, jsonText(labels), jsonText(spec), updatedBy];
  await client.query(UPSERT[kind], kind === 'Agent' ? [...values, newAgent?.id, newAgent?.state] : values);
}

const ON_CONFLICT = `ON CONFLICT (name) DO UPDATE SET labels = EXCLUDED.labels, spec = EXCLUDED.spec,
  revision = old.revision + 1, updated_at = EXCLUDED.updated_at, updated_by = EXCLUDED.updated_by`;

const UPSERT: Readonly<Record<RecordWrite['kind'], string>> = {
  Issuer: `INSERT INTO public.issuer AS old (name, labels, spec, updated_by) VALUES ($1, $2, $3, $4) ${ON_CONFLICT}`,
  Connection: `INSERT INTO public.connection AS old (name, labels, spec, updated_by)
    VALUES ($1, $2, $3, $4) ${ON_CONFLICT}`,
  // an existing agent keeps its id and its state
  Agent: `INSERT INTO public.agent AS old (name, labels, spec, updated_by, id, state)
    VALUES ($1, $2, $3, $4, $5, $6) ${ON_CONFLICT}`,
  Policy: `INSERT INTO public.policy AS old (name, labels, spec, updated_by) VALUES ($1, $2, $3, $4) ${ON_CONFLICT}`,
};

const DELETE: Readonly<Record<RemovableKind, string>> = {
  Issuer: 'DELETE FROM public.issuer WHERE name = $1',
  Connection: 'DELETE FROM public.connection WHERE name = $1',
  Policy: 'DELETE FROM public.policy WHERE name = $1',
};

/** Deletes the record, in the caller's transaction. */
export async function deleteRecord(client: ClientBase, kind: RemovableKind, name: string): Promise<void> {
  await client.query(DELETE[kind], [name]);
}
