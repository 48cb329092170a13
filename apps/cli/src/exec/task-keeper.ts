import type { TaskAnswer } from '../broker/answers.js';
import { BrokerRefusal } from '../broker/broker-refusal.js';
import type { Granted } from '../broker/tasks.client.js';
import { failureOf } from '../command-failure.js';
import type { Timer } from '../timer.js';
import { Renewals } from './renewals.js';

/** The shortest time that a template may ask signs of life for, where the broker does not say which it is. */
const LEAST_HEARTBEAT_SECONDS = 5;

/** How often a task is looked at whose credentials may be refused before their time. */
const WATCH_MS = 10_000;
/** Where the innocent may be cut off with the guilty, when a role has more of them than its policies can name. */
const CUT_OFF_BY = 'aws-sts';

/** What the keeper asks of the broker. */
export interface KeptTasks {
  renew(id: string, ttlSeconds: number | undefined): Promise<TaskAnswer>;
  heartbeat(id: string): Promise<TaskAnswer>;
  view(id: string): Promise<TaskAnswer>;
}

/** Told of what becomes of a task while its command runs. */
export interface KeeperListener {
  renewed(task: TaskAnswer): Promise<void>;
  /** no renewal will follow: the first credential ends at `at` */
  notRenewed(at: string, why: string): void;
  /** the task has ended, though its command runs */
  ended(why: string): void;
}

/** Keeps a task alive while its command runs: signs of life where the template asks for them, renewals ahead of the deadline. */
export class TaskKeeper {
  constructor(
    private readonly tasks: KeptTasks,
    private readonly timer: Timer,
    private readonly listener: KeeperListener,
    private readonly ttlSeconds: number | undefined,
  ) {}

  /** Resolves when `signal` is aborted, or when nothing is left to keep. Never rejects. */
  async keep(granted: Granted, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const judge = (error: unknown): void => {
      if (either.aborted || !isEnd(error)) return;
      over.abort();
      this.listener.ended(failureOf(error).message);
    };
    const renewals = this.renewalsOf(granted, either, judge);
    await Promise.all([
      this.renew(renewals, either),
      this.heartbeats(granted, either, judge),
      this.watch(granted, renewals, either, judge),
    ]);
  }

  private renewalsOf(granted: Granted, signal: AbortSignal, judge: (error: unknown) => void): Renewals {
    return new Renewals(granted, this.timer, async ({ id }) => {
      try {
        const task = await this.tasks.renew(id, this.ttlSeconds);
        if (!signal.aborted) await this.listener.renewed(task);
        return task;
      } catch (error) {
        judge(error);
        throw error;
      }
    });
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
    if (task.heartbeatAt === undefined) return;
    const pause = ((task.heartbeatTimeoutSeconds ?? LEAST_HEARTBEAT_SECONDS) * 1000) / 3;
    for (;;) {
      await this.timer.wait(pause, signal);
      if (signal.aborted) return;
      await this.tasks.heartbeat(task.id).catch(judge);
    }
  }
}

/** The task is not there any more, or is ending. */
function isEnd(error: unknown): boolean {
  if (!(error instanceof BrokerRefusal)) return false;
  return error.status === 404 || (error.code === 'conflict' && error.retryAfterSeconds === undefined);
}
