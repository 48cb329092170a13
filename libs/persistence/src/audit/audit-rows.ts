import type { AuditEntry } from '@mayfly/audit';
import type { ClientBase, Pool } from 'pg';
import { RecordType } from '../database/records.js';
import { DECISION_RECORDS } from '../decisions/decision-rows.js';

/** Audit entries as values of the type `audit_record`. */
export const AUDIT_RECORDS = new RecordType<AuditEntry>('audit_record', {
  id: (entry) => entry.id,
  at: (entry) => entry.at,
  type: (entry) => entry.type,
  task_id: (entry) => entry.taskId,
  lease_id: (entry) => entry.leaseId,
  agent: (entry) => entry.agent,
  body: (entry) => entry.body,
});

/** Writes entries as one batch with their decisions, in the caller's transaction when `client` has one. */
export async function insertAudit(client: ClientBase | Pool, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const decisions = entries.flatMap(({ decision }) => decision ?? []);
  const batch = await AUDIT_RECORDS.encode(client, entries);
  if (decisions.length === 0)
    await client.query({ name: 'append-audit', text: 'SELECT public.append_audit($1)', values: [batch] });
  else
    // One statement: the pool has no transaction.
    await client.query({
      name: 'append-audit-decided',
      text: 'SELECT public.append_audit($1), public.record_decisions($2)',
      values: [batch, await DECISION_RECORDS.encode(client, decisions)],
    });
}
