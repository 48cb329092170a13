import { createPostgresBackend, Queue, withBackend, Worker, type JobsOptions } from 'bullmq';
import pg from 'pg';

const QUEUE = 'leases';
const SCHEMA = 'bullmq';
/** How soon a worker asks again after its server failed it; BullMQ's own 15 s would hold up a shutdown, too. */
const runRetryDelay = 1000;

/** What a job says: which lease to look at. Everything else is read from the database when it runs. */
export interface LeaseJobPayload {
  readonly leaseId: string;
}

interface Closable {
  waitUntilReady(): Promise<unknown>;
  /** Waits for what is under way; by force, it lets go of a server that was never reached. */
  close(force?: boolean): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** The end of a queue that takes jobs. */
export interface JobSink extends Closable {
  addBulk(jobs: { name: string; data: LeaseJobPayload; opts: JobsOptions }[]): Promise<unknown>;
}

/** The end that hands them out, from when it is made until it is closed. */
export type JobSource = Closable;

export type JobProcessor = (job: { readonly data: unknown }) => Promise<void>;

/** Where jobs are kept. Nothing is connected until an end is made; each end has connections of its own. */
export interface QueueBackend {
  sink(): JobSink;
  source(process: JobProcessor, concurrency: number): JobSource;
}

/** BullMQ leaves connections that it has checked out without a listener: one that broke would end the process. */
class QuietClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    this.on('error', () => undefined);
  }
}

/** Jobs in the schema `bullmq` of the database at `url`, which is made and migrated when an end is first used. */
export function postgresBackend(url: string): QueueBackend {
  const classes = withBackend(createPostgresBackend);
  // BullMQ pins `search_path` to the schema in the connections that it opens for itself.
  const connection = {
    ...{ connectionString: url, schema: SCHEMA, migrate: true, max: 2, connectionTimeoutMillis: 5000 },
    Client: QuietClient,
  };
  return {
    sink: () => new classes.Queue<LeaseJobPayload>(QUEUE, { connection }),
    source: (process, concurrency) =>
      new classes.Worker<LeaseJobPayload>(QUEUE, process, { connection, concurrency, runRetryDelay }),
  };
}

/** Jobs in the Redis at `url`, for rates that PostgreSQL's notifications do not carry. */
export function redisBackend(url: string): QueueBackend {
  return {
    // Without its offline queue, the client fails at once while Redis is away, instead of holding the caller.
    sink: () => new Queue<LeaseJobPayload>(QUEUE, { connection: { url, enableOfflineQueue: false } }),
    source: (process, concurrency) =>
      new Worker<LeaseJobPayload>(QUEUE, process, { connection: { url }, concurrency, runRetryDelay }),
  };
}
