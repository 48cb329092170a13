import type { Clock } from '@mayfly/kernel';
import type { Pool } from 'pg';

/**
 * The database's clock, computed from its offset to this process's monotonic clock. Each `measure` keeps its reading
 * with the shortest round trip. `now()` throws before the first measurement.
 */
export class DatabaseClock implements Clock {
  private offsetMs: number | undefined;

  constructor(private readonly pool: Pool) {}

  now(): Date {
    if (this.offsetMs === undefined) throw new Error('the database clock was read before its first measurement');
    return new Date(performance.now() + this.offsetMs);
  }

  /** Measures the offset three times. Rejects, and keeps the old offset, when the database does not answer. */
  async measure(): Promise<void> {
    let best: { roundTripMs: number; offsetMs: number } | undefined;
    for (let round = 0; round < 3; round += 1) {
      const sent = performance.now();
      const { rows } = await this.pool.query<{ ms: string }>({
        name: 'clock',
        text: 'SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms',
      });
      const roundTripMs = performance.now() - sent;
      const offsetMs = Number(rows[0]?.ms) - (sent + roundTripMs / 2);
      if (best === undefined || roundTripMs < best.roundTripMs) best = { roundTripMs, offsetMs };
    }
    this.offsetMs = best?.offsetMs;
  }
}
