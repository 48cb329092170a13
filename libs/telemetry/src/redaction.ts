const CENSOR = '[redacted]';

type Pattern = readonly [RegExp, string];

/**
 * Patterns of secrets. Each stops before a quote, so that a redacted JSON line stays valid JSON. Each bounds its
 * repetitions before the fixed part, so that no text makes it slow. No `\b` stands before a prefix: in a JSON line a
 * secret may follow the `n` of an escaped newline. The providers' patterns run between the two lists: after those that
 * span lines or end early, before those that match only the text around a secret.
 */
const WHOLE: readonly Pattern[] = [
  [/-----BEGIN [A-Z0-9 ]{1,40}-----(?:\\[^"]|[^"\\])*?(?:-----END [A-Z0-9 ]{1,40}-----|(?=\\?"|$))/g, CENSOR],
  [/eyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g, CENSOR],
];
const AROUND: readonly Pattern[] = [
  [/mft_[0-9a-z]{26}_[\w-]{43}/g, CENSOR],
  [/(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,})/g, CENSOR],
  [/(:\/\/)[^\s"\\]{0,400}@/g, `$1${CENSOR}@`],
  [/(authorization\s*[:=]\s*)[^"\\\r\n]+/gi, `$1${CENSOR}`],
  [/((?:Bearer|DPoP|Basic) +)[\w.~+/=-]{8,}/g, `$1${CENSOR}`],
  [/((?:password|passwd|pwd|secret|api_?key)\s*[:=]\s*)[^\s"\\,;&}]+/gi, `$1${CENSOR}`],
  [/((?:authorization|password|passwd|pwd|secret|api_?key)\\?"\s*:\s*\\?")(?:\\[^"]|[^"\\])+/gi, `$1${CENSOR}`],
];

/** Returns the text with every secret replaced. Valid JSON stays valid JSON. */
export type Redaction = (text: string) => string;

/**
 * Returns a redaction that replaces secrets: task tokens, GitHub tokens, JWTs, PEM blocks, credentials in URLs and headers, values
 * named password or secret, and matches of `patterns`, which must be bounded as those above. It backs up the rule that
 * no secret is logged (I10) and never permits logging one.
 */
export function redactionOf(patterns: readonly RegExp[]): Redaction {
  const given = patterns.map((pattern): Pattern => [new RegExp(pattern.source, flagsOf(pattern)), CENSOR]);
  const all = [...WHOLE, ...given, ...AROUND];
  return (text) => all.reduce((redacted, [pattern, replacement]) => redacted.replace(pattern, replacement), text);
}

/** Adds the flag `g`: without it only the first match would be replaced. */
function flagsOf({ flags }: RegExp): string {
  return flags.includes('g') ? flags : `${flags}g`;
}
