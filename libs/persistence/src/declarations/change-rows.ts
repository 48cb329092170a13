import type { Actor } from '@mayfly/audit';
import type { ChangeClosing, ChangeFilter, ChangeReader, DocumentChange, RecordKind } from '@mayfly/declarations';
import { type ChangeId, type PageRequest, Problem } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';
import { jsonText } from '../database/columns.js';
import { databaseUnread } from '../database/database-problem.js';
import { pageOf } from '../database/history-page.js';

interface ChangeRow {
  readonly id: ChangeId;
  readonly kind: RecordKind;
  readonly name: string;
  readonly operation: DocumentChange['operation'];
  readonly asked: NonNullable<DocumentChange['asked']> | null;
  readonly base: NonNullable<DocumentChange['base']> | null;
  readonly author: string;
  readonly requested_by: Actor;
  readonly requested_at: Date;
  readonly lapses_at: Date;
  readonly state: ChangeClosing['state'] | null;
  readonly closed_at: Date | null;
  readonly closed_by: Actor | null;
  readonly reason: string | null;
  readonly superseded_by: ChangeId | null;
}

/** Reads of changes on PostgreSQL, outside the lock. */
export function changeReader(pool: Pool): ChangeReader {
  return {
    find: (id) => findChange(pool, id).catch(databaseUnread),
    list: (filter, page) => listChanges(pool, filter, page).catch(databaseUnread),
    lapsed: async (now, limit) => {
      const text = `SELECT id FROM public.document_change WHERE state IS NULL AND lapses_at <= $1 ORDER BY id LIMIT $2`;
      const { rows } = await pool.query<{ id: ChangeId }>(text, [now, limit]).catch(databaseUnread);
      return rows.map(({ id }) => id);
    },
  };
}

export async function findChange(client: ClientBase | Pool, id: ChangeId): Promise<DocumentChange | undefined> {
  return (await changesWhere(client, 'id = $1', [id]))[0];
}

/** Returns the change of the document that is not closed. */
export async function findOpenChange(
  client: ClientBase,
  kind: RecordKind,
  name: string,
): Promise<DocumentChange | undefined> {
  return (await changesWhere(client, 'state IS NULL AND kind = $1 AND name = $2', [kind, name]))[0];
}

/** Returns all changes that are not closed, the oldest first. */
export function openChanges(client: ClientBase): Promise<DocumentChange[]> {
  return changesWhere(client, 'state IS NULL ORDER BY id', []);
}

/** Inserts a change, in the caller's transaction. */
export async function insertChange(client: ClientBase, change: DocumentChange): Promise<void> {
  const { id, kind, name, operation, asked, base, author, requestedAt, lapsesAt } = change;
  await client.query(
    `INSERT INTO public.document_change
       (id, kind, name, operation, asked, base, author, requested_by, requested_at, lapses_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      ...[id, kind, name, operation, jsonOrNull(asked), jsonOrNull(base)],
      ...[author.name, jsonText(author.actor), requestedAt, lapsesAt],
    ],
  );
}

/** Closes a change, in the caller's transaction. Throws `conflict` when it is closed already. */
export async function closeChange(
  client: ClientBase,
  id: ChangeId,
  { state, at, by, reason, supersededBy }: ChangeClosing,
): Promise<void> {
  const { rowCount } = await client.query(
    `UPDATE public.document_change SET state = $2, closed_at = $3, closed_by = $4, reason = $5, superseded_by = $6
     WHERE id = $1 AND state IS NULL`,
    [id, state, at, jsonText(by), reason ?? null, supersededBy ?? null],
  );
  if (rowCount !== 1) throw new Problem('conflict', `change \`${id}\` is closed already; read the changes that wait`);
}

/** The states of changes in SQL; `$1` is the present instant. */
const STATE = `coalesce(state, CASE WHEN lapses_at <= $1 THEN 'lapsed' ELSE 'open' END)`;

async function listChanges(
  pool: Pool,
  { state, kind, name, now }: ChangeFilter,
  { limit, after }: PageRequest<ChangeId>,
) {
  const where = `($2::text IS NULL OR id < $2) AND ($3::text IS NULL OR ${STATE} = $3)
    AND ($4::text IS NULL OR kind = $4) AND ($5::text IS NULL OR name = $5) ORDER BY id DESC LIMIT $6`;
  const values = [now, after ?? null, state ?? null, kind ?? null, name ?? null, limit + 1];
  return pageOf(
    await changesWhere(pool, where, values),
    limit,
    (change) => change,
    ({ id }) => id,
  );
}

async function changesWhere(
  client: ClientBase | Pool,
  where: string,
  values: readonly unknown[],
): Promise<DocumentChange[]> {
  const { rows } = await client.query<ChangeRow>(`SELECT * FROM public.document_change WHERE ${where}`, [...values]);
  return rows.map(changeOf);
}

function changeOf(row: ChangeRow): DocumentChange {
  const { id, kind, name, operation, asked, base, author, requested_by, requested_at, lapses_at } = row;
  return {
    ...{ id, kind, name, operation },
    ...(asked === null ? {} : { asked }),
    ...(base === null ? {} : { base }),
    ...{ author: { name: author, actor: requested_by }, requestedAt: requested_at, lapsesAt: lapses_at },
    ...closingOf(row),
  };
}

function closingOf({
  state,
  closed_at: at,
  closed_by: by,
  reason,
  superseded_by: later,
}: ChangeRow): Pick<DocumentChange, 'closed'> {
  if (state === null || at === null || by === null) return {};
  const told = reason === null ? {} : { reason };
  return { closed: { state, at, by, ...told, ...(later === null ? {} : { supersededBy: later }) } };
}

function jsonOrNull(value: unknown): string | null {
  return value === undefined ? null : jsonText(value);
}
