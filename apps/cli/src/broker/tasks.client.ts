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

/** How a task is asked for, where it is not as `mayfly exec` does. */
export interface Asking {
  readonly signal?: AbortSignal;
  /** of an earlier request that was not answered: the task stays the same one */
  readonly idempotencyKey?: string;
  /** how long an answer is waited for, over all attempts */
  readonly forMs?: number;
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
  async request(request: TaskRequest, { signal, idempotencyKey, forMs }: Asking = {}): Promise<Granted> {
    const askedAt = this.timer.now();
    const headers = { 'idempotency-key': idempotencyKey ?? randomUUID() };
    const patience = { timer: this.timer, forMs: forMs ?? ASK_MS, ...(signal === undefined ? {} : { signal }) };
    const ask = () => {
      const left = forMs === undefined ? {} : { timeoutMs: askedAt + forMs - this.timer.now() };
      return this.transport.call('POST', '/tasks', TaskSchema, { body: request, headers, ...left });
    };
    return { task: (await retrying(patience, ask, mayAskAgain)).body, askedAt };
  }

  async view(id: string, timeoutMs?: number): Promise<TaskAnswer> {
    const call = timeoutMs === undefined ? {} : { timeoutMs };
    return (await this.transport.call('GET', `/tasks/${encodeURIComponent(id)}`, TaskSchema, call)).body;
  }

  /** Moves the deadline. What had to be issued again comes with its new `secret`. */
  renew(id: string, ttlSeconds: number | undefined): Promise<TaskAnswer> {
    return this.step(id, 'renew', ttlSeconds === undefined ? {} : { ttlSeconds });
  }

  heartbeat(id: string): Promise<TaskAnswer> {
    return this.step(id, 'heartbeat');
  }

  /** Ends a task: completed without a reason, failed with one. Tried again until it is answered, for `forMs` over all attempts. */
  end(id: string, reason?: string, forMs = END_MS): Promise<TaskAnswer> {
    const until = this.timer.now() + forMs;
    return retrying({ timer: this.timer, forMs }, () => {
      const timeoutMs = Math.min(until - this.timer.now(), SIGN_OF_LIFE_MS);
      return reason === undefined
        ? this.step(id, 'complete', undefined, timeoutMs)
        : this.step(id, 'fail', { reason }, timeoutMs);
    });
  }

  /** Takes a task back, as an operator. */
  async revoke(id: string): Promise<TaskAnswer> {
    return (await this.transport.call('DELETE', `/tasks/${encodeURIComponent(id)}`, TaskSchema)).body;
  }

  private async step(id: string, step: string, body?: unknown, timeoutMs = SIGN_OF_LIFE_MS): Promise<TaskAnswer> {
    const call = { timeoutMs, ...(body === undefined ? {} : { body }) };
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
