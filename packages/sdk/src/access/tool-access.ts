/** An AWS session of any provider. */
export interface AwsSession {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** RFC 3339, UTC */
  readonly expiration: string;
  readonly region?: string;
}

/** A login at a PostgreSQL database; the command supplies undefined members. */
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

/** One credential in the form that its tools use. */
export type ToolAccess =
  | { readonly family: 'aws'; readonly session: AwsSession }
  | { readonly family: 'postgres'; readonly login: PostgresLogin }
  | { readonly family: 'token'; readonly token: string };

/** Facts from the caller that a secret may lack. */
export interface AccessContext {
  /** expiry of the lease, for a secret without an expiry */
  readonly expiresAt: string;
  readonly pgHost?: string;
  readonly pgPort?: string;
  readonly pgDatabase?: string;
}

export type Secret = Readonly<Record<string, unknown>>;

/** Converts a secret of one provider; returns undefined when no tool uses such a secret. Pure. */
export type AccessOf = (secret: Secret, context: AccessContext) => ToolAccess | undefined;

/** Variables that a command gets, and a test for those that it must not inherit. */
export interface ToolVariables {
  readonly set: Readonly<Record<string, string>>;
  /** True for a variable that the command must not inherit. */
  readonly withholds: (name: string) => boolean;
}

/** Returns a text or number member of a secret as text; undefined for any other value. */
export function textIn(secret: Secret, member: string): string | undefined {
  const value = secret[member];
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
}

/** Returns the variables without undefined ones. */
export function known(variables: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
