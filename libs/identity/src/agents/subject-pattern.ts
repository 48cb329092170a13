import { looksLikeSpiffeId, lowerCaseAuthority, parseSpiffeId } from '../spiffe-id.js';

/**
 * A subject, or a pattern of subjects in which `*` stands for one whole segment between `/` or `:`. There is no raw
 * prefix: `repo:org/app:*` never matches `repo:org/app-evil:…`, and no `*` reaches over a separator.
 */
export class SubjectPattern {
  readonly isExact: boolean;
  /** SPIFFE IDs in canonical form */
  readonly text: string;
  private readonly parts: readonly string[];

  private constructor(text: string) {
    this.text = lowerCaseAuthority(text);
    this.parts = split(this.text);
    this.isExact = !this.parts.includes('*');
  }

  /** Expects a subject without fault (see `subjectPatternFault`). */
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

  /** Whether some subject matches both. */
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

/** What is wrong with a declared subject, in words for its author; undefined when it can be used. */
export function subjectPatternFault(text: string): string | undefined {
  const segments = text.split(/[/:]/);
  if (segments.some((segment) => segment.includes('*') && segment !== '*')) {
    return 'let `*` stand for one whole segment between `/` or `:`';
  }
  if (segments[0] === '*')
    return 'begin with a segment other than `*`, or leave `subject` out and bind by `claims` alone';
  if (looksLikeSpiffeId(text)) return spiffeFault(text);
  return text.startsWith('system:') ? serviceAccountFault(text) : undefined;
}

function spiffeFault(text: string): string | undefined {
  // A `*` is no character of a SPIFFE ID, so any segment may take its place to see whether the rest is one.
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

/** Segments and separators in turn, so that `a:b` and `a/b` differ. */
function split(subject: string): string[] {
  return subject.split(/([/:])/);
}

function isWholeSegment(part: string | undefined): boolean {
  return part !== undefined && part !== '' && part !== '/' && part !== ':';
}
