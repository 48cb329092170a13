import { noCapacity } from './failures.js';
import { HANDED_OUT } from './lease-role.js';
import type { PostgresConfig } from './postgres.schemas.js';
import type { ServerFacts } from './server-facts.js';
import type { Session } from './session.js';

/** Connections kept free for Mayfly's own sessions and for the owners of the database. */
const RESERVE = 10;
/**
 * Reuses a count for this long while the sum is at most `FAR` of the capacity: eight processes that mint there still
 * fit.
 */
const COUNT_MS = 1_000;
const FAR = 1 / 8;

/**
 * Returns the sum of connection limits that leases may hold at a server. Limits count, since a lease may use all of its
 * own.
 */
export function capacityOf(config: PostgresConfig, facts: Pick<ServerFacts, 'connections'>): number {
  return config.connectionCapacity ?? Math.max(facts.connections - RESERVE, 0);
}

/**
 * Keeps the connections that leases may open at one server within its capacity. Far from the capacity it counts once a
 * second. Near the capacity each mint counts in its own transaction and again after its commit, because concurrent
 * mints do not see each other's roles.
 */
export class ConnectionCapacity {
  private counted = { sum: Number.POSITIVE_INFINITY, at: Number.NEGATIVE_INFINITY };
  /** connection limits of the mints in progress (`underWay`) and of the mints started since the last count (`since`) */
  private underWay = 0;
  private since = 0;

  /**
   * Calls `make` to create a lease role. `make` gets the capacity when its transaction must count, otherwise undefined.
   * Throws `quota_exceeded` when the count after the commit exceeds the capacity.
   */
  async within(
    session: Session,
    limit: number,
    capacity: number,
    make: (counting: number | undefined) => Promise<void>,
  ): Promise<void> {
    this.underWay += limit;
    this.since += limit;
    try {
      const isFar = this.counted.sum + this.since <= capacity * FAR;
      const mustCount = !isFar || performance.now() - this.counted.at >= COUNT_MS;
      await make(mustCount ? capacity : undefined);
      if (mustCount) await this.confirm(session, capacity);
    } finally {
      this.underWay -= limit;
    }
  }

  /**
   * Counts again after the commit. Throws `quota_exceeded` (control `connection-capacity`) when leases hold too many.
   */
  private async confirm(session: Session, capacity: number): Promise<void> {
    // the count may already include the mints in progress; adding them errs on the safe side
    this.since = this.underWay;
    const { rows } = await session.query<{ sum: string }>(`SELECT ${HANDED_OUT} AS sum`);
    this.counted = { sum: Number(rows[0]?.sum), at: performance.now() };
    if (!(this.counted.sum <= capacity)) throw noCapacity();
  }
}
