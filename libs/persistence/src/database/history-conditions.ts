/** Builds a WHERE clause, with its values as parameters. */
export class Conditions {
  private readonly parameters: unknown[] = [];
  private readonly clauses: string[] = [];

  /** Adds a condition in which each `?` takes the next value. Skips the condition when a value is undefined. */
  add(clause: string, ...values: readonly unknown[]): this {
    if (values.includes(undefined)) return this;
    const rest = [...values];
    this.clauses.push(clause.replaceAll('?', () => this.parameter(rest.shift())));
    return this;
  }

  /** Adds a value and returns its placeholder, such as `$3`. */
  parameter(value: unknown): string {
    return `$${String(this.parameters.push(value))}`;
  }

  /** The WHERE clause; empty without conditions. */
  get where(): string {
    return this.clauses.length === 0 ? '' : `WHERE ${this.clauses.join(' AND ')}`;
  }

  get values(): unknown[] {
    return [...this.parameters];
  }
}
