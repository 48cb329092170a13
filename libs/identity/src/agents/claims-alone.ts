import type { IssuerSpec } from '../issuers/issuer-spec.js';

/**
 * Claims that identify no client (OIDC Core §5.1, §5.7): a person chooses them, they change with each login, or many
 * share them.
 */
const SAY_NOTHING_LASTING: ReadonlySet<string> = new Set([
  ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'nonce', 'at_hash', 'c_hash', 'typ', 'ver'],
  ...['name', 'given_name', 'family_name', 'middle_name', 'nickname', 'preferred_username', 'profile', 'picture'],
  ...['website', 'email', 'email_verified', 'gender', 'birthdate', 'zoneinfo', 'locale', 'phone_number'],
  ...['phone_number_verified', 'address', 'updated_at', 'upn', 'unique_name'],
  ...['idtyp', 'tid', 'token_use', 'gty', 'scope', 'scp', 'acr', 'amr', 'auth_time', 'sid', 'session_state'],
]);

/** Claims that name a token's client. Tokens of people who log in through that client have them too. */
const NAME_THE_CLIENT: readonly string[] = ['azp', 'appid', 'cid'];
/**
 * For issuers of RFC 9068 access tokens (§2.2), people's tokens have `client_id` too. Otherwise only a client's own
 * tokens do.
 */
const NAME_THE_CLIENT_IN_ACCESS_TOKENS: readonly string[] = [...NAME_THE_CLIENT, 'client_id'];

/** Returns the fault of an identity with these claims and no subject, in words for its author, or undefined. */
export function claimsAloneFault(names: readonly string[]): string | undefined {
  if (names.length === 0) return 'state `subject`, or at least one claim such as `client_id`';
  if (names.some((name) => !SAY_NOTHING_LASTING.has(name))) return undefined;
  return 'state `subject`, or bind a claim that the issuer gives to one client alone, such as `client_id` or `azp`';
}

/** True when the token of a person who logs in through the client can have all of these claims. */
export function fitsEveryLogin(names: readonly string[], { tokenTypes = [] }: IssuerSpec): boolean {
  const naming = tokenTypes.includes('at+jwt') ? NAME_THE_CLIENT_IN_ACCESS_TOKENS : NAME_THE_CLIENT;
  return names.every((name) => naming.includes(name));
}
