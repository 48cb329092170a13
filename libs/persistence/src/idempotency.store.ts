import type { AgentId, TaskId } from '@mayfly/kernel';
import type { Pool } from 'pg';
import { databaseProblem } from './database-problem.js';

/** Who sent a key: keys of different agents, or of different identities of one agent, never meet. */
export interface KeyOwner {
  readonly agentId: AgentId;
  readonly issuer: string;
  readonly subject: string;
}

/** A key that was used before. */
export interface UsedKey {
  readonly fingerprint: string;
  /** the answer, sealed for its task, while it may be replayed */
  readonly sealedAnswer?: Buffer;
  readonly taskId?: TaskId;
}

/** The right to settle a key, until it lapses. */
export interface KeyClaim {
  readonly owner: KeyOwner;
  readonly key: string;
  /** fences a claim that lapsed and was given to another */
  readonly claimedAt: string;
}

/** A claim without an answer after this time was left by a process that died before it opened a task. */
const CLAIM_SECONDS = 30;

/** `Idempotency-Key`s on PostgreSQL: a key is claimed before the path begins and settled with its answer. */
export class IdempotencyStore {
  constructor(private readonly pool: Pool) {}

  /** The key, when it is the caller's now; otherwise what it was used for. Exactly one of many callers gets it. */
  async claim(owner: KeyOwner, key: string, fingerprint: string): Promise<KeyClaim | UsedKey> {
    const values = [owner.agentId, owner.issuer, owner.subject, key, fingerprint, CLAIM_SECONDS];
    const { rows } = await this.pool
      .query<{ claimed_at: string }>(
        `INSERT INTO idempotency_key (agent_id, issuer, subject, key, fingerprint, task_id, claimed_at)
         VALUES ($1, $2, $3, $4, $5, '', clock_timestamp())
         ON CONFLICT (agent_id, issuer, subject, key) DO UPDATE SET claimed_at = excluded.claimed_at, fingerprint = excluded.fingerprint
         WHERE idempotency_key.task_id = '' AND idempotency_key.claimed_at < now() - make_interval(secs => $6)
         RETURNING claimed_at::text`,
        values,
      )
      .catch(databaseProblem);
    return rows[0] === undefined ? this.find(owner, key, fingerprint) : { owner, key, claimedAt: rows[0].claimed_at };
  }

  /**
   * Binds the key to its task, with the sealed answer, if there is one, that may be replayed until `replayUntil`.
   * False when the claim lapsed and the key is somebody else's: then nothing was written.
   */
  async settle(claim: KeyClaim, taskId: TaskId, sealedAnswer?: Buffer, replayUntil?: Date): Promise<boolean> {
    const { rowCount } = await this.pool
      .query(`UPDATE idempotency_key SET task_id = $6, sealed_answer = $7, replay_until = $8 WHERE ${STILL_CLAIMED}`, [
        ...claimValues(claim),
        taskId,
        sealedAnswer ?? null,
        replayUntil ?? null,
      ])
      .catch(databaseProblem);
    return rowCount === 1;
  }

  /** Gives a key back: nothing was minted under it. */
  async release(claim: KeyClaim): Promise<void> {
    await this.pool
      .query(`DELETE FROM idempotency_key WHERE ${STILL_CLAIMED}`, claimValues(claim))
      .catch(databaseProblem);
  }

  /** INVARIANT: I10, sealed answers go when they may no longer be replayed. */
  async wipe(): Promise<void> {
    await this.pool.query(
      `UPDATE idempotency_key SET sealed_answer = NULL, replay_until = NULL WHERE replay_until <= now()`,
    );
  }

  private async find({ agentId, issuer, subject }: KeyOwner, key: string, fingerprint: string): Promise<UsedKey> {
    const { rows } = await this.pool
      .query<{ fingerprint: string; task_id: string; sealed_answer: Buffer | null }>(
        `SELECT fingerprint, task_id, CASE WHEN replay_until > now() THEN sealed_answer END AS sealed_answer
         FROM idempotency_key WHERE agent_id = $1 AND issuer = $2 AND subject = $3 AND key = $4`,
        [agentId, issuer, subject, key],
      )
      .catch(databaseProblem);
    const row = rows[0];
    // Given back this very moment: to the caller it is still under way, and free when it asks again.
    if (row === undefined) return { fingerprint };
    return {
      fingerprint: row.fingerprint,
      ...(row.task_id === '' ? {} : { taskId: row.task_id as TaskId }),
      ...(row.sealed_answer === null ? {} : { sealedAnswer: row.sealed_answer }),
    };
  }
}

const STILL_CLAIMED = `agent_id = $1 AND issuer = $2 AND subject = $3 AND key = $4 AND task_id = '' AND claimed_at = $5::timestamptz`;

function claimValues({ owner, key, claimedAt }: KeyClaim): string[] {
  return [owner.agentId, owner.issuer, owner.subject, key, claimedAt];
}
