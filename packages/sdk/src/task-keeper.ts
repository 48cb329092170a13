import { BrokerProblem, type Task, type Timer } from '@mayfly/client';
import { Renewals } from './renewals.js';
import type { Granted } from './tasks.client.js';

/** Of the time after which a task without a sign of life is revoked: two may be lost. */
const BEAT_AFTER = 1 / 3;

/** How often a task is looked at whose credentials may be refused before their time. */
const WATCH_MS = 10_000;
/** Where the innocent may be cut off with the guilty, when a role has more of them than its policies can name. */
const CUT_OFF_BY = 'aws-sts';

/** What the keeper asks of the broker. */
export interface KeptTasks {
  renew(id: string, ttlSeconds: number | undefined): Promise<Task>;
  heartbeat(id: string): Promise<Task>;
  view(id: string): Promise<Task>;
}

/** Told of what becomes of a task while its work goes on. */
export interface KeeperListener {
  renewed(task: Task): Promise<void>;
  /** no renewal will follow: the first credential ends at `at` */
  notRenewed(at: string, why: string): void;
  /** the task has ended, though its work goes on */
  ended(why: string): void;
}

/** How a task is kept. */
export interface KeepOptions {
  /** the life that a renewal asks for; the template's default unless given */
  readonly ttlSeconds?: number;
  /** what the listener is told of an error; its message unless given */
  readonly wordsOf?: (error: unknown) => string;
}

/** Keeps a task alive while its work goes on: signs of life where the template asks for them, renewals ahead of the deadline. */
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

  /** Resolves when `signal` is aborted, or when nothing is left to keep. Never rejects. */
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

  /** A credential that its target stopped taking before its time is replaced. */
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

/** The task is not there any more, or is ending. */
function isEnd(error: unknown): boolean {
  if (!(error instanceof BrokerProblem)) return false;
  return error.status === 404 || (error.code === 'conflict' && error.retryAfterSeconds === undefined);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
