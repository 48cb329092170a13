import type { Declaration, DeclaredRecord, DeclaredState, RecordKind } from '@mayfly/declarations';
import type { Json, Labels, Page, PageRequest } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';
import { pageOf } from '../database/history-page.js';

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
