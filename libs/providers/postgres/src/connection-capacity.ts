import { noCapacity } from './failures.js';
import { HANDED_OUT } from './lease-role.js';
import type { PostgresConfig } from './postgres.schemas.js';
import type { ServerFacts } from './server-facts.js';
import type { Session } from './session.js';

/** Connections that leases leave free: for Mayfly's own sessions and for the owners of the database. */
const RESERVE = 10;
/** For so long a count may be relied on while it is far from the capacity: far enough for eight processes that mint there. */
const COUNT_MS = 1_000;
const FAR = 1 / 8;

/** The sum of connection limits that leases may hold at a server: a lease could use up all of them. */
export function capacityOf(config: PostgresConfig, facts: Pick<ServerFacts, 'connections'>): number {
  return config.connectionCapacity ?? Math.max(facts.connections - RESERVE, 0);
}

/**
 * Keeps the connections that leases may open at one server within its capacity. Far from the capacity one count a second
 * is enough; near it each mint is counted in its own transaction and again after it was committed, since mints that are
 * under way at the same time do not see each other.
 */
export class ConnectionCapacity {
  private counted = { sum: Number.POSITIVE_INFINITY, at: Number.NEGATIVE_INFINITY };
  /** limits of the mints that are under way, and of those that began since the last count */
  private underWay = 0;
  private since = 0;

  /** Makes a lease role by `make`, which counts in its transaction when it is given the capacity. */
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

  /** Throws `quota_exceeded` (control `connection-capacity`) when leases hold too many. */
  private async confirm(session: Session, capacity: number): Promise<void> {
    // those under way may or may not be in the count: they are added to it, which errs on the safe side
    this.since = this.underWay;
    const { rows } = await session.query<{ sum: string }>(`SELECT ${HANDED_OUT} AS sum`);
    this.counted = { sum: Number(rows[0]?.sum), at: performance.now() };
    if (!(this.counted.sum <= capacity)) throw noCapacity();
  }
}
