/** The least time before an unproven token is refused. Every check takes less, so the time tells nothing about it. */
const FLOOR_MS = 5;

/** The earliest instant of an answer, counted from construction. */
export class AnswerFloor {
  private readonly beganMs = performance.now();

  constructor(private readonly milliseconds = FLOOR_MS) {}

  /** Resolves at the earliest instant of the answer. */
  async reached(): Promise<void> {
    const leftMs = this.beganMs + this.milliseconds - performance.now();
    if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
  }
}
