import { hash } from 'node:crypto';
import { auditEntry, type AuditEntry, MAYFLY } from '@mayfly/audit';
import type { OperationRecords } from '@mayfly/enforcement';
import { type Clock, GroupCommit } from '@mayfly/kernel';
import { decisionBody, type DecisionRecord } from '@mayfly/policy';
import type { Pool } from 'pg';
import { AUDIT_RECORDS } from '../audit/audit-rows.js';
import { databaseProblem, isRefusedData } from '../database/database-problem.js';
import { RecordType } from '../database/records.js';

const BATCH = { maxItems: 512, maxRunning: 2, maxWaiting: 16_384, isOfOneItem: isRefusedData };

interface StoredRecord {
  readonly record: DecisionRecord;
  /** the stored form, which the digest of the batch is over too */
  readonly body: string;
}

const RECORDS = new RecordType<StoredRecord>('decision_record', {
  id: ({ record }) => record.id,
  at: ({ record }) => record.at,
  task_id: ({ record }) => record.taskId,
  body: ({ body }) => body,
});

/**
 * Keeps the records of decisions on operations. Records that arrive together are one statement, with one audit entry: its
 * digest makes a later change of a record visible.
 */
export class PgOperationRecords implements OperationRecords {
  private readonly recording: GroupCommit<DecisionRecord, true>;

  constructor(pool: Pool, clock: Clock) {
    this.recording = new GroupCommit(async (records) => {
      const stored = records.map((record) => ({ record, body: decisionBody(record) }));
      const entry = batchEntry(stored, clock.now());
      await pool.query({
        name: 'record-operations',
        text: 'SELECT public.record_decisions($1), public.append_audit($2)',
        values: [await RECORDS.encode(pool, stored), await AUDIT_RECORDS.encode(pool, [entry])],
      });
      return records.map(() => true as const);
    }, BATCH);
  }

  async record(record: DecisionRecord): Promise<void> {
    await this.recording.submit(record).catch(databaseProblem);
  }
}

function batchEntry(stored: readonly StoredRecord[], at: Date): AuditEntry {
  const denied: Record<string, number> = {};
  for (const { control } of stored.map(({ record }) => record))
    if (control !== undefined) denied[control] = (denied[control] ?? 0) + 1;
  const facts = {
    decisions: stored.map(({ record }) => record.id),
    permitted: stored.filter(({ record }) => record.permitted).length,
    denied,
    digest: hash('sha256', stored.map(({ body }) => `${body}\n`).join(''), 'hex'),
  };
  return auditEntry('operations.decided', at, MAYFLY, {}, facts);
}
