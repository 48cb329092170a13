import type { LeaseId, TaskId } from '@mayfly/kernel';

/** The right of this process to use one ended credential, for `claimSeconds`. */
export interface DeathProbeClaim {
  readonly id: LeaseId;
  readonly taskId: TaskId;
  /** the agent's name */
  readonly agent: string;
  readonly provider: string;
  readonly sealedHandle: Uint8Array;
  readonly sealedMaterial: Uint8Array;
  /** the uses before this one */
  readonly attempts: number;
  /** true when the target accepted the credential after its end before */
  readonly accepted: boolean;
  /** the instant from which Mayfly stops to try */
  readonly giveUpAt: Date;
}

/** The result of one use of an ended credential. `dead` and `given-up` wipe the material. */
export type DeathProbeResult =
  | { readonly claim: DeathProbeClaim; readonly kind: 'dead'; readonly at: Date }
  | { readonly claim: DeathProbeClaim; readonly kind: 'accepted'; readonly at: Date; readonly retryAt: Date }
  | { readonly claim: DeathProbeClaim; readonly kind: 'unknown'; readonly error: string; readonly retryAt: Date }
  | { readonly claim: DeathProbeClaim; readonly kind: 'given-up'; readonly at: Date; readonly error: string };

/** Port: the death probes of ended leases. Both methods throw `unavailable`. */
export interface DeathProbeStore {
  /** Claims at most `limit` due probes. */
  claimDue(limit: number): Promise<readonly DeathProbeClaim[]>;
  /** Writes a result with its audit entry. Writes nothing when another worker ended the probes of the lease. */
  record(result: DeathProbeResult): Promise<void>;
}
