/** Where answers go: in words at a terminal, as JSON everywhere else and wherever it is asked for. */
export class Output {
  constructor(
    private readonly stream: { readonly isTTY?: boolean; write(text: string): unknown },
    private readonly asJson: boolean,
  ) {}

  /** Whether a person reads it. */
  get isForPeople(): boolean {
    return !this.asJson && this.stream.isTTY === true;
  }

  /** `value` as one JSON document, or what `words` makes of it. */
  show<T>(value: T, words: (value: T) => string): void {
    this.stream.write(this.isForPeople ? words(value) : `${JSON.stringify(value, undefined, 2)}\n`);
  }

  /** One of many, as JSON on a line of its own. */
  line(value: unknown): void {
    this.stream.write(`${JSON.stringify(value)}\n`);
  }

  /** Progress, for people only. */
  say(text: string): void {
    if (this.isForPeople) this.stream.write(`${text}\n`);
  }
}
