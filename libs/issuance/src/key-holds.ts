import type { KeyHold, KeyOwner } from './request.js';
import type { StepObserver } from './step.js';
import { addSeconds, type Clock, digestOf, earliest, type JsonObject, Problem, type TaskId } from '@mayfly/kernel';
import type { Sealing } from '@mayfly/credentials';

/** How long an answer may be replayed, secrets included; never past the task's expiry. */
const REPLAY_SECONDS = 300;

/** The pattern of draft-ietf-httpapi-idempotency-key-header-07, without its quotes. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** An answer with its task, as `POST /tasks` gives it the first time. */
export interface Answer {
  readonly taskId: TaskId;
  readonly expiresAt: Date;
  readonly body: JsonObject;
}

/** A key that was used before. */
export interface UsedKey {
  readonly fingerprint: string;
  /** the answer, sealed for its task, while it may be replayed */
  readonly sealedAnswer?: Buffer;
  /** absent while the first request is under way */
  readonly taskId?: TaskId;
}

/** Port: the `Idempotency-Key`s of callers. */
export interface KeyHoldStore {
  /** Holds the key for the caller; otherwise answers what it was used for. Exactly one of many callers gets it. */
  hold(owner: KeyOwner, key: string, fingerprint: string): Promise<KeyHold | UsedKey>;
  /** Keeps the sealed answer of the key's task, to be replayed until `replayUntil`. False where the key is not the task's. */
  settle(hold: KeyHold, taskId: TaskId, sealedAnswer: Buffer, replayUntil: Date): Promise<boolean>;
  /** Releases a key without an answer: it is free where no task was opened under it, and else stands for that task. */
  release(hold: KeyHold): Promise<void>;
}

/** Port: the tasks that keys stand for. */
export interface KeyedTasks {
  /** a task as it is now, without secrets */
  view(taskId: TaskId): Promise<JsonObject>;
  /** ends a task whose answer nobody will get */
  takeBack(taskId: TaskId): Promise<void>;
}

export interface KeyHoldsParts {
  readonly store: KeyHoldStore;
  readonly sealing: Sealing;
  readonly clock: Clock;
  readonly observer: StepObserver;
  readonly tasks: KeyedTasks;
}

/** Step 2 of the path, `Idempotency-Key` on `POST /tasks`: one mint per key, whichever replica the requests reach. */
export class KeyHolds {
  constructor(private readonly parts: KeyHoldsParts) {}

  /**
   * Runs `first` for a new key; for a used one answers the same task again, without secrets once it ends. Throws `idempotency_key_reused` for another
   * body, `request_in_flight` while the first request runs, and whatever `first` throws.
   */
  async once(
    owner: KeyOwner,
    key: string,
    request: JsonObject,
    first: (hold: KeyHold) => Promise<Answer>,
  ): Promise<JsonObject> {
    if (!IDEMPOTENCY_KEY.test(key)) {
      throw new Problem('invalid_request', 'use 1 to 255 printable ASCII characters as `Idempotency-Key`');
    }
    const fingerprint = digestOf(request);
    const held = await this.parts.store.hold(owner, key, fingerprint);
    if (!('claimedAt' in held)) return this.replay(owner, key, fingerprint, held);
    this.parts.observer.reached('hold');
    const answer = await first(held).catch((error: unknown) => this.letGo(held, error));
    await this.settle(held, answer);
    return answer.body;
  }

  /** An answer that cannot be kept is not given: a retry would find the key free, and mint a second time. */
  private async settle(hold: KeyHold, { taskId, expiresAt, body }: Answer): Promise<void> {
    const replayUntil = earliest(addSeconds(this.parts.clock.now(), REPLAY_SECONDS), expiresAt);
    const sealed = this.parts.sealing.seal(JSON.stringify(body), contextOf(hold, hold.key));
    try {
      if (await this.parts.store.settle(hold, taskId, sealed, replayUntil)) return;
    } catch (error) {
      await this.parts.tasks.takeBack(taskId);
      throw error;
    }
    await this.parts.tasks.takeBack(taskId);
    throw new Problem('request_in_flight', 'this took too long; another request with this key is under way', {
      taskId,
    });
  }

  private async replay(owner: KeyOwner, key: string, fingerprint: string, used: UsedKey): Promise<JsonObject> {
    if (used.fingerprint !== fingerprint) {
      throw new Problem('idempotency_key_reused', 'this key was used for another request; use a new one');
    }
    if (used.taskId === undefined) {
      throw new Problem('request_in_flight', 'the first request with this key is still under way', {
        retryAfterSeconds: 1,
      });
    }
    const present = await this.parts.tasks.view(used.taskId);
    // Of a task that ends the secrets are of no use any more, and its first answer would say that it is active.
    const isOver = present.state !== 'active' || present.endCause !== undefined;
    if (isOver || used.sealedAnswer === undefined) return present;
    return JSON.parse(this.parts.sealing.open(used.sealedAnswer, contextOf(owner, key)).toString('utf8')) as JsonObject;
  }

  /** A refusal frees the key. A task that failed half-way keeps it: what became of its credentials is in the task. */
  private async letGo(hold: KeyHold, error: unknown): Promise<never> {
    await this.parts.store.release(hold);
    throw error;
  }
}

function contextOf({ agentId, runtime, issuer, subject }: KeyOwner, key: string): string {
  return JSON.stringify([agentId, runtime, issuer, subject, key]);
}
