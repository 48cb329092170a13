import type { LeaseId, Page, PageRequest } from '@mayfly/kernel';
import type { Lease } from './lease.js';

/** The filter of an auditor's query; members are combined with "and". Times are half open: `from` ≤ created < `to`. */
export interface IssuanceFilter {
  readonly agent?: string | undefined;
  readonly template?: string | undefined;
  readonly provider?: string | undefined;
  readonly state?: string | undefined;
  /** the end cause of the lease */
  readonly cause?: string | undefined;
  readonly taskId?: string | undefined;
  readonly leaseId?: LeaseId | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** The position of a lease in the history: RFC 3339 in UTC with microseconds, then the id for leases of one instant. */
export interface IssuancePosition {
  readonly createdAt: string;
  readonly leaseId: string;
}

/** One lease with the facts of its task: agent, scope, purpose, lifetime and end. */
export interface Issuance extends Omit<Lease, 'id' | 'revocation' | 'attempts' | 'lastError'> {
  readonly leaseId: LeaseId;
  readonly agent: string;
  readonly template: { readonly name: string; readonly version: number };
  readonly runtime: string;
  readonly purpose: string;
}

/** Port: the history of issuances, every lease ever recorded. INVARIANT: I5, nothing is missing from it. */
export interface IssuanceHistory {
  /** Returns leases, newest first. Throws `unavailable`. */
  issuances(filter: IssuanceFilter, page: PageRequest<IssuancePosition>): Promise<Page<Issuance, IssuancePosition>>;
}
