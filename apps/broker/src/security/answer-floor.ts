/** No refusal of a token that is not proven is answered earlier: what was looked at before it takes less. */
const FLOOR_MS = 5;

/** An instant after which a request may be answered; it counts from when it is made. */
export class AnswerFloor {
  private timer: NodeJS.Timeout | undefined;
  private readonly passed: Promise<void>;

  constructor(milliseconds = FLOOR_MS) {
    this.passed = new Promise((resolve) => {
      this.timer = setTimeout(resolve, milliseconds);
    });
  }

  /** Resolves when it has passed. */
  reached(): Promise<void> {
    return this.passed;
  }

  /** For a request that does not wait for it. */
  cancel(): void {
    clearTimeout(this.timer);
  }
}
