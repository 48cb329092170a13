import { addSeconds, type Clock } from '@mayfly/kernel';

/** A clock that moves when it is told to. */
export class TestClock implements Clock {
  constructor(private at = new Date('2030-01-01T00:00:00.250Z')) {}

  now(): Date {
    return new Date(this.at);
  }

  /** Lets `seconds` pass, or takes them back. */
  advance(seconds: number): void {
    this.at = addSeconds(this.at, seconds);
  }
}
