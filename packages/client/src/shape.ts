/** The part of a JSON Schema that the client checks. */
export interface Shape {
  /** the JSON types that the value may have; undefined: every type */
  readonly types?: readonly string[];
  readonly required?: readonly string[];
  readonly members?: Readonly<Record<string, Shape>>;
  /** shape of each array item */
  readonly items?: Shape;
  /** shape of each member that is not in `members` */
  readonly values?: Shape;
  readonly anyOf?: readonly Shape[];
  /** name of the component that has the shape */
  readonly ref?: string;
  /** RFC 3339 */
  readonly isInstant?: boolean;
}
