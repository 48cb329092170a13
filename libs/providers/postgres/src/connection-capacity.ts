import { noCapacity } from './failures.js';
import { HANDED_OUT } from './lease-role.js';
import type { PostgresConfig } from './postgres.schemas.js';
import type { ServerFacts } from './server-facts.js';
import type { Session } from './target.js';

/** Connections that leases leave free: for Mayfly's own sessions and for the owners of the database. */
const RESERVE = 10;
/** For so long a count may be relied on while it is far from the capacity. */
const COUNT_MS = 1_000;
const FAR = 0.5;

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
  private count = { handedOut: Number.POSITIVE_INFINITY, at: Number.NEGATIVE_INFINITY };

  /** Whether this mint has to look: the capacity is near, or the last count is old. */
  mustCount(limit: number, capacity: number): boolean {
    this.count.handedOut += limit;
    return this.count.handedOut > capacity * FAR || performance.now() - this.count.at > COUNT_MS;
  }

  /** Counts after a commit. Throws `quota_exceeded` (control `connection-capacity`) when leases hold too many. */
  async confirm(session: Session, capacity: number): Promise<void> {
    const { rows } = await session.query<{ sum: string }>(`SELECT ${HANDED_OUT} AS sum`);
    this.count = { handedOut: Number(rows[0]?.sum), at: performance.now() };
    if (!(this.count.handedOut <= capacity)) throw noCapacity();
  }
}
