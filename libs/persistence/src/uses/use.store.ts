import { MAYFLY } from '@mayfly/audit';
import type { UseRequest, UseStore, UseVerdict } from '@mayfly/enforcement';
import { GroupCommit } from '@mayfly/kernel';
import type { LeaseClaim } from '@mayfly/revocation';
import type { EndRequest } from '@mayfly/tasks';
import type { Pool } from 'pg';
import { databaseProblem, isRefusedData } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';
import { afterDeadlock } from '../tasks/after-deadlock.js';
import type { PgClosingStore } from '../tasks/closing.store.js';
import { takeUses } from './take-uses.statement.js';

/** One statement at a time for each process: the counter of a busy tree is one row, which only one statement can hold. */
const BATCH = { maxItems: 1_024, maxRunning: 1, maxWaiting: 16_384, isOfOneItem: isRefusedData };

/** Takes uses on PostgreSQL. The uses that arrive together are one statement, which is its own transaction. */
export class PgUseStore implements UseStore {
  private readonly taking: GroupCommit<UseRequest, UseVerdict>;

  /** `revoke` gets the leases of the tasks that a use has ended, after the commit. It claims them for this process. */
  constructor(
    private readonly pool: Pool,
    private readonly closing: Pick<PgClosingStore, 'endAndClaim'>,
    private readonly revoke: (claims: readonly LeaseClaim[]) => void,
  ) {
    this.taking = new GroupCommit((requests) => afterDeadlock(() => this.takeTogether(requests)), BATCH);
  }

  take(request: UseRequest): Promise<UseVerdict> {
    return this.taking.submit(request).catch(databaseProblem);
  }

  private async takeTogether(requests: readonly UseRequest[]): Promise<readonly UseVerdict[]> {
    return (await takeUses(this.pool, requests, false)) ?? (await this.takeAndEnd(requests));
  }

  /** Takes what is left, and ends the tasks whose limits are crossed, in one transaction. This happens once for each task. */
  private async takeAndEnd(requests: readonly UseRequest[]): Promise<readonly UseVerdict[]> {
    const { verdicts, claims } = await inTransaction(this.pool, async (client) => {
      const verdicts = (await takeUses(client, requests, true)) ?? [];
      return { verdicts, claims: await this.closing.endAndClaim(client, endingsOf(verdicts)) };
    });
    if (claims.length > 0) this.revoke(claims);
    return verdicts;
  }

  /** Deletes keys that no longer repeat a use. Deletes at most `limit`; true when there may be more. */
  async wipe(limit = 1_000): Promise<boolean> {
    const { rowCount } = await this.pool.query({
      name: 'forget-use-keys',
      text: `DELETE FROM public.use_key WHERE (task_id, key) IN (
               SELECT task_id, key FROM public.use_key WHERE taken_at < now() - interval '2 minutes'
               ORDER BY taken_at LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      values: [limit],
    });
    return rowCount === limit;
  }
}

function endingsOf(verdicts: readonly UseVerdict[]): EndRequest[] {
  return verdicts.flatMap((verdict) => {
    if (verdict.kind !== 'exhausted') return [];
    const { counter, unit } = verdict;
    const reason = `the limit of ${String(counter.limits.total[unit])} ${unit} is used up (\`quota.uses\`)`;
    return [{ taskId: counter.taskId, cause: 'uses_exhausted' as const, reason, actor: MAYFLY }];
  });
}
