import { addSeconds, type Clock } from '@mayfly/kernel';

/** A clock that moves only when a test moves it. */
export class TestClock implements Clock {
  constructor(private at = new Date('2030-01-01T00:00:00.250Z')) {}

  now(): Date {
    return new Date(this.at);
  }

  /** Moves the clock by `seconds`, which may be negative. */
  advance(seconds: number): void {
    this.at = addSeconds(this.at, seconds);
  }
}
