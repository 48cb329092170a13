const CENSOR = '[redacted]';

type Pattern = readonly [RegExp, string];

/**
 * What a secret looks like. Each pattern stops before a quote, so that a redacted JSON line stays a JSON line, and its
 * repetitions are bounded before the fixed part, so that no text makes it slow. No `\b` before a prefix: in a JSON line
 * a secret may follow the `n` of an escaped newline. What providers know comes between the two lists: after what spans
 * lines or is cut off, before what only surrounds a secret.
 */
const WHOLE: readonly Pattern[] = [
  [/-----BEGIN [A-Z0-9 ]{1,40}-----(?:\\[^"]|[^"\\])*?(?:-----END [A-Z0-9 ]{1,40}-----|(?=\\?"|$))/g, CENSOR],
  [/eyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g, CENSOR],
];
const AROUND: readonly Pattern[] = [
  [/(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,})/g, CENSOR],
  [/(:\/\/)[^\s"\\]{0,400}@/g, `$1${CENSOR}@`],
  [/(authorization\s*[:=]\s*)[^"\\\r\n]+/gi, `$1${CENSOR}`],
  [/((?:Bearer|DPoP|Basic) +)[\w.~+/=-]{8,}/g, `$1${CENSOR}`],
  [/((?:password|passwd|pwd|secret|api_?key)\s*[:=]\s*)[^\s"\\,;&}]+/gi, `$1${CENSOR}`],
  [/((?:authorization|password|passwd|pwd|secret|api_?key)\\?"\s*:\s*\\?")(?:\\[^"]|[^"\\])+/gi, `$1${CENSOR}`],
];

/** Gives the text back with every secret in it replaced. JSON in gives JSON out. */
export type Redaction = (text: string) => string;

/**
 * Replaces everything that looks like a secret: GitHub tokens, JWTs, PEM blocks, credentials in URLs and headers, values called
 * password or secret, and what the given `patterns` match, which are bounded as those above. A net under the rule that no
 * secret is logged (I10), never a licence to log one.
 */
export function redactionOf(patterns: readonly RegExp[]): Redaction {
  const given = patterns.map((pattern): Pattern => [new RegExp(pattern.source, flagsOf(pattern)), CENSOR]);
  const all = [...WHOLE, ...given, ...AROUND];
  return (text) => all.reduce((redacted, [pattern, replacement]) => redacted.replace(pattern, replacement), text);
}

/** A pattern that replaces its first match only would leave the second one. */
function flagsOf({ flags }: RegExp): string {
  return flags.includes('g') ? flags : `${flags}g`;
}
