/** Prints each claim with its proof. The demo fails when one claim does not hold. */
export class Claims {
  private failures = 0;

  prove(claim: string, holds: boolean): void {
    if (!holds) this.failures += 1;
    process.stdout.write(`  ${holds ? 'ok  ' : 'FAIL'} ${claim}\n`);
  }

  section(title: string): void {
    process.stdout.write(`\n${title}\n`);
  }

  note(text: string): void {
    process.stdout.write(`       ${text}\n`);
  }

  get allHold(): boolean {
    return this.failures === 0;
  }
}

export function milliseconds(since: number): string {
  return `${(performance.now() - since).toFixed(0)} ms`;
}
