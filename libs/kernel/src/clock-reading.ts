/** One comparison of another machine's clock with Mayfly's. */
export interface ClockReading {
  /** the other clock minus Mayfly's, in seconds */
  readonly offsetSeconds: number;
  /** the true offset differs from `offsetSeconds` by at most so much */
  readonly uncertaintySeconds: number;
  /** when it was read, by Mayfly's clock */
  readonly at: Date;
}

/** The resolution of a `Date` header (RFC 9110 §6.6.1). */
export const HEADER_SECONDS = 1;

/**
 * Returns the reading from an answer that states its time. The other clock was read between `sentAt` and `receivedAt`,
 * and may have been cut to `resolutionSeconds`.
 */
export function clockReading(sentAt: Date, receivedAt: Date, stated: Date, resolutionSeconds = 0): ClockReading {
  const middle = (sentAt.getTime() + receivedAt.getTime()) / 2000;
  const half = Math.max(0, receivedAt.getTime() - sentAt.getTime()) / 2000;
  const offset = stated.getTime() / 1000 + resolutionSeconds / 2 - middle;
  return {
    offsetSeconds: Math.round(offset * 1000) / 1000,
    uncertaintySeconds: half + resolutionSeconds / 2,
    at: receivedAt,
  };
}
