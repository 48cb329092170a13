import { setTimeout as pause } from 'node:timers/promises';
import type { ServerFacts } from '../server-facts.js';
import { END_CATALOG_LOCKERS, END_THOSE_AHEAD, PREPARED_AHEAD } from './blockers.js';
import type { PreparedTransaction } from './looks.js';
import type { PreparedEnding } from './prepared.js';
import type { Watch } from './watch.js';

/** Interval at which blockers of a running statement are ended. */
const LOOK_INTERVAL_MS = 25;

/** Ends the sessions and prepared transactions of leases that block Mayfly's statements or anybody's logins. */
export class Obstacles {
  private clearing: Promise<void> | undefined;
  private failure: unknown;

  constructor(
    private readonly watch: Pick<Watch, 'run' | 'facts'>,
    private readonly prepared: Pick<PreparedEnding, 'rollBack'>,
  ) {}

  /** Ends the sessions of leases that block the system relations. */
  async clearCatalogs(signal: AbortSignal): Promise<void> {
    await this.watch.run(`SELECT pg_stat_clear_snapshot();\n${END_CATALOG_LOCKERS}`, signal);
  }

  /** Ends the blockers. Concurrent callers share one run. */
  private clear(signal: AbortSignal): Promise<void> {
    this.clearing ??= this.clearNow(signal).finally(() => {
      this.clearing = undefined;
    });
    return this.clearing;
  }

  /**
   * Runs `work` and ends blockers meanwhile. When `signal` aborts the work, throws the error of a blocker that could
   * not be ended, if there is one.
   */
  async clearedDuring<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const done = new AbortController();
    const clearing = this.keepClear(AbortSignal.any([signal, done.signal]), signal);
    try {
      return await work();
    } catch (error) {
      throw signal.aborted && this.failure !== undefined ? this.failure : error;
    } finally {
      done.abort();
      void clearing;
    }
  }

  private async keepClear(done: AbortSignal, signal: AbortSignal): Promise<void> {
    const isOver = (): boolean => done.aborted;
    while (!isOver()) {
      await pause(LOOK_INTERVAL_MS);
      if (!isOver()) await this.clear(signal).catch(() => undefined);
    }
  }

  private async clearNow(signal: AbortSignal): Promise<void> {
    const { preparedTransactions }: ServerFacts = await this.watch.facts(signal);
    await this.watch.run(`SELECT pg_stat_clear_snapshot();\n${END_CATALOG_LOCKERS};\n${END_THOSE_AHEAD}`, signal);
    if (preparedTransactions === 0) return;
    const ahead = await this.watch.run<PreparedTransaction & Record<string, unknown>>(PREPARED_AHEAD, signal);
    this.failure = undefined;
    for (const one of ahead.rows) {
      await this.prepared.rollBack(one, signal).catch((error: unknown) => {
        this.failure = error;
      });
    }
  }
}
