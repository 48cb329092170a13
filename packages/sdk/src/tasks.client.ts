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

/** Time for all attempts to request a task while the broker does not answer. */
const ASK_MS = 20_000;
/** Time for all attempts to end a task; after that its deadline ends it. */
const END_MS = 15_000;
const SIGN_OF_LIFE_MS = 10_000;

/** A granted task, and the start of its request (`Timer.now()`). */
export interface Granted {
  readonly task: Task;
  readonly askedAt: number;
}

/** Options of a task request; by default it takes up to 20 s under a new idempotency key. */
export interface Asking {
  readonly signal?: AbortSignal;
  /** the key of an earlier request without an answer: it returns the same task */
  readonly idempotencyKey?: string;
  /** time for all attempts together */
  readonly forMs?: number;
}

/** Requests, reads, renews and ends tasks at the broker. */
export class TasksClient {
  constructor(
    private readonly broker: Broker,
    private readonly timer: Timer,
  ) {}

  /**
   * Requests a task. Retries a broken connection under the same `Idempotency-Key`, so that at most one task is granted.
   * The task may have failed or lost its secrets in between: check `state` and `secret`.
   */
  async request(request: CreateTask, asking: Asking = {}): Promise<Granted> {
    const key = { 'Idempotency-Key': asking.idempotencyKey ?? randomUUID() };
    const granted = await this.asked(asking, (calls) =>
      answerOf(calls.POST('/tasks', { params: { header: key }, body: request })),
    );
    const { body } = granted;
    if ('dryRun' in body) throw new UnexpectedAnswer('id');
    return { task: body, askedAt: granted.askedAt };
  }

  /** Takes up a task that another agent handed on (a delegation), and gets its credentials. Retries as `request` does. */
  async accept(id: string, asking: Asking = {}): Promise<Granted> {
    const key = { 'Idempotency-Key': asking.idempotencyKey ?? randomUUID() };
    const { body, askedAt } = await this.asked(asking, (calls) =>
      answerOf(calls.POST('/tasks/{id}/accept', { params: { header: key, path: { id } } })),
    );
    return { task: body, askedAt };
  }

  async view(id: string, timeoutMs?: number): Promise<Task> {
    const calls = timeoutMs === undefined ? this.broker.calls : this.broker.within(timeoutMs);
    return (await answerOf(calls.GET('/tasks/{id}', of(id)))).body;
  }

  /** Renews a task. A credential that was issued again has its new `secret`. */
  async renew(id: string, ttlSeconds: number | undefined): Promise<Task> {
    const body = ttlSeconds === undefined ? {} : { ttlSeconds };
    return (await answerOf(this.soon().POST('/tasks/{id}/renew', { ...of(id), body }))).body;
  }

  async heartbeat(id: string): Promise<Task> {
    return (await answerOf(this.soon().POST('/tasks/{id}/heartbeat', of(id)))).body;
  }

  /** Ends a task: completes it, or fails it with `reason`. Retries for up to `forMs` over all attempts. */
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

  /** Revokes a task, as an operator. */
  async revoke(id: string): Promise<Task> {
    return (await answerOf(this.broker.calls.DELETE('/tasks/{id}', of(id)))).body;
  }

  /** Repeats a call that grants, within the time of `asking`. */
  private async asked<Body>(
    { signal, forMs }: Asking,
    call: (calls: Calls) => Promise<{ readonly body: Body }>,
  ): Promise<{ readonly body: Body; readonly askedAt: number }> {
    const askedAt = this.timer.now();
    const patience = { timer: this.timer, forMs: forMs ?? ASK_MS, ...(signal === undefined ? {} : { signal }) };
    const ask = () =>
      call(forMs === undefined ? this.broker.calls : this.broker.within(askedAt + forMs - this.timer.now()));
    const { body } = await retrying(patience, ask, mayAskAgain);
    return { body, askedAt };
  }

  private soon(forMs = SIGN_OF_LIFE_MS): Calls {
    return this.broker.within(Math.min(forMs, SIGN_OF_LIFE_MS));
  }
}

function of(id: string) {
  return { params: { path: { id } } };
}

/** True when the request may be repeated. Not after a target's failure: its task is being revoked. */
function mayAskAgain(error: unknown): boolean {
  if (error instanceof BrokerUnreachable) return true;
  if (!(error instanceof BrokerProblem)) return false;
  return (
    error.code === 'request_in_flight' || error.code === 'unavailable' || (error.code === '' && error.status >= 502)
  );
}
