import type { Actor } from '@mayfly/audit';
import type { EndRequest, Lease, TaskEndCause } from '@mayfly/tasks';
import type { LeaseId, TaskId } from '@mayfly/kernel';

/** The right of this process to close one lease, for `claimSeconds`. `version` fences late results. */
export interface LeaseClaim {
  readonly id: LeaseId;
  readonly taskId: TaskId;
  /** the agent's name */
  readonly agent: string;
  readonly provider: string;
  readonly connection?: string;
  readonly sealedHandle: Uint8Array;
  readonly version: number;
  readonly cause: TaskEndCause;
  readonly expiresAt: Date;
  readonly attempts: number;
  /** why an earlier try ended without proof */
  readonly lastError?: string;
  /** the instant from which the target refuses the credential, as an earlier call reported; not confirmed yet */
  readonly effectiveAt?: Date;
}

/** The leases of one agent at one connection. A lane that is slow to close delays no other lane. */
export interface Lane {
  readonly connection: string;
  readonly agent: string;
}

/** The result of closing one claimed lease. */
export type ClosingResult =
  | {
      readonly claim: LeaseClaim;
      readonly state: 'revoked' | 'expired';
      readonly effectiveAt: Date;
      /** in words: the objects that remain at the target and give no access */
      readonly remains?: string;
    }
  | {
      readonly claim: LeaseClaim;
      readonly state: 'revoking';
      readonly retryAt: Date;
      readonly error: string;
      /** the target acknowledged the revocation and refuses from this instant */
      readonly effectiveAt?: Date;
    };

/** The request of an operator to give up on the revocation of one lease. */
export interface AbandonRequest {
  readonly leaseId: LeaseId;
  readonly reason: string;
  readonly actor: Actor;
}

/** A lease as a request to abandon it found it under its lock, and whether the request abandoned it. */
export interface AbandonResult {
  readonly found: Pick<Lease, 'taskId' | 'state' | 'expiresAt' | 'lastError'>;
  readonly abandonedAt?: Date;
}

/** Port: the store of revocation. Every method locks the task row first, which orders the transitions of one task. */
export interface ClosingStore {
  /**
   * Records the end once (the first cause stays), marks the leases `revoking`, and claims those that can be closed now.
   */
  requestEnd(request: EndRequest): Promise<readonly LeaseClaim[]>;
  /** Claims due leases and marks them `revoking`. Skips busy lanes and connections. */
  claimDue(options: {
    limit: number;
    leaseId?: LeaseId;
    busyConnections?: readonly string[];
    busyLanes?: readonly Lane[];
    /** leaves room for other lanes when a back end is dead or an agent's leases cannot be closed */
    limitPerLane?: number;
  }): Promise<readonly LeaseClaim[]>;
  /** Writes results whose claim still holds. Ends tasks whose last lease is terminal, and releases their quota. */
  record(results: readonly ClosingResult[]): Promise<void>;
  /**
   * Makes a lease `abandoned` if the rule of `isAbandonable` allows it, as `record` makes it `revoked`, with the entry
   * `lease.abandoned`. A claim on it no longer holds. Returns undefined when there is no such lease.
   */
  abandon(request: AbandonRequest): Promise<AbandonResult | undefined>;
}
