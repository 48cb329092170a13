import type { KeyClaim, KeyOwner } from '@mayfly/issuance';
import type { JsonObject, TaskId } from '@mayfly/kernel';
import { addSeconds, digestOf, earliest, Problem, type Clock } from '@mayfly/kernel';
import type { IdempotencyStore, UsedKey } from '@mayfly/persistence';
import type { Sealer } from '@mayfly/trust';
import type { CreateTask } from './task.schemas.js';

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

/** What a key needs of tasks. */
export interface KeyedTasks {
  /** a task as it is now, without secrets */
  view(taskId: TaskId): Promise<JsonObject>;
  /** ends a task whose answer nobody will get */
  takeBack(taskId: TaskId): Promise<void>;
}

/** `Idempotency-Key` on `POST /tasks`: one mint per key, whichever replica the requests reach. */
export class Idempotency {
  constructor(
    private readonly store: IdempotencyStore,
    private readonly sealer: Sealer,
    private readonly clock: Clock,
    private readonly tasks: KeyedTasks,
  ) {}

  /**
   * Runs `first` for a new key; for a used one answers the same task again, without secrets once it ends. Throws `idempotency_key_reused` for another
   * body, `request_in_flight` while the first request runs, and whatever `first` throws.
   */
  async once(
    owner: KeyOwner,
    key: string,
    request: CreateTask,
    first: (claim: KeyClaim) => Promise<Answer>,
  ): Promise<JsonObject> {
    if (!IDEMPOTENCY_KEY.test(key)) {
      throw new Problem('invalid_request', 'use 1 to 255 printable ASCII characters as `Idempotency-Key`');
    }
    const fingerprint = digestOf({ ...request });
    const claim = await this.store.claim(owner, key, fingerprint);
    if (!('claimedAt' in claim)) return this.replay(owner, key, fingerprint, claim);
    const answer = await first(claim).catch((error: unknown) => this.letGo(claim, error));
    await this.settle(claim, answer);
    return answer.body;
  }

  /** An answer that cannot be kept is not given: a retry would find the key free, and mint a second time. */
  private async settle(claim: KeyClaim, { taskId, expiresAt, body }: Answer): Promise<void> {
    const replayUntil = earliest(addSeconds(this.clock.now(), REPLAY_SECONDS), expiresAt);
    const sealed = this.sealer.seal(JSON.stringify(body), contextOf(claim, claim.key));
    try {
      if (await this.store.settle(claim, taskId, sealed, replayUntil)) return;
    } catch (error) {
      await this.tasks.takeBack(taskId);
      throw error;
    }
    await this.tasks.takeBack(taskId);
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
    const present = await this.tasks.view(used.taskId);
    // Of a task that ends the secrets are of no use any more, and its first answer would say that it is active.
    const isOver = present.state !== 'active' || present.endCause !== undefined;
    if (isOver || used.sealedAnswer === undefined) return present;
    return JSON.parse(this.sealer.open(used.sealedAnswer, contextOf(owner, key)).toString('utf8')) as JsonObject;
  }

  /** A refusal frees the key. A task that failed half-way keeps it: what became of its credentials is in the task. */
  private async letGo(claim: KeyClaim, error: unknown): Promise<never> {
    await this.store.release(claim);
    throw error;
  }
}

function contextOf({ agentId, runtime, issuer, subject }: KeyOwner, key: string): string {
  return JSON.stringify([agentId, runtime, issuer, subject, key]);
}
