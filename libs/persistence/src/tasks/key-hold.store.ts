import type { KeyHold, KeyHoldStore, KeyOwner, UsedKey } from '@mayfly/issuance';
import type { TaskId } from '@mayfly/kernel';
import type { Pool } from 'pg';
import { databaseProblem } from '../database/database-problem.js';

/** The time after which a hold without an answer counts as left by a dead process. */
const HOLD_SECONDS = 30;

/** The store of `Idempotency-Key`s on PostgreSQL: a key is held before the path begins and settled with its answer. */
export class PgKeyHoldStore implements KeyHoldStore {
  constructor(private readonly pool: Pool) {}

  async hold(owner: KeyOwner, key: string, fingerprint: string): Promise<KeyHold | UsedKey> {
    const { rows } = await this.pool
      .query<{ claimed_at: string | null }>({
        name: 'hold-key',
        text: 'SELECT public.hold_key($1, $2, $3, $4, $5, $6, $7) AS claimed_at',
        values: [...keyValues(owner, key), fingerprint, HOLD_SECONDS],
      })
      .catch(databaseProblem);
    const heldAt = rows[0]?.claimed_at ?? null;
    return heldAt === null ? this.find(owner, key, fingerprint) : { ...owner, key, heldAt };
  }

  async settle(hold: KeyHold, taskId: TaskId, sealedAnswer: Buffer, replayUntil: Date): Promise<boolean> {
    const { rowCount } = await this.pool
      .query(
        `UPDATE public.idempotency_key SET sealed_answer = $7, replay_until = $8 WHERE ${THIS_KEY} AND task_id = $6`,
        [...keyValues(hold, hold.key), taskId, sealedAnswer, replayUntil],
      )
      .catch(databaseProblem);
    return rowCount === 1;
  }

  async release(hold: KeyHold): Promise<void> {
    await this.pool
      .query(
        `WITH unused AS (DELETE FROM public.idempotency_key WHERE ${THIS_KEY} AND task_id = '' AND claimed_at = $6::timestamptz)
         UPDATE public.idempotency_key SET replay_until = moment.at FROM (SELECT now() AS at) AS moment
         WHERE ${THIS_KEY} AND task_id <> '' AND claimed_at = $6::timestamptz`,
        [...keyValues(hold, hold.key), hold.heldAt],
      )
      .catch(databaseProblem);
  }

  /**
   * INVARIANT: I10, deletes sealed answers once they may no longer be replayed. Deletes keys after a day. Wipes at most
   * `limit` of each; true when there may be more.
   */
  async wipe(limit = 1_000): Promise<boolean> {
    const answers = await this.pool.query({ name: 'wipe-answers', text: WIPE_ANSWERS, values: [limit] });
    const keys = await this.pool.query({ name: 'forget-keys', text: FORGET_KEYS, values: [limit] });
    return answers.rowCount === limit || keys.rowCount === limit;
  }

  private async find(owner: KeyOwner, key: string, fingerprint: string): Promise<UsedKey> {
    const { rows } = await this.pool
      .query<{ fingerprint: string; task_id: string; sealed_answer: Buffer | null; settled: boolean }>(
        `SELECT fingerprint, task_id, CASE WHEN replay_until > now() THEN sealed_answer END AS sealed_answer,
           task_id <> '' AND (replay_until IS NOT NULL OR claimed_at < now() - make_interval(secs => $6)) AS settled
         FROM public.idempotency_key WHERE ${THIS_KEY}`,
        [...keyValues(owner, key), HOLD_SECONDS],
      )
      .catch(databaseProblem);
    const row = rows[0];
    // The hold was released between the two statements. The caller gets "under way", and a retry finds the key free.
    if (row === undefined) return { fingerprint };
    return {
      fingerprint: row.fingerprint,
      ...(row.settled ? { taskId: row.task_id as TaskId } : {}),
      ...(row.sealed_answer === null ? {} : { sealedAnswer: row.sealed_answer }),
    };
  }
}

const KEY = 'agent_id, runtime, issuer, subject, key';

const WIPE_ANSWERS = `
UPDATE public.idempotency_key SET sealed_answer = NULL WHERE (${KEY}) IN (
  SELECT ${KEY} FROM public.idempotency_key WHERE sealed_answer IS NOT NULL AND replay_until <= now()
  ORDER BY replay_until LIMIT $1 FOR UPDATE SKIP LOCKED
)`;

/**
 * An answer is replayed for minutes, so the keys of a day ago are among those replayed for the last time 23 hours ago.
 */
const FORGET_KEYS = `
DELETE FROM public.idempotency_key WHERE (${KEY}) IN (
  SELECT ${KEY} FROM public.idempotency_key
  WHERE sealed_answer IS NULL AND replay_until <= now() - interval '23 hours' AND claimed_at < now() - interval '1 day'
  ORDER BY replay_until LIMIT $1 FOR UPDATE SKIP LOCKED
)`;

const THIS_KEY = 'agent_id = $1 AND runtime = $2 AND issuer = $3 AND subject = $4 AND key = $5';

function keyValues({ agentId, runtime, issuer, subject }: KeyOwner, key: string): string[] {
  return [agentId, runtime, issuer, subject, key];
}
