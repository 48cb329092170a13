import type { Actor, AuditEntry } from '@mayfly/audit';
import type { SealedLease } from '@mayfly/credentials';
import type { LeaseId, Page, PageRequest, ReconciliationId } from '@mayfly/kernel';
import type { Reconciliation } from './reconciliation.js';

/** The request of an operator to compare a connection with the database. */
export interface ReconciliationRequest {
  readonly id: ReconciliationId;
  readonly connection: string;
  readonly actor: Actor;
}

/** Port: the recorded reconciliations. All methods throw `unavailable`. */
export interface ReconciliationRecords {
  /**
   * Records a running reconciliation with the entry `reconciliation.requested`, or returns the one that runs for this
   * connection already. There is at most one.
   */
  request(request: ReconciliationRequest): Promise<Reconciliation>;
  find(id: ReconciliationId): Promise<Reconciliation | undefined>;
  /** Returns a page, newest first. A position is the id of the last reconciliation before it. */
  list(
    filter: { readonly connection?: string | undefined },
    page: PageRequest<ReconciliationId>,
  ): Promise<Page<Reconciliation, ReconciliationId>>;
}

/** The right of this process to compare one connection, until it lapses. `version` fences late results. */
export interface ReconciliationTurn {
  readonly connection: string;
  readonly version: number;
  /** the digest of the differences that the last comparison of this connection found; empty when it found none */
  readonly seen: string;
  /** the running reconciliation that the turn is for, and how often one was begun; absent for a scheduled comparison */
  readonly requested?: { readonly id: ReconciliationId; readonly attempts: number };
}

/** The result of one turn. */
export interface TurnResult {
  readonly seen: string;
  readonly entries: readonly AuditEntry[];
  /** the row to write: that of the request, or a new one for a scheduled comparison */
  readonly row?: Pick<Reconciliation, 'id' | 'differences' | 'leftOut' | 'error'> & {
    readonly state: 'done' | 'failed';
  };
}

/** Port: turns to compare a connection. Two processes never compare one connection at once. All throw `unavailable`. */
export interface ReconciliationTurns {
  /**
   * Takes the turn for the oldest running reconciliation whose connection nobody compares now, also for one whose
   * process died: its turn has lapsed. Returns undefined when there is none.
   */
  takeRequested(seconds: number): Promise<ReconciliationTurn | undefined>;
  /** Takes the turn for a scheduled comparison; undefined while another process has it, or a request waits for it. */
  take(connection: string, seconds: number): Promise<ReconciliationTurn | undefined>;
  /** Commits entries while the turn holds. Resolves to false when it has lapsed; nothing is committed then. */
  note(turn: ReconciliationTurn, entries: readonly AuditEntry[]): Promise<boolean>;
  /** Gives the turn back, and writes row and entries with it. Resolves to false, and writes nothing, when it lapsed. */
  settle(turn: ReconciliationTurn, result: TurnResult): Promise<boolean>;
}

/** The state of a lease that an object names. `ended_lately`: it has ended since the comparison began. */
export type LeaseStanding = 'living' | 'ended_lately' | 'ended';

/** Port: the leases that are compared with the objects at a target. All methods throw `unavailable`. */
export interface ComparedLeases {
  /** Returns the active leases of a connection, and the instant of the read by the database's clock. */
  active(connection: string): Promise<{ readonly at: Date; readonly leaseIds: readonly LeaseId[] }>;
  /** Returns the standing of each of these leases that the database knows. `since` is the instant of `active`. */
  standings(leaseIds: readonly LeaseId[], since: Date): Promise<ReadonlyMap<LeaseId, LeaseStanding>>;
  /** Returns those of these leases that are active still and do not end within a minute. */
  stillActive(leaseIds: readonly LeaseId[]): Promise<readonly SealedLease[]>;
  /** Returns the shared revocation points at which leases of this connection were made. */
  revocationPoints(connection: string): Promise<readonly string[]>;
}
