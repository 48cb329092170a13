/** Prints answers: as text at a terminal, as JSON elsewhere and with `--json`. */
export class Output {
  constructor(
    private readonly stream: { readonly isTTY?: boolean; write(text: string): unknown },
    private readonly asJson: boolean,
  ) {}

  /** True at a terminal without `--json`. */
  get isForPeople(): boolean {
    return !this.asJson && this.stream.isTTY === true;
  }

  /** Prints `value` as one JSON document, or as the text of `words`. */
  show<T>(value: T, words: (value: T) => string): void {
    this.stream.write(this.isForPeople ? words(value) : `${JSON.stringify(value, undefined, 2)}\n`);
  }

  /** Prints one of many values as one line of JSON. */
  line(value: unknown): void {
    this.stream.write(`${JSON.stringify(value)}\n`);
  }

  /** Prints progress, for people only. */
  say(text: string): void {
    if (this.isForPeople) this.stream.write(`${text}\n`);
  }
}
