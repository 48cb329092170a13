import type { EndRequest, TaskEndCause } from '@mayfly/tasks';
import type { LeaseId, TaskId } from '@mayfly/kernel';

/** A lease that this process may close until `claimSeconds` have passed; `version` fences late results. */
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
  /** from when on the target refuses it, as an earlier call was told; not confirmed yet */
  readonly effectiveAt?: Date;
}

/** The leases of one agent at one connection: their ends wait for each other, and for nobody else's. */
export interface Lane {
  readonly connection: string;
  readonly agent: string;
}

/** What came of closing one claimed lease. */
export type ClosingResult =
  | {
      readonly claim: LeaseClaim;
      readonly state: 'revoked' | 'expired';
      readonly effectiveAt: Date;
      /** what is left at the target although it gives no access any more, in words */
      readonly remains?: string;
    }
  | {
      readonly claim: LeaseClaim;
      readonly state: 'revoking';
      readonly retryAt: Date;
      readonly error: string;
      /** the target's acknowledgement: it refuses from then on */
      readonly effectiveAt?: Date;
    };

/** The store of revocation. Every method locks the task row first, so that transitions of one task are in one order. */
export interface ClosingStore {
  /** Records the end once (the first cause stays), marks the leases `revoking` and claims those that can be closed now. */
  requestEnd(request: EndRequest): Promise<readonly LeaseClaim[]>;
  /** Claims due leases, marking them `revoking`; those of busy lanes and connections are left for later. */
  claimDue(options: {
    limit: number;
    leaseId?: LeaseId;
    busyConnections?: readonly string[];
    busyLanes?: readonly Lane[];
    /** so that a dead back end, and an agent whose leases resist their end, leave room for the others */
    limitPerLane?: number;
  }): Promise<readonly LeaseClaim[]>;
  /** Writes results whose claim still holds; ends tasks whose last lease is terminal and gives their quota back. */
  record(results: readonly ClosingResult[]): Promise<void>;
}
