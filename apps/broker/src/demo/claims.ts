/** Prints each claim with its proof. The demo fails when one claim does not hold. */
export class Claims {
  private failures = 0;

  /** Prints the claim as `ok` or `FAIL`. */
  prove(claim: string, holds: boolean): void {
    if (!holds) this.failures += 1;
    process.stdout.write(`  ${holds ? 'ok  ' : 'FAIL'} ${claim}\n`);
  }

  /** Prints a heading. */
  section(title: string): void {
    process.stdout.write(`\n${title}\n`);
  }

  /** Prints a line that claims nothing. */
  note(text: string): void {
    process.stdout.write(`       ${text}\n`);
  }

  /** True when every claim so far holds. */
  get allHold(): boolean {
    return this.failures === 0;
  }
}

/** Returns the time since an instant of `performance.now()`, such as `78 ms`. */
export function milliseconds(since: number): string {
  return `${(performance.now() - since).toFixed(0)} ms`;
}
