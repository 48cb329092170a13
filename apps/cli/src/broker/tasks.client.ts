import { randomUUID } from 'node:crypto';
import type { Timer } from '../timer.js';
import { TaskSchema, type TaskAnswer } from './answers.js';
import { BrokerRefusal } from './broker-refusal.js';
import { BrokerUnreachable } from './broker-unreachable.js';
import { retrying } from './retrying.js';
import type { Transport } from './transport.js';

/** How long a task is asked for while the broker is away. */
const ASK_MS = 20_000;
/** How long ending is tried before the deadline is left to do it. */
const END_MS = 15_000;
const SIGN_OF_LIFE_MS = 10_000;

export interface TaskRequest {
  readonly template: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly purpose: string;
  readonly ttlSeconds?: number;
}

/** The answer to a request for a task, and when the request that brought it began (`Timer.now()`). */
export interface Granted {
  readonly task: TaskAnswer;
  readonly askedAt: number;
}

/** What an agent does with its tasks. */
export class TasksClient {
  constructor(
    private readonly transport: Transport,
    private readonly timer: Timer,
  ) {}

  /**
   * Asks for a task. A broken connection is tried again under the same `Idempotency-Key`, so that it stays one task.
   * The answer may be a task that has failed or lost its secrets on the way: look at `state` and `secret`.
   */
  async request(request: TaskRequest, signal?: AbortSignal): Promise<Granted> {
    const askedAt = this.timer.now();
    const headers = { 'idempotency-key': randomUUID() };
    const patience = { timer: this.timer, forMs: ASK_MS, ...(signal === undefined ? {} : { signal }) };
    const ask = () => this.transport.call('POST', '/tasks', TaskSchema, { body: request, headers });
    return { task: (await retrying(patience, ask, mayAskAgain)).body, askedAt };
  }

  async view(id: string): Promise<TaskAnswer> {
    return (await this.transport.call('GET', `/tasks/${encodeURIComponent(id)}`, TaskSchema)).body;
  }

  /** Moves the deadline. What had to be issued again comes with its new `secret`. */
  renew(id: string, ttlSeconds: number | undefined): Promise<TaskAnswer> {
    return this.step(id, 'renew', ttlSeconds === undefined ? {} : { ttlSeconds });
  }

  heartbeat(id: string): Promise<TaskAnswer> {
    return this.step(id, 'heartbeat');
  }

  /** Ends a task: completed without a reason, failed with one. Tried again until it is answered, for a quarter of a minute. */
  end(id: string, reason?: string): Promise<TaskAnswer> {
    return retrying({ timer: this.timer, forMs: END_MS }, () =>
      reason === undefined ? this.step(id, 'complete') : this.step(id, 'fail', { reason }),
    );
  }

  /** Takes a task back, as an operator. */
  async revoke(id: string): Promise<TaskAnswer> {
    return (await this.transport.call('DELETE', `/tasks/${encodeURIComponent(id)}`, TaskSchema)).body;
  }

  private async step(id: string, step: string, body?: unknown): Promise<TaskAnswer> {
    const call = { timeoutMs: SIGN_OF_LIFE_MS, ...(body === undefined ? {} : { body }) };
    return (await this.transport.call('POST', `/tasks/${encodeURIComponent(id)}/${step}`, TaskSchema, call)).body;
  }
}

/** A target that did not answer is not asked a second time: what came of the first is being taken back. */
function mayAskAgain(error: unknown): boolean {
  if (error instanceof BrokerUnreachable) return true;
  if (!(error instanceof BrokerRefusal)) return false;
  return (
    error.code === 'request_in_flight' || error.code === 'unavailable' || (error.code === '' && error.status >= 502)
  );
}
