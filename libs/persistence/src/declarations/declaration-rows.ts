import type { Declaration, DeclarationKind, RegisteredAgent } from '@mayfly/declarations';
import { type AgentId, type Json, type Labels, Problem } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';
import { type Page, pageOf, type PageRequest } from '../database/history-page.js';

/** The kinds whose document is one row; templates have versions instead. */
export type RecordKind = Exclude<DeclarationKind, 'TaskTemplate'>;

/** A stored declaration. `revision` counts its changes from 1. */
export interface DeclaredRecord {
  readonly kind: RecordKind;
  readonly name: string;
  readonly labels: Labels;
  readonly spec: Json;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** the author of the last change */
  readonly updatedBy: string;
  /** of agents only */
  readonly agent?: { readonly id: AgentId; readonly state: RegisteredAgent['state'] };
  /** of connections only */
  readonly connection?: { readonly state: 'enabled' | 'disabled' };
}

const TABLES: Readonly<Record<RecordKind, string>> = {
  Issuer: 'public.issuer',
  Connection: 'public.connection',
  Agent: 'public.agent',
};

const COMMON_COLUMNS =
  'name, labels, spec, revision, created_at AS "createdAt", updated_at AS "updatedAt", updated_by AS "updatedBy"';
const COLUMNS: Readonly<Record<RecordKind, string>> = {
  Issuer: COMMON_COLUMNS,
  Connection: `${COMMON_COLUMNS}, json_build_object('state', state) AS connection`,
  Agent: `${COMMON_COLUMNS}, json_build_object('id', id, 'state', state) AS agent`,
};

/** Returns the record, or undefined. `lock` prevents other changes until the caller's transaction ends. */
export async function findRecord(
  client: ClientBase | Pool,
  kind: RecordKind,
  name: string,
  lock: '' | 'FOR UPDATE' = '',
): Promise<DeclaredRecord | undefined> {
  const text = `SELECT ${COLUMNS[kind]} FROM ${TABLES[kind]} WHERE name = $1 ${lock}`;
  const { rows } = await client.query<Omit<DeclaredRecord, 'kind'>>(text, [name]);
  return rows.map((row) => ({ kind, ...row }))[0];
}

/** Returns one page of the records of a kind, by name. */
export async function listRecords(
  pool: Pool,
  kind: RecordKind,
  { limit, after = '' }: PageRequest<string>,
): Promise<Page<DeclaredRecord, string>> {
  const text = `SELECT ${COLUMNS[kind]} FROM ${TABLES[kind]} WHERE name > $1 ORDER BY name LIMIT $2`;
  const { rows } = await pool.query<Omit<DeclaredRecord, 'kind'>>(text, [after, limit + 1]);
  return pageOf(
    rows,
    limit,
    (row) => ({ kind, ...row }),
    ({ name }) => name,
  );
}

/** The whole declared state: all records, and the version in force of each template. */
export interface DeclaredState {
  readonly declarations: readonly Declaration[];
  /** the names of retired templates; none of their versions is in force */
  readonly retiredTemplates: ReadonlySet<string>;
}

const STATE = `
SELECT 'Issuer' AS kind, name, labels, spec FROM public.issuer
UNION ALL SELECT 'Connection', name, labels, spec FROM public.connection
UNION ALL SELECT 'Agent', name, labels, spec FROM public.agent
UNION ALL SELECT 'TaskTemplate', t.name, v.labels, v.spec FROM public.template t
  JOIN public.template_version v ON v.name = t.name AND v.version = t.current_version WHERE t.state = 'published'
UNION ALL SELECT 'retired', name, NULL, NULL FROM public.template WHERE state = 'retired'
ORDER BY 1, 2`;

/** Reads the declared state in one statement. */
export async function readDeclaredState(client: ClientBase | Pool): Promise<DeclaredState> {
  const { rows } = await client.query<{ kind: string; name: string; labels: Labels; spec: Json }>(STATE);
  const isDeclared = ({ kind }: { kind: string }): boolean => kind !== 'retired';
  return {
    // rows were parsed before they were written
    declarations: rows
      .filter(isDeclared)
      .map(({ kind, name, labels, spec }) => ({ kind, metadata: { name, labels }, spec }) as unknown as Declaration),
    retiredTemplates: new Set(rows.filter((row) => !isDeclared(row)).map(({ name }) => name)),
  };
}

/**
 * Judges the current revision, and the record if the document is one; both are undefined when the document does not
 * exist. Throws the `Problem` for the caller.
 */
export type Precondition = (revision: number | undefined, before?: DeclaredRecord) => void;

const WORDS: Readonly<Record<DeclarationKind, string>> = {
  Issuer: 'issuer',
  Connection: 'connection',
  Agent: 'agent',
  TaskTemplate: 'template',
};

/** Returns `found`. Throws `not_found` when it is undefined. */
export function existing<Found>(found: Found | undefined, kind: DeclarationKind, name: string): Found {
  if (found === undefined) throw new Problem('not_found', `there is no ${WORDS[kind]} \`${name}\``);
  return found;
}
