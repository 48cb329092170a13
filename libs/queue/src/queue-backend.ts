import type { JobsOptions } from 'bullmq';
import { sessionConfig, type SessionOptions } from '@mayfly/postgres';

const QUEUE = 'leases';
const SCHEMA = 'bullmq';
const SESSION: SessionOptions = {
  applicationName: 'mayfly queue',
  searchPath: SCHEMA,
  statementTimeoutMillis: 0,
  idleInTransactionMillis: 0,
};
/**
 * `runRetryDelay`: the pause of a worker after a server failure, in ms; BullMQ's default of 15 s would also delay a
 * shutdown. `autorun`: by default a worker takes jobs before all its connections are open.
 */
const WORKER = { runRetryDelay: 1000, autorun: false };

/** The payload of a job: the lease to check. The handler reads everything else from the database. */
export interface LeaseJobPayload {
  readonly leaseId: string;
}

/** One end of a queue. */
export interface QueueEnd {
  waitUntilReady(): Promise<unknown>;
  /** Waits for running work. With `force` it gives up a server that was never reached. */
  close(force?: boolean): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** The end of a queue that accepts jobs. */
export interface JobSink extends QueueEnd {
  /** Writes all jobs in one call. A job whose id is known already is not added again. */
  addBulk(jobs: { name: string; data: LeaseJobPayload; opts: JobsOptions }[]): Promise<unknown>;
}

/** The end of a queue that runs jobs, from `run` until it is closed. */
export interface JobSource extends QueueEnd {
  /** Starts to run jobs. Resolves when the end is closed. */
  run(): Promise<unknown>;
}

export type JobProcessor = (job: { readonly data: unknown }) => Promise<void>;

/**
 * A store of jobs. It connects when an end is made; each end has its own connections. BullMQ and its clients are loaded
 * with the first end: a process without jobs does not need them.
 */
export interface QueueBackend {
  /** Opens an end for adding jobs. */
  sink(): Promise<JobSink>;
  /** Opens an end that calls `process` for each due job, `concurrency` at a time, once it is told to run. */
  source(process: JobProcessor, concurrency: number): Promise<JobSource>;
}

/**
 * Keeps jobs in the schema `bullmq` of the database at `url`. The first use of an end creates and migrates the schema.
 */
export function postgresBackend(url: string): QueueBackend {
  const classes = async () => {
    const { createPostgresBackend, withBackend } = await import('bullmq');
    return withBackend(createPostgresBackend);
  };
  // BullMQ opens one more connection for notifications, with only the startup packet of this configuration.
  const connection: Record<string, unknown> = {
    ...sessionConfig(url, SESSION),
    ...{ schema: SCHEMA, migrate: true, max: 2, connectionTimeoutMillis: 5000 },
  };
  return {
    sink: async () => {
      const { Queue } = await classes();
      return new Queue<LeaseJobPayload>(QUEUE, { connection });
    },
    source: async (process, concurrency) => {
      const { Worker } = await classes();
      return new Worker<LeaseJobPayload>(QUEUE, process, { connection, concurrency, ...WORKER });
    },
  };
}

/** Keeps jobs in the Redis at `url`, for rates above the capacity of PostgreSQL's notifications. */
export function redisBackend(url: string): QueueBackend {
  return {
    sink: async () => {
      const { Queue } = await import('bullmq');
      // Without the offline queue, a call fails at once while Redis is down, instead of blocking the caller.
      return new Queue<LeaseJobPayload>(QUEUE, { connection: { url, enableOfflineQueue: false } });
    },
    source: async (process, concurrency) => {
      const { Worker } = await import('bullmq');
      return new Worker<LeaseJobPayload>(QUEUE, process, { connection: { url }, concurrency, ...WORKER });
    },
  };
}
