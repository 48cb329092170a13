import type { Declaration, DeclarationKind, RegisteredAgent } from '@mayfly/declarations';
import { Problem, type AgentId, type Json, type Labels } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';

/** The kinds whose document is one row; templates have versions instead. */
export type RecordKind = Exclude<DeclarationKind, 'TaskTemplate'>;

/** A declared thing as it is stored. `revision` counts its changes from 1. */
export interface DeclaredRecord {
  readonly kind: RecordKind;
  readonly name: string;
  readonly labels: Labels;
  readonly spec: Json;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** who declared it last */
  readonly updatedBy: string;
  /** of agents only */
  readonly agent?: { readonly id: AgentId; readonly state: RegisteredAgent['state'] };
}

export const TABLES: Readonly<Record<RecordKind, string>> = {
  Issuer: 'issuer',
  Connection: 'connection',
  Agent: 'agent',
};

const COMMON_COLUMNS = 'name, labels, spec, revision, created_at, updated_at, updated_by';
const COLUMNS: Readonly<Record<RecordKind, string>> = {
  Issuer: COMMON_COLUMNS,
  Connection: COMMON_COLUMNS,
  Agent: `${COMMON_COLUMNS}, id, state`,
};

interface RecordRow {
  readonly name: string;
  readonly labels: Labels;
  readonly spec: Json;
  readonly revision: number;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly updated_by: string;
  readonly id?: AgentId;
  readonly state?: RegisteredAgent['state'];
}

/** The record of this name, or undefined. */
export async function findRecord(
  client: ClientBase | Pool,
  kind: RecordKind,
  name: string,
): Promise<DeclaredRecord | undefined> {
  const text = `SELECT ${COLUMNS[kind]} FROM ${TABLES[kind]} WHERE name = $1`;
  const { rows } = await client.query<RecordRow>(text, [name]);
  return rows.map((row) => recordOf(kind, row))[0];
}

/** At most `limit` records by name, after the name given. */
export async function listRecords(
  pool: Pool,
  kind: RecordKind,
  after: string,
  limit: number,
): Promise<DeclaredRecord[]> {
  const text = `SELECT ${COLUMNS[kind]} FROM ${TABLES[kind]} WHERE name > $1 ORDER BY name LIMIT $2`;
  const { rows } = await pool.query<RecordRow>(text, [after, limit]);
  return rows.map((row) => recordOf(kind, row));
}

function recordOf(kind: RecordKind, row: RecordRow): DeclaredRecord {
  const { name, labels, spec, revision, id, state } = row;
  return {
    kind,
    name,
    labels,
    spec,
    revision,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    updatedBy: row.updated_by,
    ...(id === undefined || state === undefined ? {} : { agent: { id, state } }),
  };
}

/** All that is declared: the records, and of each template the version in force. */
export interface DeclaredState {
  readonly declarations: readonly Declaration[];
  /** names of templates that were retired; no version of theirs is in force */
  readonly retiredTemplates: ReadonlySet<string>;
}

const STATE = `
SELECT 'Issuer' AS kind, name, labels, spec FROM issuer
UNION ALL SELECT 'Connection', name, labels, spec FROM connection
UNION ALL SELECT 'Agent', name, labels, spec FROM agent
UNION ALL SELECT 'TaskTemplate', t.name, v.labels, v.spec FROM template t
  JOIN template_version v ON v.name = t.name AND v.version = t.current_version WHERE t.state = 'published'
UNION ALL SELECT 'retired', name, NULL, NULL FROM template WHERE state = 'retired'
ORDER BY 1, 2`;

/** Reads the whole of it in one statement. */
export async function readDeclaredState(client: ClientBase): Promise<DeclaredState> {
  const { rows } = await client.query<{ kind: string; name: string; labels: Labels; spec: Json }>(STATE);
  const isDeclared = ({ kind }: { kind: string }): boolean => kind !== 'retired';
  return {
    // what was written was parsed before
    declarations: rows
      .filter(isDeclared)
      .map(({ kind, name, labels, spec }) => ({ kind, metadata: { name, labels }, spec }) as unknown as Declaration),
    retiredTemplates: new Set(rows.filter((row) => !isDeclared(row)).map(({ name }) => name)),
  };
}

/** Judges the revision that is there, undefined when nothing is; throws the `Problem` to answer with. */
export type Precondition = (revision: number | undefined) => void;

export function noSuch(kind: DeclarationKind, name: string): Problem {
  const words = { Issuer: 'issuer', Connection: 'connection', Agent: 'agent', TaskTemplate: 'template' };
  return new Problem('not_found', `there is no ${words[kind]} \`${name}\``);
}
