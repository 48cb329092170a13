import type { RecordKind } from '@mayfly/declarations';
import type { AgentId, Json, Labels } from '@mayfly/kernel';
import { Problem } from '@mayfly/kernel';
import type { EngagedLockdown, LockdownScope } from '@mayfly/tasks';
import type { ClientBase, Pool } from 'pg';
import { databaseUnread } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';

/** A stored issuer, agent, connection or policy, as far as requests and checks need it. */
export interface RecordRow {
  readonly name: string;
  readonly labels: Labels;
  readonly spec: Json;
  /** only agents have it */
  readonly id?: AgentId;
  /** only agents and connections have it */
  readonly state?: string;
}

/** A stored template with its version in force, if it has one. */
export interface TemplateRow {
  readonly name: string;
  readonly state: string;
  readonly version: number | null;
  readonly labels: Labels | null;
  readonly spec: Json | null;
  readonly digest: string | null;
}

/**
 * Declared state at one revision, each kind by name. A row that did not change since the last read is the same object.
 */
export interface DeclaredSnapshot {
  readonly revision: string;
  readonly records: Readonly<Record<RecordKind, ReadonlyMap<string, RecordRow>>>;
  readonly templates: ReadonlyMap<string, TemplateRow>;
  /** the oldest first */
  readonly lockdowns: readonly EngagedLockdown[];
}

const REVISION = 'SELECT revision FROM public.declared_revision WHERE id = 0';
const CHANGES = 'SELECT kind, name FROM public.declared_change WHERE revision > $1';

const RECORDS: Readonly<Record<RecordKind, string>> = {
  Issuer: 'SELECT name, labels, spec FROM public.issuer',
  Connection: 'SELECT name, labels, spec, state FROM public.connection',
  Agent: 'SELECT name, labels, spec, id, state FROM public.agent',
  Policy: 'SELECT name, labels, spec FROM public.policy',
};
const TEMPLATES = `SELECT t.name, t.state, v.version, v.labels, v.spec, v.digest FROM public.template t
  LEFT JOIN public.template_version v ON v.name = t.name AND v.version = t.current_version`;
const LOCKDOWNS =
  'SELECT kind, name, lockdown_id AS id FROM public.guard WHERE lockdown_id IS NOT NULL ORDER BY lockdown_id';
const NAMED = 'name = ANY($1::text[])';

/**
 * Declared state in memory, brought up to date from PostgreSQL. With 25,000 documents, reading all of them takes a
 * second and reading those that changed a millisecond. The revision tells whether something changed, and
 * `declared_change` what.
 */
export class DeclaredRows {
  private known: DeclaredSnapshot | undefined;

  constructor(private readonly pool: Pool) {}

  /** Returns the number of the last committed change, with one small read. */
  async revision(): Promise<string> {
    return revisionOf((await this.pool.query<RevisionRow>({ name: 'revision', text: REVISION })).rows);
  }

  /** Reads the state in one snapshot. `all` reads every row again, also those that are known. Throws `unavailable`. */
  read(all = false): Promise<DeclaredSnapshot> {
    return inTransaction(this.pool, async (client) => {
      await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
      return this.readIn(client, all);
    }).catch(databaseUnread);
  }

  /**
   * Reads the state in the caller's transaction, which must hold the lock of declared state and have changed nothing.
   */
  async readIn(client: ClientBase, all = false): Promise<DeclaredSnapshot> {
    const revision = revisionOf((await client.query<RevisionRow>(REVISION)).rows);
    const { known } = this;
    if (known?.revision === revision && !all) return known;
    // A lower revision comes from a restored backup.
    const isLater = known !== undefined && BigInt(known.revision) < BigInt(revision);
    return (this.known = isLater && !all ? await changed(client, known, revision) : await everything(client, revision));
  }
}

interface RevisionRow {
  /** a bigint */
  readonly revision: string;
}

function revisionOf([row]: readonly RevisionRow[]): string {
  if (row === undefined)
    throw new Problem(
      'unavailable',
      'the database has lost the revision of declared state; restore the row of `declared_revision`',
    );
  return row.revision;
}

async function everything(client: ClientBase, revision: string): Promise<DeclaredSnapshot> {
  const records = async (kind: RecordKind) => byName((await client.query<RecordRow>(RECORDS[kind])).rows);
  return {
    revision,
    records: await ofEachKind(records),
    templates: byName((await client.query<TemplateRow>(TEMPLATES)).rows),
    lockdowns: await lockdownsInForce(client),
  };
}

/** Reads the documents that changed after the known revision, and puts them in the places of the old ones. */
async function changed(client: ClientBase, known: DeclaredSnapshot, revision: string): Promise<DeclaredSnapshot> {
  const { rows: changes } = await client.query<{ kind: string; name: string }>(CHANGES, [known.revision]);
  const read = async <Row extends Named>(kind: string, text: string, rows: ReadonlyMap<string, Row>) => {
    const names = changes.filter((change) => change.kind === kind).map(({ name }) => name);
    return names.length === 0 ? rows : replaced(rows, names, (await client.query<Row>(text, [names])).rows);
  };
  const records = (kind: RecordKind) => read(kind, `${RECORDS[kind]} WHERE ${NAMED}`, known.records[kind]);
  return {
    revision,
    records: await ofEachKind(records),
    templates: await read('TaskTemplate', `${TEMPLATES} WHERE t.${NAMED}`, known.templates),
    // Few are in force at a time, so all are read.
    lockdowns: changes.some(({ kind }) => kind === 'Guard') ? await lockdownsInForce(client) : known.lockdowns,
  };
}

async function lockdownsInForce(client: ClientBase): Promise<readonly EngagedLockdown[]> {
  const { rows } = await client.query<LockdownScope & Pick<EngagedLockdown, 'id'>>(LOCKDOWNS);
  return rows.map(({ id, kind, name }) => ({ id, scope: { kind, name } }));
}

/** Reads one kind after the other: they share a connection. */
async function ofEachKind(
  read: (kind: RecordKind) => Promise<ReadonlyMap<string, RecordRow>>,
): Promise<DeclaredSnapshot['records']> {
  return {
    Issuer: await read('Issuer'),
    Connection: await read('Connection'),
    Agent: await read('Agent'),
    Policy: await read('Policy'),
  };
}

interface Named {
  readonly name: string;
}

function byName<Row extends Named>(rows: readonly Row[]): ReadonlyMap<string, Row> {
  return new Map(rows.map((row) => [row.name, row]));
}

/** Returns the rows with those of `names` replaced by `news`; a name without a new row was deleted. */
function replaced<Row extends Named>(
  rows: ReadonlyMap<string, Row>,
  names: readonly string[],
  news: readonly Row[],
): ReadonlyMap<string, Row> {
  const all = new Map(rows);
  for (const name of names) all.delete(name);
  for (const row of news) all.set(row.name, row);
  return all;
}
