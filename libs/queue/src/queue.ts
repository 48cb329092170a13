import { setTimeout as sleep } from 'node:timers/promises';
import { isId, type Clock, type LeaseId } from '@mayfly/kernel';
import type { JobSink, JobSource, LeaseJobPayload, QueueBackend, QueueEnd } from './queue-backend.js';

/** A job: check this lease at this time. `reason` is part of the job's id and contains no `:`. */
export interface LeaseJob {
  readonly leaseId: LeaseId;
  readonly runAt: Date;
  readonly reason: string;
}

/** Port: the log of the service. */
export interface QueueLog {
  /** Writes a line of the level `warn`. */
  warn(members: object, message: string): void;
}

/** The time limits of the first `add`, of later ones, and of every other operation. */
const FIRST_ADD_PATIENCE_MS = 2000;
const ADD_PATIENCE_MS = 500;
const PATIENCE_MS = 5000;
const RETRY_MS = 1000;
const LOG_EVERY_MS = 30_000;

/**
 * Wakes the worker when a lease falls due. A wake-up is only a hint: the sweeper finds every due lease in the database
 * (I3). So failures of the queue never reach the caller; they are logged at most once in 30 s and dropped.
 */
export class LeaseQueue {
  private readonly closing = new AbortController();
  private opening: Promise<JobSink> | undefined;
  private working: Promise<JobSource | undefined> | undefined;
  private readonly abandoned = new Set<Promise<void>>();
  private pausedUntil = 0;
  private silentUntil = 0;
  private patienceMs = FIRST_ADD_PATIENCE_MS;
  private unlogged = 0;

  constructor(
    private readonly backend: QueueBackend,
    private readonly clock: Clock,
    private readonly log: QueueLog,
  ) {}

  /**
   * Adds the jobs in one call. A job with the same reason, lease and second is added once. Never rejects. The first
   * call loads and opens the queue, in 2 s at most. Later calls return within half a second, and at once during the
   * second after a failure.
   */
  async add(jobs: readonly LeaseJob[]): Promise<void> {
    const now = this.clock.now().getTime();
    if (jobs.length === 0 || now < this.pausedUntil || this.closing.signal.aborted) return;
    const { patienceMs } = this;
    this.patienceMs = ADD_PATIENCE_MS;
    try {
      const written = jobs.map((job) => ({
        name: 'look',
        data: { leaseId: job.leaseId },
        opts: {
          jobId: jobId(job),
          delay: Math.max(0, job.runAt.getTime() - now),
          removeOnComplete: true,
          removeOnFail: true,
        },
      }));
      await within(
        patienceMs,
        this.sink().then((sink) => sink.addBulk(written)),
      );
    } catch (error) {
      this.pausedUntil = now + RETRY_MS;
      this.failed(error);
    }
  }

  /** Calls the handler for each due job, `concurrency` at a time, as soon as the queue can be reached. */
  work(handler: (leaseId: LeaseId) => Promise<void>, concurrency: number): void {
    this.working ??= this.openSource(handler, concurrency);
  }

  /** Stops starting jobs, waits at most 5 s for running jobs, and closes all connections. Never rejects. */
  async close(): Promise<void> {
    this.closing.abort();
    const ends = [this.working, this.opening].map(async (opening) => (await opening)?.close());
    const all = Promise.allSettled(ends).then(() => Promise.all(this.abandoned));
    await within(PATIENCE_MS, all).catch((error: unknown) => {
      this.failed(error);
    });
  }

  private sink(): Promise<JobSink> {
    this.opening ??= this.open(() => this.backend.sink()).catch((error: unknown) => {
      this.opening = undefined;
      throw error;
    });
    return this.opening;
  }

  private async openSource(
    handler: (leaseId: LeaseId) => Promise<void>,
    concurrency: number,
  ): Promise<JobSource | undefined> {
    const process = async ({ data }: { readonly data: unknown }) => {
      const { leaseId } = data as Partial<LeaseJobPayload>;
      if (leaseId !== undefined && isId('lse', leaseId)) await handler(leaseId).catch(this.failed);
    };
    while (!this.closing.signal.aborted) {
      try {
        const source = await this.open(() => this.backend.source(process, concurrency));
        source.run().catch(this.failed);
        return source;
      } catch (error) {
        this.failed(error);
        await sleep(RETRY_MS, undefined, { signal: this.closing.signal }).catch(() => undefined);
      }
    }
    return undefined;
  }

  private async open<End extends QueueEnd>(make: () => Promise<End>): Promise<End> {
    const end = await make();
    end.on('error', this.failed);
    try {
      await within(PATIENCE_MS, end.waitUntilReady(), this.closing.signal);
      return end;
    } catch (error) {
      this.abandon(end);
      throw error;
    }
  }

  /** Closes an end that was never reached. Its connections may still be opening, so `close` waits for this. */
  private abandon(end: QueueEnd): void {
    const gone: Promise<void> = end
      .close(true)
      .catch(() => undefined)
      .then(() => {
        this.abandoned.delete(gone);
      });
    this.abandoned.add(gone);
  }

  private readonly failed = (error: unknown): void => {
    if (this.closing.signal.aborted) return;
    const now = this.clock.now().getTime();
    this.unlogged += 1;
    if (now < this.silentUntil) return;
    this.log.warn(
      { err: error, failures: this.unlogged },
      'the lease queue failed; the sweep revokes leases without it',
    );
    this.silentUntil = now + LOG_EVERY_MS;
    this.unlogged = 0;
  };
}

function jobId({ reason, leaseId, runAt }: LeaseJob): string {
  return `${reason}-${leaseId}-${String(Math.floor(runAt.getTime() / 1000))}`;
}

/** Returns the result of `work`. Rejects after `ms`, or when `stop` is aborted; `work` then continues unobserved. */
async function within<T>(ms: number, work: Promise<T>, stop?: AbortSignal): Promise<T> {
  const done = new AbortController();
  const signal = stop === undefined ? done.signal : AbortSignal.any([done.signal, stop]);
  const late = sleep(ms, undefined, { signal }).then(() => {
    throw new Error(`no answer within ${String(ms)} ms`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    done.abort();
    late.catch(() => undefined);
    work.catch(() => undefined);
  }
}
