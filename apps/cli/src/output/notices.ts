/** Messages on standard error; standard output stays free for the command's own. */
export class Notices {
  private readonly said = new Set<string>();

  constructor(
    private readonly stream: { readonly isTTY?: boolean; write(text: string): unknown },
    private readonly prefix = 'mayfly: ',
  ) {}

  /** Prints information, at a terminal only. */
  note(text: string): void {
    if (this.stream.isTTY === true) this.say(text);
  }

  /** Prints a warning, at a terminal or not. */
  warn(text: string, help?: string): void {
    this.say(text);
    if (help !== undefined) this.say(help);
  }

  /** Prints the same warning only once. */
  warnOnce(text: string, help?: string): void {
    if (this.said.has(text)) return;
    this.said.add(text);
    this.warn(text, help);
  }

  private say(text: string): void {
    this.stream.write(`${this.prefix}${printable(text)}\n`);
  }
}

/** Replaces control characters of foreign texts, which could control a terminal. */
export function printable(text: string): string {
  return text.replace(/[^\P{C}\n\t]/gu, '\uFFFD');
}
