import { createPostgresBackend, Queue, withBackend, Worker, type JobsOptions } from 'bullmq';
import { sessionConfig, type SessionOptions } from '@mayfly/postgres';

const QUEUE = 'leases';
const SCHEMA = 'bullmq';
const SESSION: SessionOptions = {
  applicationName: 'mayfly queue',
  searchPath: SCHEMA,
  statementTimeoutMillis: 0,
  idleInTransactionMillis: 0,
};
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

/** Jobs in the schema `bullmq` of the database at `url`, which is made and migrated when an end is first used. */
export function postgresBackend(url: string): QueueBackend {
  const classes = withBackend(createPostgresBackend);
  // One more connection listens: BullMQ makes it by itself, with the startup packet of this configuration and no more.
  const connection: Record<string, unknown> = {
    ...sessionConfig(url, SESSION),
    ...{ schema: SCHEMA, migrate: true, max: 2, connectionTimeoutMillis: 5000 },
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
