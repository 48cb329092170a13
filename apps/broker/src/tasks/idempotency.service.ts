import type { JsonObject, TaskId } from '@mayfly/kernel';
import { addSeconds, digestOf, earliest, Problem, type Clock } from '@mayfly/kernel';
import type { IdempotencyStore, KeyOwner, UsedKey } from '@mayfly/persistence';
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

/** `Idempotency-Key` on `POST /tasks`: one mint per key, whichever replica the requests reach. */
export class Idempotency {
  constructor(
    private readonly store: IdempotencyStore,
    private readonly sealer: Sealer,
    private readonly clock: Clock,
    /** a task's view without secrets, for when the answer may no longer be replayed */
    private readonly view: (taskId: TaskId) => Promise<JsonObject>,
  ) {}

  /**
   * Runs `first` for a new key; for a used one answers the same task again. Throws `idempotency_key_reused` for another
   * body, `request_in_flight` while the first request runs, and whatever `first` throws.
   */
  async once(owner: KeyOwner, key: string, request: CreateTask, first: () => Promise<Answer>): Promise<JsonObject> {
    if (!IDEMPOTENCY_KEY.test(key)) {
      throw new Problem('invalid_request', 'use 1 to 255 printable ASCII characters as `Idempotency-Key`');
    }
    const fingerprint = digestOf({ ...request });
    const used = await this.store.claim(owner, key, fingerprint);
    if (used !== undefined) return this.replay(owner, key, fingerprint, used);
    try {
      const answer = await first();
      const replayUntil = earliest(addSeconds(this.clock.now(), REPLAY_SECONDS), answer.expiresAt);
      const sealed = this.sealer.seal(JSON.stringify(answer.body), contextOf(owner, key));
      await this.store.settle(owner, key, answer.taskId, sealed, replayUntil);
      return answer.body;
    } catch (error) {
      await this.letGo(owner, key, error);
      throw error;
    }
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
    if (used.sealedAnswer === undefined) return this.view(used.taskId);
    return JSON.parse(this.sealer.open(used.sealedAnswer, contextOf(owner, key)).toString('utf8')) as JsonObject;
  }

  /** A refusal frees the key. A task that failed half-way keeps it: what became of its credentials is in the task. */
  private async letGo(owner: KeyOwner, key: string, error: unknown): Promise<void> {
    const taskId = error instanceof Problem ? error.extensions.taskId : undefined;
    if (taskId === undefined) await this.store.release(owner, key);
    else await this.store.settle(owner, key, taskId as TaskId);
  }
}

function contextOf({ agentId, issuer, subject }: KeyOwner, key: string): string {
  return JSON.stringify([agentId, issuer, subject, key]);
}
