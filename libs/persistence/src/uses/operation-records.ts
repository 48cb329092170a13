import { hash } from 'node:crypto';
import { auditEntry, type AuditEntry, MAYFLY } from '@mayfly/audit';
import type { OperationRecords } from '@mayfly/enforcement';
import { type Clock, GroupCommit } from '@mayfly/kernel';
import { type DecisionRecord, keptDecision } from '@mayfly/policy';
import type { Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseProblem, isRefusedData } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';
import { insertDecisions } from '../decisions/decision-rows.js';

const BATCH = { maxItems: 512, maxRunning: 2, maxWaiting: 16_384, isOfOneItem: isRefusedData };

/**
 * Keeps the records of decisions on operations. Records that arrive together are one commit, with one audit entry: its
 * digest makes a later change of a record visible.
 */
export class PgOperationRecords implements OperationRecords {
  private readonly recording: GroupCommit<DecisionRecord, true>;

  constructor(pool: Pool, clock: Clock) {
    this.recording = new GroupCommit(async (records) => {
      const kept = records.map(keptDecision);
      await inTransaction(pool, async (client) => {
        await insertDecisions(client, kept);
        await insertAudit(client, [batchEntry(records, kept, clock.now())]);
      });
      return records.map(() => true as const);
    }, BATCH);
  }

  async record(record: DecisionRecord): Promise<void> {
    await this.recording.submit(record).catch(databaseProblem);
  }
}

function batchEntry(
  records: readonly DecisionRecord[],
  kept: readonly { readonly body: string }[],
  at: Date,
): AuditEntry {
  const denied: Record<string, number> = {};
  for (const { control } of records) if (control !== undefined) denied[control] = (denied[control] ?? 0) + 1;
  const bodies = kept.map(({ body }) => `${body}\n`).join('');
  const facts = {
    decisions: records.map(({ id }) => id),
    permitted: records.filter(({ permitted }) => permitted).length,
    denied,
    digest: hash('sha256', bodies, 'hex'),
  };
  return auditEntry('operations.decided', at, MAYFLY, {}, facts);
}
