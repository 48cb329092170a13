import { Problem } from './problem.js';

/**
 * Gathers the items that arrive while the last batch is under way and commits them as the next batch (no timer, no added
 * wait when idle): the items share one disk flush (ADR 0002). Each item gets its own result, after the commit. A batch whose
 * error `isOfOneItem` is run again item by item, so that one bad item fails alone; any other error fails the whole batch.
 */
export class GroupCommit<Item, Result> {
  private waiting: Waiting<Item, Result>[] = [];
  private running = 0;

  constructor(
    private readonly commit: (items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly options: GroupCommitOptions,
  ) {}

  /** Throws `unavailable` when more items wait than can be served in time. */
  submit(item: Item): Promise<Result> {
    if (this.waiting.length >= this.options.maxWaiting) return Promise.reject(overloaded());
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      // Items of one turn of the event loop go together.
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
  return new Problem('unavailable', 'too many requests wait for the database', { retryAfterSeconds: 2 });
}

export interface GroupCommitOptions {
  readonly maxItems: number;
  readonly maxRunning: number;
  readonly maxWaiting: number;
  /** Whether the error proves that nothing of the batch was committed, and that one of its items is the reason. */
  readonly isOfOneItem: (error: unknown) => boolean;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}
