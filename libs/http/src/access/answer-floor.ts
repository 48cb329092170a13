/** The least time before an unproven token is refused. Every check takes less, so the time tells nothing about it. */
const FLOOR_MS = 5;

/** The earliest instant of an answer, counted from construction. */
export class AnswerFloor {
  private timer: NodeJS.Timeout | undefined;
  private readonly passed: Promise<void>;

  constructor(milliseconds = FLOOR_MS) {
    this.passed = new Promise((resolve) => {
      this.timer = setTimeout(resolve, milliseconds);
    });
  }

  /** Resolves at the earliest instant of the answer. */
  reached(): Promise<void> {
    return this.passed;
  }

  /** Clears the timer of a request that does not wait. */
  cancel(): void {
    clearTimeout(this.timer);
  }
}
