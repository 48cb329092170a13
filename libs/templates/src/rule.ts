import { Problem, type FieldError } from '@mayfly/kernel';

export type Severity = 'error' | 'warning';

/** All template rules. Ids are stable; `docs/template-rules.md` explains each rule. */
export const RULES = {
  MF001: 'error',
  MF002: 'error',
  MF003: 'warning',
  MF101: 'error',
  MF102: 'error',
  MF103: 'error',
  MF104: 'error',
  MF105: 'error',
  MF106: 'error',
  MF107: 'error',
  MF108: 'warning',
  MF201: 'error',
  MF202: 'error',
  MF203: 'error',
  MF204: 'error',
  MF205: 'error',
  MF206: 'error',
  MF207: 'error',
  MF208: 'warning',
  MF209: 'error',
  MF210: 'error',
  MF211: 'error',
  MF212: 'warning',
  MF301: 'error',
  MF302: 'error',
  MF303: 'error',
  MF304: 'error',
  MF305: 'warning',
  MF306: 'error',
  MF307: 'warning',
  MF308: 'warning',
  MF309: 'error',
  MF310: 'warning',
  MF311: 'error',
  MF312: 'warning',
  MF401: 'error',
} as const satisfies Record<string, Severity>;

export type RuleId = keyof typeof RULES;

/** One finding of the linter: the rule, the JSON Pointer into the spec, and the change to make. */
export interface Finding extends FieldError {
  readonly rule: RuleId;
  readonly severity: Severity;
}

/** Returns a finding of `rule`, with the rule's severity. */
export function finding(rule: RuleId, pointer: string, detail: string): Finding {
  return { rule, severity: RULES[rule], pointer, detail };
}

/**
 * Throws `invalid_template`, listing at most 50 errors, when a finding is an error. `root` is the pointer to the judged
 * part in the caller's document: `/spec` for a whole template.
 */
export function refuseErrors(findings: readonly Finding[], root = ''): void {
  const [first, ...others] = findings.filter((found) => found.severity === 'error');
  if (first !== undefined) throw invalidTemplate([first, ...others], root);
}

/** Returns `invalid_template` for these errors, as `refuseErrors` throws it. */
export function invalidTemplate(errors: readonly [Finding, ...Finding[]], root = ''): Problem {
  const [first] = errors;
  return new Problem('invalid_template', `the template breaks rule ${first.rule}: ${first.detail}`, {
    errors: errors
      .slice(0, 50)
      .map(({ rule, pointer, detail }) => ({ pointer: `${root}${pointer}`, detail: `${rule}: ${detail}` })),
  });
}
