/** An AWS session, wherever it came from. */
export interface AwsSession {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** RFC 3339, UTC */
  readonly expiration: string;
  readonly region?: string;
}

/** A login at a PostgreSQL database; what is not known is left to the command. */
export interface PostgresLogin {
  readonly host?: string;
  readonly port?: string;
  readonly database?: string;
  readonly username: string;
  readonly password: string;
  readonly sslmode?: string;
  /** the authority's certificate, as PEM */
  readonly sslrootcert?: string;
}

/** What tools can make of one credential. */
export type ToolAccess =
  | { readonly family: 'aws'; readonly session: AwsSession }
  | { readonly family: 'postgres'; readonly login: PostgresLogin }
  | { readonly family: 'token'; readonly token: string };

/** What the caller knows of things that a secret does not say. */
export interface AccessContext {
  /** of the lease, for secrets that say nothing of their end */
  readonly expiresAt: string;
  readonly pgHost?: string;
  readonly pgPort?: string;
  readonly pgDatabase?: string;
}

export type Secret = Readonly<Record<string, unknown>>;

/** Makes access out of the secret of one kind of provider, or undefined where no tool knows such a secret. Pure. */
export type AccessOf = (secret: Secret, context: AccessContext) => ToolAccess | undefined;

/** Variables for a command: those to set, and whether one that it would inherit is withheld. */
export interface ToolVariables {
  readonly set: Readonly<Record<string, string>>;
  readonly withholds: (name: string) => boolean;
}

/** A member of a secret as text; undefined when it is missing or no text or number. */
export function textIn(secret: Secret, member: string): string | undefined {
  const value = secret[member];
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
}

/** The variables that are known, without those that are not. */
export function known(variables: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
