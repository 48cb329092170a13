import { textIn, type Secret } from './tool-access.js';
import { UnusableCredential } from './unusable-credential.js';

/** Variables with a meaning in Mayfly itself. */
const OWN = new Set([
  'MAYFLY_URL',
  'MAYFLY_ALLOW_HTTP',
  'MAYFLY_TOKEN',
  'MAYFLY_TOKEN_FILE',
  'MAYFLY_ID_TOKEN',
  'MAYFLY_TASK_ID',
]);

export interface SecretOf {
  readonly name: string;
  readonly secret: Secret;
}

/** Members of secrets as variables, or as files when a value has several lines (keys, certificates). */
export interface MemberVariables {
  readonly set: Readonly<Record<string, string>>;
  /** file content, by the variable that gets the file's path */
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Builds `MAYFLY_<CREDENTIAL>_<MEMBER>` for every member of every secret. Throws `UnusableCredential` when two members
 * get the same name, or one gets a name of Mayfly itself. Pure.
 */
export function memberVariables(credentials: readonly SecretOf[]): MemberVariables {
  const [set, files]: [Record<string, string>, Record<string, string>] = [{}, {}];
  const taken = new Set(OWN);
  for (const { name, secret } of credentials) {
    for (const member of Object.keys(secret)) {
      const text = textIn(secret, member) ?? asJson(secret[member]);
      if (text === undefined) continue;
      const isLong = /[\r\n]/.test(text);
      const variable = `MAYFLY_${wordOf(name)}_${wordOf(member)}${isLong ? '_FILE' : ''}`;
      claim(variable, taken, name);
      (isLong ? files : set)[variable] = text;
    }
  }
  return { set, files };
}

/** Builds `MAYFLY_TOKEN_<NAME>` for each signed token. Throws as `memberVariables` does. Pure. */
export function tokenVariables(
  tokens: readonly { readonly name: string; readonly token: string }[],
): Record<string, string> {
  const taken = new Set(OWN);
  return Object.fromEntries(
    tokens.map(({ name, token }) => {
      const variable = `MAYFLY_TOKEN_${wordOf(name)}`;
      claim(variable, taken, name);
      return [variable, token];
    }),
  );
}

function claim(variable: string, taken: Set<string>, credential: string): void {
  if (taken.has(variable)) {
    throw new UnusableCredential(
      'name_taken',
      `credential \`${credential}\` maps to the variable ${variable}, which another credential uses`,
      'ask the owner of the template to rename it',
    );
  }
  taken.add(variable);
}

/** Converts `accessKeyId` and `access-key-id` to `ACCESS_KEY_ID`. */
function wordOf(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toUpperCase();
}

function asJson(value: unknown): string | undefined {
  return value === null || value === undefined ? undefined : JSON.stringify(value);
}
