import { auditEntry, type AuditEntry } from '@mayfly/audit';
import type { Declaration, DeclarationChange, Declarer, RegisteredAgent } from '@mayfly/declarations';
import { type Clock, newId } from '@mayfly/kernel';
import type { ClientBase } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { jsonText } from '../database/columns.js';
import { placesOf } from './declaration-places.js';
import { publishVersion } from './template-publication.js';

/** A change that writes something. */
export type WrittenChange = DeclarationChange & { readonly change: 'create' | 'update' };

export interface DeclarationWrite {
  readonly declared: Declaration;
  readonly change: WrittenChange;
}

export interface WriteOptions {
  readonly by: Declarer;
  readonly clock: Clock;
  /** the state of a new agent */
  readonly newAgentState: Extract<RegisteredAgent['state'], 'registered' | 'active'>;
}

/** Writes the changes and their audit entries, in the caller's transaction. */
export async function writeDeclarations(
  client: ClientBase,
  writes: readonly DeclarationWrite[],
  options: WriteOptions,
): Promise<void> {
  if (writes.length === 0) return;
  await lockRows(client, writes);
  const entries: AuditEntry[] = [];
  for (const { declared, change } of writes) {
    const version = await writeOne(client, declared, options);
    entries.push(changedEntry(change, version, options));
  }
  await insertAudit(client, entries);
}

/** Locks agents by id, then templates by name: the same order as requests. */
async function lockRows(client: ClientBase, writes: readonly DeclarationWrite[]): Promise<void> {
  const names = writes.map(({ declared }) => declared.metadata.name);
  await client.query('SELECT FROM public.agent WHERE name = ANY($1::text[]) ORDER BY id FOR UPDATE', [names]);
  await client.query('SELECT FROM public.template WHERE name = ANY($1::text[]) ORDER BY name FOR UPDATE', [names]);
}

/** Writes one document; returns the version of a template. */
async function writeOne(client: ClientBase, declared: Declaration, options: WriteOptions): Promise<number | undefined> {
  const { name, labels = {} } = declared.metadata;
  const values = [name, jsonText(labels), jsonText(declared.spec), options.by.name];
  switch (declared.kind) {
    case 'Issuer':
      await client.query(upsert('issuer'), values);
      return undefined;
    case 'Connection':
      await client.query(upsert('connection'), values);
      return undefined;
    case 'Agent':
      await client.query(UPSERT_AGENT, [...values, newId('agt'), options.newAgentState]);
      return undefined;
    case 'TaskTemplate': {
      const { by } = options;
      const version = { name, labels, spec: declared.spec, author: by.name, publisher: by.name };
      return publishVersion(client, version);
    }
  }
}

const ON_CONFLICT = `ON CONFLICT (name) DO UPDATE SET labels = EXCLUDED.labels, spec = EXCLUDED.spec,
  revision = old.revision + 1, updated_at = now(), updated_by = EXCLUDED.updated_by`;

function upsert(table: 'issuer' | 'connection'): string {
  return `INSERT INTO public.${table} AS old (name, labels, spec, updated_by) VALUES ($1, $2, $3, $4) ${ON_CONFLICT}`;
}

/** An existing agent keeps its id and its state. */
const UPSERT_AGENT = `INSERT INTO public.agent AS old (name, labels, spec, updated_by, id, state)
  VALUES ($1, $2, $3, $4, $5, $6) ${ON_CONFLICT}`;

const DELETE = {
  Issuer: 'DELETE FROM public.issuer WHERE name = $1',
  Connection: 'DELETE FROM public.connection WHERE name = $1',
};

export async function deleteRecord(client: ClientBase, kind: keyof typeof DELETE, name: string): Promise<void> {
  await client.query(DELETE[kind], [name]);
}

function changedEntry(
  { kind, name, change, differences }: WrittenChange,
  version: number | undefined,
  { by, clock }: WriteOptions,
): AuditEntry {
  const facts = { kind, name, change, ...placesOf(differences) };
  return version === undefined
    ? auditEntry('declaration.changed', clock.now(), by.actor, kind === 'Agent' ? { agent: name } : {}, facts)
    : auditEntry('template.published', clock.now(), by.actor, {}, { ...facts, version });
}
