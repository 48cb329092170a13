import type { Page, PageRequest } from '@mayfly/kernel';
import type { Issuance } from './issuance-history.js';
import type { Lease } from './lease.js';

/** The filter of an operator's query; members are combined with "and". */
export interface OverdueFilter {
  readonly agent?: string | undefined;
  readonly template?: string | undefined;
  readonly provider?: string | undefined;
  readonly connection?: string | undefined;
}

/** The position of a lease in a list of overdue leases: RFC 3339 in UTC with microseconds, then the id. */
export interface OverduePosition {
  readonly since: string;
  readonly leaseId: string;
}

/** A lease that should be dead and is not proven dead, with what is known about its revocation. */
export interface OverdueLease extends Issuance, Pick<Lease, 'revocation' | 'attempts' | 'lastError'> {
  /** the instant at which its end was requested or its deadline passed, whichever was first */
  readonly overdueSince: Date;
  /** the instant from which a worker tries again; absent when nobody does */
  readonly nextTryAt?: Date;
}

/** Port: the leases that should be dead and are not proven dead, longest overdue first. */
export interface OverdueLeases {
  /** Returns the leases that Mayfly still tries to revoke, and those that fell due and were not claimed. Throws `unavailable`. */
  overdue(filter: OverdueFilter, page: PageRequest<OverduePosition>): Promise<Page<OverdueLease, OverduePosition>>;
  /** Returns the leases that an operator abandoned. Throws `unavailable`. */
  abandoned(filter: OverdueFilter, page: PageRequest<OverduePosition>): Promise<Page<OverdueLease, OverduePosition>>;
}
