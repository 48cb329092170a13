import { randomUUID } from 'node:crypto';
import {
  answerOf,
  BrokerProblem,
  BrokerUnreachable,
  retrying,
  UnexpectedAnswer,
  type Broker,
  type Calls,
  type CreateTask,
  type Task,
  type Timer,
} from '@mayfly/client';

/** How long a task is asked for while the broker is away. */
const ASK_MS = 20_000;
/** How long ending is tried before the deadline is left to do it. */
const END_MS = 15_000;
const SIGN_OF_LIFE_MS = 10_000;

/** The answer to a request for a task, and when the request that brought it began (`Timer.now()`). */
export interface Granted {
  readonly task: Task;
  readonly askedAt: number;
}

/** How a task is asked for, where it is not for twenty seconds and anew. */
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
    private readonly broker: Broker,
    private readonly timer: Timer,
  ) {}

  /**
   * Asks for a task. A broken connection is tried again under the same `Idempotency-Key`, so that it stays one task.
   * The answer may be a task that has failed or lost its secrets on the way: look at `state` and `secret`.
   */
  async request(request: CreateTask, { signal, idempotencyKey, forMs }: Asking = {}): Promise<Granted> {
    const askedAt = this.timer.now();
    const call = { params: { header: { 'Idempotency-Key': idempotencyKey ?? randomUUID() } }, body: request };
    const patience = { timer: this.timer, forMs: forMs ?? ASK_MS, ...(signal === undefined ? {} : { signal }) };
    const ask = () => {
      const calls = forMs === undefined ? this.broker.calls : this.broker.within(askedAt + forMs - this.timer.now());
      return answerOf(calls.POST('/tasks', call));
    };
    const { body } = await retrying(patience, ask, mayAskAgain);
    if ('dryRun' in body) throw new UnexpectedAnswer('id');
    return { task: body, askedAt };
  }

  async view(id: string, timeoutMs?: number): Promise<Task> {
    const calls = timeoutMs === undefined ? this.broker.calls : this.broker.within(timeoutMs);
    return (await answerOf(calls.GET('/tasks/{id}', of(id)))).body;
  }

  /** Moves the deadline. What had to be issued again comes with its new `secret`. */
  async renew(id: string, ttlSeconds: number | undefined): Promise<Task> {
    const body = ttlSeconds === undefined ? {} : { ttlSeconds };
    return (await answerOf(this.soon().POST('/tasks/{id}/renew', { ...of(id), body }))).body;
  }

  async heartbeat(id: string): Promise<Task> {
    return (await answerOf(this.soon().POST('/tasks/{id}/heartbeat', of(id)))).body;
  }

  /** Ends a task: completed without a reason, failed with one. Tried again until it is answered, for `forMs` over all attempts. */
  async end(id: string, reason?: string, forMs = END_MS): Promise<Task> {
    const until = this.timer.now() + forMs;
    const ended = await retrying({ timer: this.timer, forMs }, () => {
      const calls = this.soon(until - this.timer.now());
      return reason === undefined
        ? answerOf(calls.POST('/tasks/{id}/complete', of(id)))
        : answerOf(calls.POST('/tasks/{id}/fail', { ...of(id), body: { reason } }));
    });
    return ended.body;
  }

  /** Takes a task back, as an operator. */
  async revoke(id: string): Promise<Task> {
    return (await answerOf(this.broker.calls.DELETE('/tasks/{id}', of(id)))).body;
  }

  private soon(forMs = SIGN_OF_LIFE_MS): Calls {
    return this.broker.within(Math.min(forMs, SIGN_OF_LIFE_MS));
  }
}

function of(id: string) {
  return { params: { path: { id } } };
}

/** A target that did not answer is not asked a second time: what came of the first is being taken back. */
function mayAskAgain(error: unknown): boolean {
  if (error instanceof BrokerUnreachable) return true;
  if (!(error instanceof BrokerProblem)) return false;
  return (
    error.code === 'request_in_flight' || error.code === 'unavailable' || (error.code === '' && error.status >= 502)
  );
}
