/** The conditions of a WHERE clause, with their values as parameters. */
export class Conditions {
  private readonly parameters: unknown[] = [];
  private readonly clauses: string[] = [];

  /** Adds a condition in which each `?` stands for the next value; one with an undefined value asks for nothing. */
  add(clause: string, ...values: readonly unknown[]): this {
    if (values.includes(undefined)) return this;
    const rest = [...values];
    this.clauses.push(clause.replaceAll('?', () => this.parameter(rest.shift())));
    return this;
  }

  /** The place of one more value in the statement, such as `$3`. */
  parameter(value: unknown): string {
    return `$${String(this.parameters.push(value))}`;
  }

  /** The whole clause, or nothing where nothing was asked for. */
  get where(): string {
    return this.clauses.length === 0 ? '' : `WHERE ${this.clauses.join(' AND ')}`;
  }

  get values(): unknown[] {
    return [...this.parameters];
  }
}
