import { type Clock, type ClockReading, HEADER_SECONDS, Problem } from '@mayfly/kernel';
import type { ProbeCheck } from '../provider-parts.js';

/** A reading decides for so long. Then one mint may try the target again, and reads its clock anew. */
const FRESH_SECONDS = 60;

/**
 * The clocks of the targets, by connection, as this process read them last. The target's clock ends a credential, so a
 * clock that is wrong ends it early, or late.
 */
export class TargetClocks {
  private readonly readings = new Map<string, ClockReading>();

  constructor(
    private readonly toleranceSeconds: number,
    private readonly clock: Clock,
  ) {}

  /** Keeps the latest reading of a connection; undefined changes nothing. */
  note(connection: string, reading: ClockReading | undefined): void {
    if (reading !== undefined) this.readings.set(connection, reading);
  }

  /** Throws `provider_unavailable` (reason `clock-difference`) while the last reading shows too large a difference. */
  requireAgreement(connection: string): void {
    const reading = this.readings.get(connection);
    if (reading === undefined || this.clock.now().getTime() - reading.at.getTime() > FRESH_SECONDS * 1000) return;
    const fault = this.faultOf(reading);
    if (fault === undefined) return;
    throw new Problem('provider_unavailable', `the clock of the target of connection \`${connection}\` ${fault}`, {
      reason: 'clock-difference',
      retryAfterSeconds: FRESH_SECONDS,
    });
  }

  /** Returns the check of a reading, for the test of a connection. */
  check(reading: Pick<ClockReading, 'offsetSeconds'> & Partial<ClockReading>): ProbeCheck {
    const name = 'the clocks agree';
    const { offsetSeconds, uncertaintySeconds = HEADER_SECONDS } = reading;
    const fault = this.faultOf({ offsetSeconds, uncertaintySeconds });
    if (fault !== undefined) return { name, outcome: 'failed', detail: `the clock of the target ${fault}` };
    return { name, outcome: 'ok', detail: `within ${String(this.toleranceSeconds)} s` };
  }

  /** Returns the last offset of each connection that was called, in seconds. */
  offsets(): ReadonlyMap<string, number> {
    return new Map([...this.readings].map(([connection, { offsetSeconds }]) => [connection, offsetSeconds]));
  }

  /** Finds a fault only when the difference is certain: a slow answer proves less. */
  private faultOf({ offsetSeconds, uncertaintySeconds }: Omit<ClockReading, 'at'>): string | undefined {
    if (Math.abs(offsetSeconds) - uncertaintySeconds <= this.toleranceSeconds) return undefined;
    const side = offsetSeconds > 0 ? 'ahead of' : 'behind';
    const seconds = String(Math.round(Math.abs(offsetSeconds)));
    return `is ${seconds} s ${side} that of Mayfly's database; correct the wrong one of the two (NTP)`;
  }
}
