import type { KeyHold, KeyOwner } from './request.js';
import { addSeconds, type Clock, digestOf, earliest, type JsonObject, Problem, type TaskId } from '@mayfly/kernel';
import type { Sealing } from '@mayfly/credentials';
import type { StepObserver } from '@mayfly/tasks';

/** The longest time that an answer may be replayed, secrets included; the task's expiry ends the replay earlier. */
const REPLAY_SECONDS = 300;

/** The pattern of draft-ietf-httpapi-idempotency-key-header-07, without its quotes. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** The first answer of `POST /tasks`, with the task that it belongs to. */
export interface KeyedAnswer {
  readonly taskId: TaskId;
  readonly expiresAt: Date;
  readonly body: JsonObject;
}

/** The record of a key that was used before. */
export interface UsedKey {
  readonly fingerprint: string;
  /** the answer, sealed for this key; present while it may be replayed */
  readonly sealedAnswer?: Buffer;
  /** absent while the first request is under way */
  readonly taskId?: TaskId;
}

/** Port: the store of holds on `Idempotency-Key`s. */
export interface KeyHoldStore {
  /**
   * Takes the hold on a free key, or returns the record of its first use. Of concurrent callers exactly one gets the
   * hold.
   */
  hold(owner: KeyOwner, key: string, fingerprint: string): Promise<KeyHold | UsedKey>;
  /**
   * Saves the sealed answer of the key's task, for replay until `replayUntil`. False when the key is not bound to the
   * task.
   */
  settle(hold: KeyHold, taskId: TaskId, sealedAnswer: Buffer, replayUntil: Date): Promise<boolean>;
  /**
   * Releases the hold without an answer. Frees the key when no task was opened under it; otherwise the key stays bound
   * to the task.
   */
  release(hold: KeyHold): Promise<void>;
}

/** Port: the tasks that keys are bound to. */
export interface KeyedTasks {
  /** the current view of a task, without secrets */
  view(taskId: TaskId): Promise<JsonObject>;
  /** ends a task whose answer cannot be delivered */
  endUndelivered(taskId: TaskId): Promise<void>;
}

export interface KeyHoldsParts {
  readonly store: KeyHoldStore;
  readonly sealing: Sealing;
  readonly clock: Clock;
  readonly observer: StepObserver;
  readonly tasks: KeyedTasks;
}

/** Step 2 of the path, `Idempotency-Key` on `POST /tasks`: one mint per key across all replicas. */
export class KeyHolds {
  constructor(private readonly parts: KeyHoldsParts) {}

  /**
   * Runs `first` for a new key. Returns the same task for a used key, with its secrets only while they may be replayed.
   * Throws `invalid_request` for a malformed key, `idempotency_key_reused` for another body, `request_in_flight` while
   * the first request runs, and any error of `first`.
   */
  async once(
    owner: KeyOwner,
    key: string,
    request: JsonObject,
    first: (hold: KeyHold) => Promise<KeyedAnswer>,
  ): Promise<JsonObject> {
    if (!IDEMPOTENCY_KEY.test(key)) {
      throw new Problem(
        'invalid_request',
        '`Idempotency-Key` is not 1 to 255 printable ASCII characters; use such a key',
      );
    }
    const fingerprint = digestOf(request);
    const held = await this.parts.store.hold(owner, key, fingerprint); //                          2
    if (!('heldAt' in held)) return this.replay(owner, key, fingerprint, held);
    await this.parts.observer.reached('hold');
    const answer = await first(held).catch((error: unknown) => this.letGo(held, error));
    await this.settle(held, answer);
    await this.parts.observer.reached('settle');
    return answer.body;
  }

  /** Ends the task when its answer cannot be saved: a retry with this key could not get the secrets. */
  private async settle(hold: KeyHold, { taskId, expiresAt, body }: KeyedAnswer): Promise<void> {
    const replayUntil = earliest(addSeconds(this.parts.clock.now(), REPLAY_SECONDS), expiresAt);
    const sealed = this.parts.sealing.seal(JSON.stringify(body), contextOf(hold, hold.key));
    try {
      if (await this.parts.store.settle(hold, taskId, sealed, replayUntil)) return;
    } catch (error) {
      await this.parts.tasks.endUndelivered(taskId);
      throw error;
    }
    await this.parts.tasks.endUndelivered(taskId);
    throw new Problem(
      'request_in_flight',
      'this request took too long, and another request with this `Idempotency-Key` is in progress; send it again',
      {
        taskId,
      },
    );
  }

  private async replay(owner: KeyOwner, key: string, fingerprint: string, used: UsedKey): Promise<JsonObject> {
    if (used.fingerprint !== fingerprint) {
      throw new Problem('idempotency_key_reused', 'this `Idempotency-Key` belongs to another request; use a new key');
    }
    if (used.taskId === undefined) {
      throw new Problem(
        'request_in_flight',
        'the first request with this `Idempotency-Key` is still in progress; send it again after `Retry-After`',
        {
          retryAfterSeconds: 1,
        },
      );
    }
    const present = await this.parts.tasks.view(used.taskId);
    // A task that ends, or that a lockdown covers, returns its current view: its secrets are useless, and the first answer
    // would say `active`.
    const isOver = present.state !== 'active' || present.endCause !== undefined || present.lockdown !== undefined;
    if (isOver || used.sealedAnswer === undefined) return present;
    return JSON.parse(this.parts.sealing.open(used.sealedAnswer, contextOf(owner, key)).toString('utf8')) as JsonObject;
  }

  /**
   * Frees the key after a refusal. A task that failed after it was opened keeps its key; its view shows its
   * credentials.
   */
  private async letGo(hold: KeyHold, error: unknown): Promise<never> {
    await this.parts.store.release(hold);
    throw error;
  }
}

function contextOf({ agentId, runtime, issuer, subject }: KeyOwner, key: string): string {
  return JSON.stringify([agentId, runtime, issuer, subject, key]);
}
