/** What is said beside the output, on standard error, so that standard output stays the command's own. */
export class Notices {
  private readonly said = new Set<string>();

  constructor(
    private readonly stream: { readonly isTTY?: boolean; write(text: string): unknown },
    private readonly prefix = 'mayfly: ',
  ) {}

  /** What somebody at a terminal may like to know. */
  note(text: string): void {
    if (this.stream.isTTY === true) this.say(text);
  }

  /** What has to be known wherever it is read. */
  warn(text: string, help?: string): void {
    this.say(text);
    if (help !== undefined) this.say(help);
  }

  /** The same warning is given once. */
  warnOnce(text: string, help?: string): void {
    if (this.said.has(text)) return;
    this.said.add(text);
    this.warn(text, help);
  }

  private say(text: string): void {
    this.stream.write(`${this.prefix}${printable(text)}\n`);
  }
}

/** Texts of others, without what would steer a terminal. */
export function printable(text: string): string {
  return text.replace(/[^\P{C}\n\t]/gu, '\uFFFD');
}
