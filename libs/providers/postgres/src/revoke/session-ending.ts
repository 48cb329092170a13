import { setTimeout as pause } from 'node:timers/promises';
import { endSessionsOf } from './looks.js';
import type { Watch } from './watch.js';

const FIRST_LOOKS = 20;
const LOOK_INTERVAL_MS = 5;
/** A session that did not end at once is in a statement that cannot be interrupted; faster checks end nothing. */
const LATER_INTERVAL_MS = 50;

interface Waiting {
  readonly oid: string;
  readonly looks: number;
  emptyLooks: number;
  allLooks: number;
  readonly done: (failure?: Error) => void;
}

/**
 * Ends the sessions of roles and checks until none is left, in one statement for all waiting roles. A waiting role
 * holds no connection, so that a session that ends slowly delays no other role.
 */
export class SessionEnding {
  private readonly waiting = new Set<Waiting>();
  private isLooking = false;

  constructor(private readonly watch: Pick<Watch, 'run'>) {}

  /**
   * Resolves when `looks` checks in a row found no session of the role (0: after the first check). Rejects with the
   * signal's reason, or with the error of a check.
   */
  end(oid: string, looks: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (settled: () => void): void => {
        signal.removeEventListener('abort', abort);
        this.waiting.delete(waiting);
        settled();
      };
      const abort = (): void => {
        settle(() => {
          reject(signal.reason as Error);
        });
      };
      const done = (failure?: Error): void => {
        settle(() => {
          if (failure === undefined) resolve();
          else reject(failure);
        });
      };
      const waiting: Waiting = { oid, looks, emptyLooks: 0, allLooks: 0, done };
      this.waiting.add(waiting);
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) abort();
      if (!this.isLooking) void this.lookWhileSomebodyWaits();
    });
  }

  private async lookWhileSomebodyWaits(): Promise<void> {
    this.isLooking = true;
    while (this.waiting.size > 0) {
      await this.look([...this.waiting]);
      const isFresh = [...this.waiting].some(({ allLooks }) => allLooks < FIRST_LOOKS);
      if (this.waiting.size > 0) await pause(isFresh ? LOOK_INTERVAL_MS : LATER_INTERVAL_MS);
    }
    this.isLooking = false;
  }

  private async look(all: readonly Waiting[]): Promise<void> {
    try {
      const oids = [...new Set(all.map(({ oid }) => oid))];
      const message = `SELECT pg_stat_clear_snapshot();\n${endSessionsOf(oids)}`;
      const { rows } = await this.watch.run<{ oid: string }>(message, AbortSignal.timeout(LOOK_DEADLINE_MS));
      const found = new Set(rows.map(({ oid }) => oid));
      for (const one of all) {
        one.allLooks += 1;
        one.emptyLooks = found.has(one.oid) ? 0 : one.emptyLooks + 1;
        if (one.emptyLooks >= one.looks) one.done();
      }
    } catch (error) {
      const failure = error instanceof Error ? error : new Error('the look failed', { cause: error });
      for (const one of all) one.done(failure);
    }
  }
}

const LOOK_DEADLINE_MS = 10_000;
