import {
  type AuditFilter,
  type AuditHistory,
  type InstantPosition,
  ONLY_LOG,
  type RefusalFilter,
  type SealedEntry,
  type StoryEntry,
  type StoryPosition,
} from '@mayfly/audit';
import type { Page, PageRequest, TaskId } from '@mayfly/kernel';
import type { Pool } from 'pg';
import { databaseUnread } from '../database/database-problem.js';
import { Conditions } from '../database/history-conditions.js';
import { pageOf } from '../database/history-page.js';

// An entry is numbered after it was written; the margin covers the difference of two clocks.
const CLOCK_MARGIN = '1 minute';

/** The first sequence number that can belong to the instant `?`, found without reading earlier entries. */
const FIRST_SEALED_SINCE = `coalesce((SELECT f.first_seq FROM public.audit_seal f
  WHERE f.sealed_at >= ?::timestamptz - interval '${CLOCK_MARGIN}' ORDER BY f.sealed_at, f.first_seq LIMIT 1), 9223372036854775807)`;

/** The batch of the entry with number `?`, so that a page reads no earlier seal. */
const SEAL_OF = `coalesce((SELECT f.first_seq FROM public.audit_seal f WHERE f.first_seq <= ?::bigint
  ORDER BY f.first_seq DESC LIMIT 1), 0)`;

/** The audit on PostgreSQL. */
export class AuditReader implements AuditHistory {
  constructor(private readonly pool: Pool) {}

  async story(taskId: TaskId, { limit, after }: PageRequest<StoryPosition>): Promise<Page<StoryEntry, StoryPosition>> {
    const conditions = new Conditions()
      .add('e.task_id = ?', taskId)
      .add('(e.batch, e.place) > (?::bigint, ?)', after?.batch, after?.place);
    const text = `SELECT e.batch, e.place, e.body, s.first_seq + e.place AS seq
      FROM public.audit_entry e LEFT JOIN public.audit_seal s ON s.batch = e.batch
      ${conditions.where} ORDER BY e.batch, e.place LIMIT ${conditions.parameter(limit + 1)}`;
    const { rows } = await this.pool
      .query<{ batch: string; place: number; body: string; seq: string | null }>(text, conditions.values)
      .catch(databaseUnread);
    return pageOf(
      rows,
      limit,
      ({ seq, body }) => ({ log: ONLY_LOG, ...(seq === null ? {} : { seq: Number(seq) }), body }),
      ({ batch, place }) => ({ batch, place }),
    );
  }

  async refusals(
    filter: RefusalFilter,
    { limit, after }: PageRequest<InstantPosition>,
  ): Promise<Page<string, InstantPosition>> {
    const conditions = new Conditions()
      .add('(e.at, e.id) < (?::timestamptz, ?)', after?.at, after?.id)
      .add('strpos(e.body, ?) > 0', memberOf('reason', filter.reason))
      .add('strpos(e.body, ?) > 0', memberOf('issuer', filter.issuer))
      .add('e.at >= ?', filter.from)
      .add('e.at < ?', filter.to);
    // The literal matches the partial index; PostgreSQL could not prove that for a parameter.
    const text = `SELECT e.id, e.body, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at
      FROM (SELECT * FROM public.audit_entry WHERE type = 'identity.refused') e
      ${conditions.where} ORDER BY e.at DESC, e.id DESC LIMIT ${conditions.parameter(limit + 1)}`;
    const { rows } = await this.pool
      .query<{ id: string; body: string; at: string }>(text, conditions.values)
      .catch(databaseUnread);
    return pageOf(
      rows,
      limit,
      ({ body }) => body,
      ({ at, id }) => ({ at, id }),
    );
  }

  async entries(filter: AuditFilter, { limit, after }: PageRequest<number>): Promise<Page<SealedEntry, number>> {
    const conditions = new Conditions()
      .add(`s.first_seq >= ${SEAL_OF} AND s.first_seq + e.place > ?`, after, after)
      .add('e.type = ?', filter.type)
      .add('e.task_id = ?', filter.taskId)
      .add('e.agent = ?', filter.agent)
      .add(`e.at >= ? AND s.first_seq >= ${FIRST_SEALED_SINCE}`, filter.from, filter.from)
      .add('e.at < ?', filter.to);
    const text = `SELECT s.first_seq + e.place AS seq, substring(s.leaf_hashes FROM 32 * e.place + 1 FOR 32) AS leaf_hash, e.body
      FROM public.audit_seal s JOIN public.audit_entry e ON e.batch = s.batch
      ${conditions.where} ORDER BY s.first_seq, e.place LIMIT ${conditions.parameter(limit + 1)}`;
    const { rows } = await this.pool
      .query<{ seq: string; leaf_hash: Buffer; body: string }>(text, conditions.values)
      .catch(databaseUnread);
    return pageOf(
      rows,
      limit,
      (row) => ({ log: ONLY_LOG, seq: Number(row.seq), leafHash: row.leaf_hash, body: row.body }),
      ({ seq }) => Number(seq),
    );
  }
}

/** Returns a member as canonical JSON writes it. It cannot match inside a string, where its quotes are escaped. */
function memberOf(name: string, value: string | undefined): string | undefined {
  return value === undefined ? undefined : `"${name}":${JSON.stringify(value)}`;
}
