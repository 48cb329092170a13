import { hash } from 'node:crypto';
import { auditEntry, type AuditEntry, type KeptDecision, MAYFLY } from '@mayfly/audit';
import type { OperationRecords } from '@mayfly/enforcement';
import { type Clock, GroupCommit } from '@mayfly/kernel';
import { type DecisionRecord, keptDecision } from '@mayfly/policy';
import type { Pool } from 'pg';
import { AUDIT_RECORDS } from '../audit/audit-rows.js';
import { databaseProblem, isRefusedData } from '../database/database-problem.js';
import { DECISION_RECORDS } from '../decisions/decision-rows.js';

const BATCH = { maxItems: 512, maxRunning: 2, maxWaiting: 16_384, isOfOneItem: isRefusedData };

/**
 * Keeps the records of decisions on operations. Records that arrive together are one statement, with one audit entry: its
 * digest makes a later change of a record visible.
 */
export class PgOperationRecords implements OperationRecords {
  private readonly recording: GroupCommit<DecisionRecord, true>;

  constructor(pool: Pool, clock: Clock) {
    this.recording = new GroupCommit(async (records) => {
      const kept = records.map(keptDecision);
      const entry = batchEntry(records, kept, clock.now());
      await pool.query({
        name: 'record-operations',
        text: 'SELECT public.record_decisions($1), public.append_audit($2)',
        values: [await DECISION_RECORDS.encode(pool, kept), await AUDIT_RECORDS.encode(pool, [entry])],
      });
      return records.map(() => true as const);
    }, BATCH);
  }

  async record(record: DecisionRecord): Promise<void> {
    await this.recording.submit(record).catch(databaseProblem);
  }
}

function batchEntry(records: readonly DecisionRecord[], kept: readonly KeptDecision[], at: Date): AuditEntry {
  const denied: Record<string, number> = {};
  for (const { control } of records) if (control !== undefined) denied[control] = (denied[control] ?? 0) + 1;
  const facts = {
    decisions: records.map(({ id }) => id),
    permitted: records.filter(({ permitted }) => permitted).length,
    denied,
    digest: hash('sha256', kept.map(({ body }) => `${body}\n`).join(''), 'hex'),
  };
  return auditEntry('operations.decided', at, MAYFLY, {}, facts);
}
