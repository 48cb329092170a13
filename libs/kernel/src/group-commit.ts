import { Problem } from './problem.js';

/**
 * Collects the items that arrive while a batch commits, and commits them as the next batch. The items share one disk
 * flush (ADR 0002); an idle commit adds no wait. Each item gets its own result after the commit. When `isOfOneItem`
 * holds for the error of a batch, each item runs again alone, so that one bad item fails alone. Any other error fails
 * the whole batch.
 */
export class GroupCommit<Item, Result> {
  private waiting: Waiting<Item, Result>[] = [];
  private running = 0;

  constructor(
    private readonly commit: (items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly options: GroupCommitOptions,
  ) {}

  /** Throws `unavailable` when too many items wait for the database to serve them in time. */
  submit(item: Item): Promise<Result> {
    if (this.waiting.length >= this.options.maxWaiting) return Promise.reject(overloaded());
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      // Items that arrive in one turn of the event loop share a batch.
      if (this.waiting.length === 1) setImmediate(() => void this.drain());
    });
  }

  private async drain(): Promise<void> {
    if (this.running >= this.options.maxRunning || this.waiting.length === 0) return;
    const batch = this.waiting.splice(0, this.options.maxItems);
    this.running += 1;
    try {
      await this.run(batch);
    } finally {
      this.running -= 1;
    }
    void this.drain();
  }

  private async run(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.commit(batch.map(({ item }) => item));
      batch.forEach(({ resolve }, index) => {
        resolve(results[index] as Result);
      });
    } catch (error) {
      if (batch.length > 1 && this.options.isOfOneItem(error)) await Promise.all(batch.map((one) => this.run([one])));
      else
        batch.forEach(({ reject }) => {
          reject(error);
        });
    }
  }
}

function overloaded(): Problem {
  return new Problem('unavailable', 'too many requests wait for the database; try again later', {
    retryAfterSeconds: 2,
  });
}

/** The limits of a group commit: items in one batch, batches at once, and items that wait. */
export interface GroupCommitOptions {
  readonly maxItems: number;
  readonly maxRunning: number;
  readonly maxWaiting: number;
  /** True when the error proves that the batch committed nothing and that one item caused the error. */
  readonly isOfOneItem: (error: unknown) => boolean;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}
