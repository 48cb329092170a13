import type { LeaseClaim } from '@mayfly/revocation';
import type { LeaseId, TaskId } from '@mayfly/kernel';
import type { TaskEndCause } from '@mayfly/tasks';

/** A row of `lease`, with the columns that closing needs. */
export interface ClaimedRow {
  readonly id: LeaseId;
  readonly task_id: TaskId;
  readonly agent_name: string;
  readonly name: string;
  readonly provider: string;
  readonly connection: string | null;
  readonly sealed_handle: Buffer;
  readonly version: number;
  readonly end_cause: TaskEndCause;
  readonly expires_at: Date;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly revoke_effective_at: Date | null;
  /** the state before this transaction */
  readonly was: string;
}

/** Returns the claim that a claimed row stands for. */
export function claimOf(row: ClaimedRow): LeaseClaim {
  return {
    id: row.id,
    taskId: row.task_id,
    agent: row.agent_name,
    provider: row.provider,
    ...(row.connection === null ? {} : { connection: row.connection }),
    sealedHandle: row.sealed_handle,
    version: row.version,
    cause: row.end_cause,
    expiresAt: row.expires_at,
    attempts: row.attempts,
    ...(row.last_error === null ? {} : { lastError: row.last_error }),
    ...(row.revoke_effective_at === null ? {} : { effectiveAt: row.revoke_effective_at }),
  };
}
