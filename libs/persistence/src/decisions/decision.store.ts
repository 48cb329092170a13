import { type DecisionId, GroupCommit, type TaskId } from '@mayfly/kernel';
import { decisionOfBody, type DecisionRecord, type DecisionStore } from '@mayfly/policy';
import type { Pool } from 'pg';
import { databaseProblem, databaseUnread, isRefusedData } from '../database/database-problem.js';
import { insertDecisions } from './decision-rows.js';

/** Records that arrive while a statement runs are written by the next one (ADR 0002). */
const BATCH = { maxItems: 256, maxRunning: 1, maxWaiting: 4096, isOfOneItem: isRefusedData };

/** The records of decisions on PostgreSQL. */
export class PgDecisionStore implements DecisionStore {
  private readonly recording: GroupCommit<readonly DecisionRecord[], true>;

  constructor(private readonly pool: Pool) {
    this.recording = new GroupCommit(async (lists) => {
      await insertDecisions(pool, lists.flat());
      return lists.map(() => true as const);
    }, BATCH);
  }

  async record(records: readonly DecisionRecord[]): Promise<void> {
    await this.recording.submit(records).catch(databaseProblem);
  }

  async find(id: DecisionId): Promise<DecisionRecord | undefined> {
    const { rows } = await this.pool
      .query<{ body: string }>({
        name: 'find-decision',
        text: 'SELECT body FROM public.decision WHERE id = $1',
        values: [id],
      })
      .catch(databaseUnread);
    return rows[0] && decisionOfBody(rows[0].body);
  }

  async ofTask(taskId: TaskId): Promise<readonly DecisionRecord[]> {
    const { rows } = await this.pool
      .query<{ body: string }>('SELECT body FROM public.decision WHERE task_id = $1 ORDER BY id', [taskId])
      .catch(databaseUnread);
    return rows.map(({ body }) => decisionOfBody(body));
  }
}
