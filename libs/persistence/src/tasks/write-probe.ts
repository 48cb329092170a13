import type { Problem } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';
import { PgClosingStore } from './closing.store.js';
import { openTasks } from './open-tasks.statement.js';
import { writeProbeTask } from './probe-task.js';
import { inTransaction } from '../database/transaction.js';
import { writeRefusal } from '../database/write-refusal.js';

/** The time for which an answer is reused, so that anonymous callers cause at most one probe a second. */
const KEEP_MS = 1_000;
/** The time that a caller waits for a probe. A slower probe continues without a caller. */
const PATIENCE_MS = 3_000;
const BOUNDS = `SET LOCAL statement_timeout = '1500ms'; SET LOCAL lock_timeout = '500ms'`;

interface Outcome {
  readonly at: number;
  readonly refusal?: Problem;
}

/**
 * Checks that the store accepts the writes of grants and endings. A probe is one transaction of the serving role. It
 * runs the grant statement without a request, which needs the same rights and locks. It then grants, activates, ends
 * and closes a probe task, and rolls that back to a savepoint. The commit is flushed to disk and to synchronous
 * standbys, if any. The probe locks no row of others and advances no sequence.
 */
export class WriteProbe {
  private last: Outcome | undefined;
  private running: Promise<Outcome> | undefined;
  private readonly closing: PgClosingStore;

  /** `monotonicMs` is a clock that never goes back. */
  constructor(
    private readonly pool: Pool,
    private readonly monotonicMs: () => number = () => performance.now(),
  ) {
    this.closing = new PgClosingStore(pool, { now: () => new Date() });
  }

  /**
   * Resolves when a probe succeeded within the last second. Throws `unavailable` within 3 s otherwise, with the cause
   * as `reason`; all calls within one second get the same `Problem`. At most one probe runs at a time.
   */
  async check(): Promise<void> {
    const { refusal } = this.fresh() ?? (await this.inTime());
    if (refusal !== undefined) throw refusal;
  }

  private fresh(): Outcome | undefined {
    return this.last !== undefined && this.monotonicMs() - this.last.at < KEEP_MS ? this.last : undefined;
  }

  private async inTime(): Promise<Outcome> {
    this.running ??= this.probe().finally(() => {
      this.running = undefined;
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Outcome>((resolve) => {
      timer = setTimeout(() => {
        resolve(this.fresh() ?? this.conclude(new Error('the write probe is not over in time')));
      }, PATIENCE_MS);
    });
    return Promise.race([this.running, late]).finally(() => {
      clearTimeout(timer);
    });
  }

  private async probe(): Promise<Outcome> {
    try {
      await inTransaction(this.pool, (client) => this.writeAndTakeBack(client));
      return this.conclude();
    } catch (error) {
      return this.conclude(error);
    }
  }

  private conclude(error?: unknown): Outcome {
    const at = this.monotonicMs();
    return (this.last = error === undefined ? { at } : { at, refusal: writeRefusal(error) });
  }

  private async writeAndTakeBack(client: ClientBase): Promise<void> {
    await client.query(BOUNDS);
    await openTasks(client, []);
    await client.query('SAVEPOINT probe');
    await writeProbeTask(client, this.closing);
    await client.query('ROLLBACK TO SAVEPOINT probe');
  }
}
