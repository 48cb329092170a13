const CENSOR = '[redacted]';

/**
 * What a secret looks like. Each pattern stops before a quote, so that a redacted JSON line stays a JSON line, and its
 * repetitions are bounded before the fixed part, so that no text makes it slow. No `\b` before a prefix: in a JSON line
 * a secret may follow the `n` of an escaped newline.
 */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z0-9 ]{1,40}-----(?:\\[^"]|[^"\\])*?(?:-----END [A-Z0-9 ]{1,40}-----|(?=\\?"|$))/g, CENSOR],
  [/eyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g, CENSOR],
  [/(?:AKIA|ASIA)[A-Z0-9]{16}/g, CENSOR],
  [/hv[sbr]\.[\w-]{16,}/g, CENSOR],
  [/s\.[A-Za-z0-9]{24,}/g, CENSOR],
  [/(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,})/g, CENSOR],
  [/SCRAM-SHA-256\$[^\s"\\]+/g, CENSOR],
  [/(:\/\/)[^\s"\\]{0,400}@/g, `$1${CENSOR}@`],
  [/(authorization\s*[:=]\s*)[^"\\\r\n]+/gi, `$1${CENSOR}`],
  [/((?:Bearer|DPoP|Basic) +)[\w.~+/=-]{8,}/g, `$1${CENSOR}`],
  [/((?:password|passwd|pwd|secret|api_?key)\s*[:=]\s*)[^\s"\\,;&}]+/gi, `$1${CENSOR}`],
  [/((?:authorization|password|passwd|pwd|secret|api_?key)\\?"\s*:\s*\\?")(?:\\[^"]|[^"\\])+/gi, `$1${CENSOR}`],
];

/**
 * The text with everything that looks like a secret replaced: cloud keys, Vault and GitHub tokens, JWTs, PEM blocks,
 * SCRAM verifiers, credentials in URLs and headers, values called password or secret. A net under the rule that no
 * secret is logged (I10), never a licence to log one. JSON in gives JSON out.
 */
export function redactText(text: string): string {
  let redacted = text;
  for (const [pattern, replacement] of PATTERNS) redacted = redacted.replace(pattern, replacement);
  return redacted;
}
