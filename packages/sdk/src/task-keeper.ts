import { BrokerProblem, type Task, type Timer } from '@mayfly/client';
import { Renewals } from './renewals.js';
import type { Granted } from './tasks.client.js';

/** Heartbeat interval as a part of the heartbeat timeout: two heartbeats may be lost. */
const BEAT_AFTER = 1 / 3;

/** Poll interval for tasks whose credentials may be disabled early. */
const WATCH_MS = 10_000;
/** The provider whose cut-offs may disable other tasks' credentials, when a role has too many to deny one by one. */
const CUT_OFF_BY = 'aws-sts';

/** Port: the broker's calls for a running task. */
export interface KeptTasks {
  /** Renews the task; the answer has the secrets that were issued again. */
  renew(id: string, ttlSeconds: number | undefined): Promise<Task>;
  /** Sends a heartbeat. */
  heartbeat(id: string): Promise<Task>;
  /** Reads the task, without secrets. */
  view(id: string): Promise<Task>;
}

/** Port: receives the events of a task during its work. */
export interface KeeperListener {
  /** the task was renewed: deliver its new secrets */
  renewed(task: Task): Promise<void>;
  /** renewal has stopped: the first credential ends at `at` */
  notRenewed(at: string, why: string): void;
  /** the task has ended before its work */
  ended(why: string): void;
}

/** Options of a `TaskKeeper`. */
export interface KeepOptions {
  /** lifetime that each renewal requests; the template's default if undefined */
  readonly ttlSeconds?: number;
  /** text of an error for the listener; the error's message by default */
  readonly wordsOf?: (error: unknown) => string;
}

/** Keeps a task alive during its work: sends the heartbeats that the template requires, and renews in time. */
export class TaskKeeper {
  private readonly ttlSeconds: number | undefined;
  private readonly wordsOf: (error: unknown) => string;

  constructor(
    private readonly tasks: KeptTasks,
    private readonly timer: Timer,
    private readonly listener: KeeperListener,
    { ttlSeconds, wordsOf = messageOf }: KeepOptions = {},
  ) {
    this.ttlSeconds = ttlSeconds;
    this.wordsOf = wordsOf;
  }

  /** Resolves when `signal` is aborted or the task needs no more calls. Never rejects. */
  async keep(granted: Granted, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const judge = (error: unknown): void => {
      if (either.aborted || !isEnd(error)) return;
      over.abort();
      this.listener.ended(this.wordsOf(error));
    };
    const renewals = this.renewalsOf(granted, either, judge);
    await Promise.all([
      this.renew(renewals, either),
      this.heartbeats(granted, either, judge),
      this.watch(granted, renewals, either, judge),
    ]);
  }

  private renewalsOf(granted: Granted, signal: AbortSignal, judge: (error: unknown) => void): Renewals {
    const renew = async ({ id }: Task): Promise<Task> => {
      try {
        const task = await this.tasks.renew(id, this.ttlSeconds);
        if (!signal.aborted) await this.listener.renewed(task);
        return task;
      } catch (error) {
        judge(error);
        throw error;
      }
    };
    return new Renewals(granted, this.timer, renew, this.wordsOf);
  }

  private async renew(renewals: Renewals, signal: AbortSignal): Promise<void> {
    const why = await renewals.run(signal);
    if (why !== undefined && !signal.aborted) this.listener.notRenewed(renewals.endsAt, why);
  }

  /** Replaces a credential that its target disabled early, by renewing the task. */
  private async watch(
    { task: { id, credentials } }: Granted,
    renewals: Renewals,
    signal: AbortSignal,
    judge: (error: unknown) => void,
  ): Promise<void> {
    if (!credentials.some(({ provider }) => provider === CUT_OFF_BY)) return;
    for (;;) {
      await this.timer.wait(WATCH_MS, signal);
      if (signal.aborted) return;
      const seen = await this.tasks.view(id).catch(judge);
      if (seen?.credentials.some(({ renewRequestedAt }) => renewRequestedAt !== undefined) === true) {
        await renewals.renewOnce();
      }
    }
  }

  private async heartbeats({ task }: Granted, signal: AbortSignal, judge: (error: unknown) => void): Promise<void> {
    if (task.heartbeatTimeoutSeconds === undefined) return;
    const pause = task.heartbeatTimeoutSeconds * 1000 * BEAT_AFTER;
    for (;;) {
      await this.timer.wait(pause, signal);
      if (signal.aborted) return;
      await this.tasks.heartbeat(task.id).catch(judge);
    }
  }
}

/** True when the task is unknown, has ended or is ending. */
function isEnd(error: unknown): boolean {
  if (!(error instanceof BrokerProblem)) return false;
  return error.status === 404 || (error.code === 'conflict' && error.retryAfterSeconds === undefined);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
