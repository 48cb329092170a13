import type { Problem } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';
import { PgClosingStore } from './closing.store.js';
import { openTasks } from './open-tasks.statement.js';
import { writeProbeTask } from './probe-task.js';
import { inTransaction } from '../database/transaction.js';
import { writeRefusal } from '../database/write-refusal.js';

/** How long one answer counts, so that anonymous callers cause one probe a second at most. */
const KEEP_MS = 1_000;
/** How long a caller waits for a probe. A probe that takes longer goes on alone. */
const PATIENCE_MS = 3_000;
const BOUNDS = `SET LOCAL statement_timeout = '1500ms'; SET LOCAL lock_timeout = '500ms'`;

interface Outcome {
  readonly at: number;
  readonly refusal?: Problem;
}

/**
 * Tells whether the store takes what grants and endings write. A probe is one transaction of the serving role: the
 * statement of a grant without a request, which needs its rights and its locks, and a task of nobody that is granted, activated,
 * ended and closed, which is rolled back to a savepoint. The commit that follows is flushed to disk and, where that is set up, to
 * synchronous standbys. Nobody else's row is locked, and no sequence moved.
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
   * Resolves when the store took a write a second ago or less. Throws `unavailable` within 3 s otherwise, with the cause
   * as `reason`; the same `Problem` to everybody who asks within a second. One probe at a time, whoever asks.
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
