import { randomUUID } from 'node:crypto';
import { BrokerProblem, isPassing, type CreateTask, type Task, type Timer } from '@mayfly/client';
import type { AwsSession, TasksClient } from '@mayfly/sdk';
import { CommandFailure } from '../command-failure.js';
import { EXIT } from '../exit-codes.js';
import type { Notices } from '../output/notices.js';
import { earlier, hasTimeLeft, type Kept, type KeptFile, type OpenTask } from './kept.js';
import { requireAlive, sessionIn } from './process-credentials.js';
import { underLock } from './process-lock.js';

/** Time for the broker's answer about a task; without one, the stored session is returned. */
const CHECK_MS = 1_500;
/** Time to end a useless task before requesting another one. */
const END_BESIDE_MS = 1_000;

export interface ProfileSessionParts {
  readonly tasks: Pick<TasksClient, 'request' | 'view' | 'end'>;
  readonly file: KeptFile;
  readonly timer: Timer;
  readonly notices: Notices;
  /** deadline of the answer (`Timer.now()`) */
  readonly until: number;
}

/** The AWS session of a profile: all calls of all processes share one task while it lives. */
export class ProfileSession {
  constructor(
    private readonly parts: ProfileSessionParts,
    private readonly request: CreateTask,
    private readonly picked: readonly string[],
  ) {}

  /**
   * Returns the stored session if its task is active or the broker does not answer, otherwise the session of a new
   * task. Throws the errors of the request; the next call repeats an unanswered request.
   */
  async obtain(): Promise<AwsSession> {
    const { file } = this.parts;
    const found = await file.read();
    const judged = await this.judge(found);
    if (judged.good !== undefined) return judged.good.session;
    const fresh = async (): Promise<AwsSession | undefined> => {
      const now = await file.read();
      const isFresh = now?.state === 'open' && !isSameTask(now, found) && hasTimeLeft(now, new Date());
      return isFresh ? now.session : undefined;
    };
    return this.locked(async () => (await fresh()) ?? (await this.replace(judged.spent)), fresh);
  }

  private async replace(useless: string | undefined): Promise<AwsSession> {
    const now = await this.parts.file.read();
    const spent = now?.state === 'ending' ? now.taskId : useless;
    if (spent !== undefined) await this.endBeside(spent);
    return this.open(now?.state === 'asked' ? now.idempotencyKey : undefined);
  }

  /**
   * Completes the stored task and removes the file. The session leaves the disk first: if the broker does not answer,
   * only the task id stays for the next attempt. Resolves to the id, or to undefined without a task.
   */
  async end(): Promise<string | undefined> {
    const { file, tasks } = this.parts;
    if ((await file.read()) === undefined) return undefined;
    return this.locked(async () => {
      const found = await file.read();
      const taskId = found?.state === 'asked' ? await this.askedFor(found.idempotencyKey) : found?.taskId;
      if (taskId !== undefined) {
        await file.write({ state: 'ending', taskId });
        await tasks.end(taskId, undefined, this.leftMs()).catch(passOver);
      }
      await file.remove();
      return taskId;
    });
  }

  /** Decides about the stored session: `good` to return it, `spent` to end its task because the session is disabled. */
  private async judge(kept: Kept | undefined): Promise<{ readonly good?: OpenTask; readonly spent?: string }> {
    if (kept?.state !== 'open' || !hasTimeLeft(kept, new Date())) return {};
    try {
      const task = await this.parts.tasks.view(kept.taskId, Math.min(CHECK_MS, this.leftMs()));
      if (task.state !== 'active') return {};
      return isUsable(task, kept.credential) ? { good: kept } : { spent: task.id };
    } catch (error) {
      if (isNotThere(error)) return {};
      if (!isPassing(error)) throw error;
      this.parts.notices.warn(`the broker did not confirm that the task of this session still runs: ${kept.taskId}`);
      return { good: kept };
    }
  }

  private async open(earlierKey?: string): Promise<AwsSession> {
    const { tasks, file } = this.parts;
    const idempotencyKey = earlierKey ?? randomUUID();
    await file.write({ state: 'asked', idempotencyKey });
    const { task } = await tasks
      .request(this.request, { idempotencyKey, forMs: this.leftMs() })
      .catch(async (error: unknown) => {
        if (isRefused(error)) await file.remove();
        throw error;
      });
    const kept = await this.keep(task, earlierKey === undefined);
    if (kept !== undefined) return kept.session;
    if (earlierKey !== undefined) return this.open();
    throw new CommandFailure(EXIT.unavailable, `task ${task.id} is ${task.state}, and has no session`);
  }

  /** Stores a new task. Ends a task without a usable session and returns undefined for it. */
  private async keep(task: Task, isNew: boolean): Promise<OpenTask | undefined> {
    let isOfUse = false;
    try {
      const kept = keptOf(task, this.picked);
      if (kept === undefined || !(isNew || hasTimeLeft(kept, new Date()))) return undefined;
      requireAlive(kept.session, new Date());
      await this.parts.file.write(kept);
      isOfUse = true;
      this.remark(task);
      return kept;
    } finally {
      if (!isOfUse) await Promise.all([this.endBeside(task.id), this.parts.file.remove()]);
    }
  }

  private async askedFor(idempotencyKey: string): Promise<string | undefined> {
    try {
      return (await this.parts.tasks.request(this.request, { idempotencyKey, forMs: this.leftMs() })).task.id;
    } catch (error) {
      if (isRefused(error)) return undefined;
      throw error;
    }
  }

  private remark({ heartbeatAt, template, lifetime, expiresAt }: Task): void {
    const { notices } = this.parts;
    if (heartbeatAt !== undefined) {
      notices.warn(`template \`${template.name}\` requires heartbeats, and a credential process cannot send them`);
    }
    if (lifetime?.limitedBy === 'identity') {
      notices.warn(
        `the session ends at ${expiresAt}, with the identity token (limitedBy: identity)`,
        'use an identity token with a longer lifetime for a longer session',
      );
    }
  }

  private async endBeside(taskId: string): Promise<void> {
    const forMs = Math.min(END_BESIDE_MS, this.leftMs());
    await this.parts.tasks.end(taskId, undefined, forMs).catch(() => undefined); // otherwise its deadline ends it
  }

  private locked<T>(act: () => Promise<T>, instead?: () => Promise<T | undefined>): Promise<T> {
    const { file, timer, until } = this.parts;
    return underLock(file.lockPath, { timer, until, ...(instead === undefined ? {} : { instead }) }, act);
  }

  private leftMs(): number {
    return Math.max(this.parts.until - this.parts.timer.now(), 1);
  }
}

/** Returns undefined for an answer without a session: the task has ended, or its secrets are no longer stored. */
function keptOf(task: Task, picked: readonly string[]): OpenTask | undefined {
  if (task.state !== 'active' || task.credentials.every(({ secret }) => secret === undefined)) return undefined;
  const { name, session } = sessionIn(task, picked);
  const expiresAt = earlier(task.expiresAt, session.expiration);
  return { state: 'open', taskId: task.id, credential: name, openedAt: task.createdAt, expiresAt, session };
}

/** True while the target accepts the session: its lease is active and has no renewal request. */
function isUsable(task: Task, credential: string): boolean {
  const lease = task.credentials.find(({ name }) => name === credential);
  return lease?.state === 'active' && lease.renewRequestedAt === undefined;
}

function isSameTask(one: OpenTask, other: Kept | undefined): boolean {
  return other?.state === 'open' && other.taskId === one.taskId;
}

/** True when the broker answered and granted no task. */
function isRefused(error: unknown): boolean {
  return error instanceof BrokerProblem && error.status < 500 && error.code !== 'request_in_flight';
}

function isNotThere(error: unknown): boolean {
  return error instanceof BrokerProblem && error.status === 404;
}

function passOver(error: unknown): void {
  if (!isNotThere(error)) throw error;
}
