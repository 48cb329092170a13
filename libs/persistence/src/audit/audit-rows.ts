import type { AuditEntry } from '@mayfly/audit';
import type { ClientBase, Pool } from 'pg';
import { type Columns, columnsOf } from '../database/columns.js';

/** Returns the columns of audit entries, in the order of `AUDIT_COLUMNS`. */
export function auditColumns(entries: readonly AuditEntry[]): Columns {
  return columnsOf(entries, [
    (entry) => entry.id,
    (entry) => entry.at,
    (entry) => entry.type,
    (entry) => entry.taskId ?? null,
    (entry) => entry.leaseId ?? null,
    (entry) => entry.agent ?? null,
    (entry) => entry.body,
  ]);
}

export const AUDIT_COLUMNS = 'id, at, type, task_id, lease_id, agent, body';

/** Returns SQL: `unnest` over the seven parameters from `first` on, as rows of `AUDIT_COLUMNS`. */
export function auditUnnest(first: number): string {
  const types = ['text', 'timestamptz', 'text', 'text', 'text', 'text', 'text'];
  return `unnest(${types.map((type, index) => `$${String(first + index)}::${type}[]`).join(', ')})`;
}

/** Writes entries, in the caller's transaction when `client` has one. */
export async function insertAudit(client: ClientBase | Pool, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await client.query({
    name: 'audit-insert',
    text: `INSERT INTO public.audit_entry (${AUDIT_COLUMNS}) SELECT * FROM ${auditUnnest(1)}`,
    values: [...auditColumns(entries)],
  });
}
