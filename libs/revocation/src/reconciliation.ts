import type { Actor } from '@mayfly/audit';
import type { JsonObject, LeaseId, ReconciliationId } from '@mayfly/kernel';
import { present } from '@mayfly/kernel';

/** Reasons why an object at a target, or a lease, is a difference between the target and the database. */
export const DIFFERENCE_KINDS = [
  /** the object carries the mark of this installation, and the database does not know its lease */
  'unknown_lease',
  /** the object carries the mark of this installation, and its lease has ended */
  'ended_lease',
  /** the object looks like the credential of a lease, no living lease explains it, and it carries no mark */
  'unmarked',
  /** the same, with a mark of another installation or of a sealing key that is gone */
  'other_mark',
  /** an object that only another connection shows, and that no revocation reaches */
  'orphan',
  /** the lease is active, and the target does not show its object */
  'missing',
  /** a deny policy denies a session that no ended lease explains; the denial stays until the session is dead */
  'unknown_denial',
  /** a deny policy did not deny a session that it has to deny */
  'missing_denial',
  /** a part of the comparison was not possible */
  'not_compared',
] as const;
export type DifferenceKind = (typeof DIFFERENCE_KINDS)[number];

/**
 * The actions of a reconciliation: only an object that carries the mark of this installation is ended, and only a missing
 * denial is repaired.
 */
export const ACTIONS = ['ended', 'not_ended', 'repaired', 'reported'] as const;

/** One difference between a target and the database. */
export interface Difference {
  readonly kind: DifferenceKind;
  /** `not_ended`: its end is not proven yet; the next reconciliation tries again */
  readonly action: (typeof ACTIONS)[number];
  /** the name of the object at the target */
  readonly object?: string | undefined;
  readonly leaseId?: LeaseId | undefined;
  /** one sentence for an operator */
  readonly detail?: string | undefined;
}

/** A comparison of one connection with the database, as it is recorded. */
export interface Reconciliation {
  readonly id: ReconciliationId;
  readonly connection: string;
  readonly state: 'running' | 'done' | 'failed';
  readonly actor: Actor;
  readonly requestedAt: Date;
  readonly startedAt?: Date;
  readonly finishedAt?: Date;
  readonly differences: readonly Difference[];
  /** the number of differences that `differences` leaves out */
  readonly leftOut: number;
  /** why it failed */
  readonly error?: string;
}

/** Returns a reconciliation as the API shows it. */
export function reconciliationView({ requestedAt, startedAt, finishedAt, ...shown }: Reconciliation): JsonObject {
  return {
    ...shown,
    actor: { ...shown.actor },
    differences: shown.differences.map((difference) => present({ ...difference })),
    requestedAt: requestedAt.toISOString(),
    ...present({ startedAt: startedAt?.toISOString(), finishedAt: finishedAt?.toISOString() }),
  };
}
