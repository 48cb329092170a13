/** The contents of a refused token. No issuer proved them, so `escapeUntrusted` escapes and bounds each value. */
export interface TokenFacts {
  readonly issuer?: string;
  readonly subject?: string;
  readonly kid?: string;
  readonly alg?: string;
  readonly typ?: string;
  /** the registered header member or claim with the wrong form */
  readonly member?: string;
  /** one audience as text, several as a list, as in the token */
  readonly aud?: string | readonly string[];
}

const MAX_LENGTH = { issuer: 256, subject: 256, kid: 128, alg: 32, typ: 64, aud: 128 };
const MAX_AUDIENCES = 5;
/** Text that a spreadsheet would read as a formula. A thumbprint, which a `kid` often is, is exempt. */
const FORMULA = /^[=+@-](?![\w-]*$)/;

/**
 * Returns untrusted text as printable ASCII of at most `maxLength` characters (plus `...` when it is cut). Writes every
 * other character, and the backslash, as `\u{…}`, so that the text cannot end a line, control a terminal or reverse the
 * direction of writing. Puts a `'` before a formula of a spreadsheet.
 */
export function escapeUntrusted(text: string, maxLength: number): string {
  let escaped = FORMULA.test(text) ? "'" : '';
  for (const character of text) {
    const next = /^[ -[\]-~]$/.test(character) ? character : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
    if (escaped.length + next.length > maxLength) return `${escaped}...`;
    escaped += next;
  }
  return escaped;
}

/** Reads as many facts of a refused token as it can. Never throws. */
export function tokenFacts(token: string): TokenFacts {
  const [header = '', payload = ''] = token.split('.', 3);
  const { kid, alg, typ } = membersOf(header);
  const { iss, sub, aud } = membersOf(payload);
  const texts = { issuer: iss, subject: sub, kid, alg, typ };
  const facts = Object.entries(texts).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, escapeUntrusted(value, MAX_LENGTH[name as keyof typeof texts])]] : [],
  );
  return { ...(Object.fromEntries(facts) as TokenFacts), ...audienceFact(aud) };
}

function audienceFact(aud: unknown): Pick<TokenFacts, 'aud'> {
  if (typeof aud === 'string') return { aud: escapeUntrusted(aud, MAX_LENGTH.aud) };
  if (!Array.isArray(aud)) return {};
  const named = aud.filter((one) => typeof one === 'string').slice(0, MAX_AUDIENCES);
  return { aud: named.map((one) => escapeUntrusted(one, MAX_LENGTH.aud)) };
}

function membersOf(segment: string): Record<string, unknown> {
  try {
    const value = JSON.parse(Buffer.from(segment, 'base64url').toString('utf8')) as unknown;
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
