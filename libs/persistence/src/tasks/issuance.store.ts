import type { AuditEntry } from '@mayfly/audit';
import type { IssuanceStore, KeptMaterial, OpenVerdict, TaskActivation, TaskIntent } from '@mayfly/issuance';
import { GroupCommit, type LeaseId } from '@mayfly/kernel';
import type { QuotaLeft, QuotaLimits } from '@mayfly/tasks';
import type { Pool } from 'pg';
import { activateTasks } from './activate-tasks.statement.js';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseProblem, isRefusedData } from '../database/database-problem.js';
import { openChild, openTasks } from './open-tasks.statement.js';
import { type WakeUpOptions, WITH_WAKE_UPS } from './wake-ups.js';

/** The limits of group commit for each kind: requests in one statement, statements at once, and requests that wait. */
const BATCH = { maxItems: 256, maxRunning: 1, maxWaiting: 4096, isOfOneItem: isRefusedData };

/** The two commits of the path on PostgreSQL: one statement each for all requests that wait. */
export class PgIssuanceStore implements IssuanceStore {
  private readonly opening: GroupCommit<TaskIntent, OpenVerdict>;
  private readonly activating: GroupCommit<TaskActivation, boolean>;
  private readonly recording: GroupCommit<readonly AuditEntry[], true>;

  constructor(
    private readonly pool: Pool,
    private readonly options: WakeUpOptions = WITH_WAKE_UPS,
  ) {
    this.opening = new GroupCommit((intents) => openTasks(pool, intents, options), BATCH);
    this.activating = new GroupCommit((activations) => activateTasks(pool, activations, options), BATCH);
    this.recording = new GroupCommit(async (entries) => {
      await insertAudit(pool, entries.flat());
      return entries.map(() => true as const);
    }, BATCH);
  }

  open(intent: TaskIntent): Promise<OpenVerdict> {
    const { origin } = intent.task;
    if (origin !== undefined) return openChild(this.pool, intent, origin, this.options).catch(databaseProblem);
    return this.opening.submit(intent).catch(databaseProblem);
  }

  async recordHandle(leaseId: LeaseId, sealedHandle: Buffer): Promise<boolean> {
    const { rows } = await this.pool
      .query<{ state: string }>({
        name: 'record-handle',
        text: `UPDATE public.lease SET sealed_handle = $2 WHERE id = $1 AND state IN ('minting', 'revoking') RETURNING state`,
        values: [leaseId, sealedHandle],
      })
      .catch(databaseProblem);
    return rows[0]?.state === 'minting';
  }

  async keepMaterial(kept: readonly KeptMaterial[]): Promise<void> {
    await this.pool
      .query({
        name: 'keep-material',
        text: `INSERT INTO public.death_probe (lease_id, sealed_material)
               SELECT k.lease_id, k.material FROM unnest($1::text[], $2::bytea[]) AS k(lease_id, material)`,
        values: [kept.map(({ leaseId }) => leaseId), kept.map(({ sealedMaterial }) => sealedMaterial)],
      })
      .catch(databaseProblem);
  }

  activate(activation: TaskActivation): Promise<boolean> {
    return this.activating.submit(activation).catch(databaseProblem);
  }

  async record(entries: readonly AuditEntry[]): Promise<void> {
    await this.recording.submit(entries).catch(databaseProblem);
  }

  async quotaLeft(scope: string, limits: QuotaLimits): Promise<QuotaLeft> {
    const { rows } = await this.pool
      .query<{ active: number; minute: number }>(
        `SELECT active, (SELECT coalesce(sum(n), 0)::int FROM unnest(recent) WITH ORDINALITY AS slot(n, at)
           WHERE recent_second - 61 + at >= floor(extract(epoch FROM clock_timestamp())) - 60) AS minute
         FROM public.quota_counter WHERE scope = $1`,
        [scope],
      )
      .catch(databaseProblem);
    const taken = rows[0] ?? { active: 0, minute: 0 };
    return {
      tasksThisMinute: Math.max(0, limits.tasksPerMinute - taken.minute),
      concurrentTasks: Math.max(0, limits.concurrentTasks - taken.active),
    };
  }
}
