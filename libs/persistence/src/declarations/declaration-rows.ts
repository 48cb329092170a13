import type { Declaration, DeclarationKind, DeclaredRecord, DeclaredState, RecordKind } from '@mayfly/declarations';
import type { Page, PageRequest } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';
import { pageOf } from '../database/history-page.js';
import type { DeclaredSnapshot, RecordRow, TemplateRow } from './declared-rows.js';

const TABLES: Readonly<Record<RecordKind, string>> = {
  Issuer: 'public.issuer',
  Connection: 'public.connection',
  Agent: 'public.agent',
  Policy: 'public.policy',
};

const COMMON_COLUMNS =
  'name, labels, spec, revision, created_at AS "createdAt", updated_at AS "updatedAt", updated_by AS "updatedBy"';
const COLUMNS: Readonly<Record<RecordKind, string>> = {
  Issuer: COMMON_COLUMNS,
  Connection: `${COMMON_COLUMNS}, json_build_object('state', state) AS connection`,
  Agent: `${COMMON_COLUMNS}, json_build_object('id', id, 'state', state) AS agent`,
  Policy: COMMON_COLUMNS,
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

/** Returns the declared state of these rows. They were parsed before they were written. */
export function declaredStateOf({ records, templates }: DeclaredSnapshot): DeclaredState {
  const kinds = ['Issuer', 'Connection', 'Agent', 'Policy'] as const;
  const inForce = [...templates.values()].filter(({ state, spec }) => state === 'published' && spec !== null);
  return {
    declarations: [
      ...kinds.flatMap((kind) => [...records[kind].values()].map((row) => declarationOf(kind, row))),
      ...inForce.map((row) => declarationOf('TaskTemplate', row)),
    ],
    retiredTemplates: new Set(
      [...templates.values()].filter(({ state }) => state === 'retired').map(({ name }) => name),
    ),
  };
}

function declarationOf(kind: DeclarationKind, { name, labels, spec }: RecordRow | TemplateRow): Declaration {
  return { kind, metadata: { name, labels }, spec } as unknown as Declaration;
}
