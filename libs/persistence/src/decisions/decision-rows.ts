import { decisionBody, type DecisionRecord } from '@mayfly/policy';
import type { ClientBase, Pool } from 'pg';
import { RecordType } from '../database/records.js';

/** Decisions as values of the type `decision_record`. */
const DECISION_RECORDS = new RecordType<DecisionRecord>('decision_record', {
  id: (record) => record.id,
  at: (record) => record.at,
  task_id: (record) => record.taskId,
  body: decisionBody,
});

/** Writes records with one statement, in the caller's transaction when `client` has one. */
export async function insertDecisions(client: ClientBase | Pool, records: readonly DecisionRecord[]): Promise<void> {
  if (records.length === 0) return;
  await client.query({
    name: 'record-decisions',
    text: 'SELECT public.record_decisions($1)',
    values: [await DECISION_RECORDS.encode(client, records)],
  });
}
