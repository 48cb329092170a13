import { looksLikeSpiffeId, lowerCaseAuthority, parseSpiffeId } from '../spiffe-id.js';

/**
 * A subject, or a pattern of subjects in which `*` matches one whole segment between `/` or `:`. A pattern is never a
 * plain prefix: `repo:org/app:*` does not match `repo:org/app-evil:…`, and `*` never matches a separator.
 */
export class SubjectPattern {
  readonly isExact: boolean;
  /** SPIFFE IDs are in canonical form */
  readonly text: string;
  private readonly parts: readonly string[];

  private constructor(text: string) {
    this.text = lowerCaseAuthority(text);
    this.parts = split(this.text);
    this.isExact = !this.parts.includes('*');
  }

  /** Takes only a subject that passes `subjectPatternFault`. */
  static of(text: string): SubjectPattern {
    return new SubjectPattern(text);
  }

  matches(subject: string): boolean {
    const parts = split(subject);
    return (
      parts.length === this.parts.length &&
      this.parts.every((part, at) => part === parts[at] || (part === '*' && isWholeSegment(parts[at])))
    );
  }

  /** True when some subject matches both. */
  overlaps(other: SubjectPattern): boolean {
    return (
      this.parts.length === other.parts.length &&
      this.parts.every((part, at) => {
        const rival = other.parts[at];
        return part === rival || (part === '*' && isWholeSegment(rival)) || (rival === '*' && isWholeSegment(part));
      })
    );
  }
}

/** Returns the fault of a declared subject, in words for its author; undefined when it has none. */
export function subjectPatternFault(text: string): string | undefined {
  const segments = text.split(/[/:]/);
  if (segments.some((segment) => segment.includes('*') && segment !== '*')) {
    return 'use `*` for one whole segment between `/` or `:`';
  }
  if (segments[0] === '*')
    return 'begin with a segment other than `*`, or leave `subject` out and bind by `claims` alone';
  if (looksLikeSpiffeId(text)) return spiffeFault(text);
  return text.startsWith('system:') ? serviceAccountFault(text) : undefined;
}

function spiffeFault(text: string): string | undefined {
  // A SPIFFE ID cannot contain `*`, so any segment replaces it to check the rest.
  const id = parseSpiffeId(text.replace(/(?<=[^/]\/)\*(?=\/|$)/g, 'x'));
  return id === undefined || id.path === ''
    ? 'use a SPIFFE ID with a path, such as `spiffe://example.org/agent`'
    : undefined;
}

const SERVICE_ACCOUNT =
  /^system:serviceaccount:(\*|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?):(\*|[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)$/;

function serviceAccountFault(text: string): string | undefined {
  return SERVICE_ACCOUNT.test(text) ? undefined : 'use `system:serviceaccount:<namespace>:<name>`';
}

/** Returns segments and separators alternately, so that `a:b` and `a/b` differ. */
function split(subject: string): string[] {
  return subject.split(/([/:])/);
}

function isWholeSegment(part: string | undefined): boolean {
  return part !== undefined && part !== '' && part !== '/' && part !== ':';
}
