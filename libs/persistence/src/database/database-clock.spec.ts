import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Pool } from 'pg';
import { DatabaseClock } from './database-clock.js';

const DATABASE_TIME_MS = 1_900_000_000_000;

/** A database whose round trips take these milliseconds; it reads its clock at their midpoint. */
function poolWith(roundTripsMs: readonly number[]) {
  let monotonicMs = 5_000;
  jest.spyOn(performance, 'now').mockImplementation(() => monotonicMs);
  const trips = [...roundTripsMs];
  const query = async () => {
    const trip = trips.shift();
    if (trip === undefined) throw new Error('the database is down');
    const ms = DATABASE_TIME_MS + monotonicMs + trip * 0.5;
    monotonicMs += trip;
    return { rows: [{ ms: String(ms) }] };
  };
  return { pool: { query } as unknown as Pool, pass: (ms: number) => void (monotonicMs += ms), now: () => monotonicMs };
}

describe('DatabaseClock', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('DatabaseClock refuses to tell the time before it has asked the database', () => {
    expect(() => new DatabaseClock(poolWith([]).pool).now()).toThrow('before its first measurement');
  });

  it('DatabaseClock follows the clock of the database, by the monotonic clock of the process', async () => {
    const { pool, pass, now } = poolWith([2, 2, 2]);
    const clock = new DatabaseClock(pool);
    await clock.measure();
    expect(clock.now().getTime()).toBe(DATABASE_TIME_MS + now());
    pass(1_500);
    expect(clock.now().getTime()).toBe(DATABASE_TIME_MS + now());
  });

  it('DatabaseClock trusts the quickest of three answers', async () => {
    const { pool } = poolWith([400, 2, 90]);
    let round = 0;
    // The slow answers were delayed on the way back only, so the midpoint of their round trip is wrong.
    const skewed = {
      query: async () => {
        const { rows } = await (pool.query('') as unknown as Promise<{ rows: { ms: string }[] }>);
        round += 1;
        return { rows: [{ ms: String(Number(rows[0]?.ms) - (round === 2 ? 0 : 100_000)) }] };
      },
    } as unknown as Pool;
    const clock = new DatabaseClock(skewed);
    await clock.measure();
    expect(clock.now().getTime()).toBe(DATABASE_TIME_MS + performance.now());
    expect(round).toBe(3);
  });

  it('DatabaseClock keeps what it knows when the database does not answer', async () => {
    const { pool, pass, now } = poolWith([2, 2, 2, 2]);
    const clock = new DatabaseClock(pool);
    await clock.measure();
    await expect(clock.measure()).rejects.toThrow('down');
    pass(60_000);
    expect(clock.now().getTime()).toBe(DATABASE_TIME_MS + now());
  });
});
