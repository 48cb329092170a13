import { type Clock, clockReading, HEADER_SECONDS, type ClockReading } from '@mayfly/kernel';

/** The clock of one server, read from the `Date` header of each answer. */
export class ServerClock implements Clock {
  /** the latest reading; undefined before the first answer */
  reading: ClockReading | undefined;

  constructor(private readonly clock: Clock) {}

  /** Returns Mayfly's time. */
  now(): Date {
    return this.clock.now();
  }

  /** Keeps the reading of an answer to a call that was sent at `sentAt`; an answer without a date changes nothing. */
  note(sentAt: Date, date: Date | undefined): void {
    if (date !== undefined) this.reading = clockReading(sentAt, this.clock.now(), date, HEADER_SECONDS);
  }
}
