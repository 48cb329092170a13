/** What a value is made of: the part of a JSON Schema that a client relies on. */
export interface Shape {
  /** of JSON Schema; any of them, and any at all where there are none */
  readonly types?: readonly string[];
  readonly required?: readonly string[];
  readonly members?: Readonly<Record<string, Shape>>;
  /** of each item of an array */
  readonly items?: Shape;
  /** of each member that `members` does not name */
  readonly values?: Shape;
  readonly anyOf?: readonly Shape[];
  /** the name of a component, whose shape it is */
  readonly ref?: string;
  /** RFC 3339 */
  readonly isInstant?: boolean;
}
