import { Problem, type ProblemCode } from '@mayfly/kernel';

/** Error codes of OAuth endpoints: RFC 6749 §5.2, and §4.1.2.1 for errors that §5.2 does not cover. */
type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'unauthorized_client'
  | 'access_denied'
  | 'server_error'
  | 'temporarily_unavailable';

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** One sentence for docs/problems.md: when the problem occurs, and what to do. */
  readonly description: string;
  readonly oauth: OAuthErrorCode;
  /** The default delay, for a problem that names none. */
  readonly retryAfterSeconds?: number;
}

/** The HTTP answer to each problem. A new `ProblemCode` does not compile until it has an entry here. */
export const PROBLEM_TABLE: Readonly<Record<ProblemCode, ProblemKind>> = {
  invalid_request: {
    status: 400,
    title: 'The request is malformed',
    description:
      'The body, a header or the query does not have the documented shape; change each field that `errors` points at.',
    oauth: 'invalid_request',
  },
  unauthenticated: {
    status: 401,
    title: 'The caller is not authenticated',
    description:
      'The token is missing or refused; get a new one. For a proven token, `reason` names the broken rule. See below.',
    oauth: 'invalid_client',
  },
  forbidden: {
    status: 403,
    title: 'The caller may not do this',
    description:
      'The identity is proven, but lacks the permission that this route states; use another identity, or get the role.',
    oauth: 'unauthorized_client',
  },
  policy_denied: {
    status: 403,
    title: 'A control refused the request',
    description: 'The named `control` refused the request; `help` says what to change, where the caller may know it.',
    oauth: 'access_denied',
  },
  not_found: {
    status: 404,
    title: 'The resource does not exist',
    description: 'The resource does not exist, or the caller may not see it; check the name or the id.',
    oauth: 'invalid_request',
  },
  method_not_allowed: {
    status: 405,
    title: 'The route does not have this method',
    description: 'The route exists without this method; use one of the methods in `Allow`.',
    oauth: 'invalid_request',
  },
  conflict: {
    status: 409,
    title: 'The state does not allow this',
    description: 'The state of the resource does not allow this step; read the resource again.',
    oauth: 'invalid_request',
  },
  precondition_failed: {
    status: 412,
    title: 'The resource has changed',
    description: '`If-Match` does not name the current version; read it, apply the change to it and send it again.',
    oauth: 'invalid_request',
  },
  precondition_required: {
    status: 428,
    title: 'If-Match is required',
    description: 'This change overwrites a version; send `If-Match` with the `ETag` of the version that you read.',
    oauth: 'invalid_request',
  },
  request_in_flight: {
    status: 409,
    title: 'The same request is in progress',
    description:
      'Mayfly has not yet answered a request with this `Idempotency-Key`; send it again after `Retry-After`.',
    oauth: 'invalid_request',
    retryAfterSeconds: 1,
  },
  idempotency_key_reused: {
    status: 422,
    title: 'The idempotency key belongs to another request',
    description: 'This `Idempotency-Key` was used with another body; use a new key for a new request.',
    oauth: 'invalid_request',
  },
  request_timeout: {
    status: 408,
    title: 'The request took too long to arrive',
    description: 'The headers must arrive within 10 s and the request within 30 s; send it again, faster.',
    oauth: 'invalid_request',
  },
  headers_too_large: {
    status: 431,
    title: 'The headers are too large',
    description: 'The headers are over the limit of 16 KiB; send less, such as a smaller token.',
    oauth: 'invalid_request',
  },
  payload_too_large: {
    status: 413,
    title: 'The body is too large',
    description: 'The body is over the limit that `detail` names, 64 KiB at most routes; send less.',
    oauth: 'invalid_request',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The media type is not supported',
    description: 'Send `Content-Type: application/json`, or a form to the OAuth endpoints.',
    oauth: 'invalid_request',
  },
  invalid_parameters: {
    status: 422,
    title: 'The parameters do not fit the template',
    description:
      "The parameters do not fit the template's schema or its target; change each one that `errors` points at.",
    oauth: 'invalid_request',
  },
  invalid_template: {
    status: 422,
    title: 'The template is not valid',
    description: 'The template breaks rules of publication; change each place that `errors` points at.',
    oauth: 'invalid_request',
  },
  invalid_declaration: {
    status: 422,
    title: 'The declaration is not valid',
    description: 'The document has faults; change each place that `errors` points at.',
    oauth: 'invalid_request',
  },
  quota_exceeded: {
    status: 429,
    title: 'A quota is used up',
    description: 'The quota of the named `control` is used up; wait for `Retry-After` or end a task.',
    oauth: 'temporarily_unavailable',
  },
  provider_rejected: {
    status: 502,
    title: 'The target refused to issue',
    description: 'The target refused and nothing was issued; the owner of the connection has to change it.',
    oauth: 'server_error',
  },
  provider_unavailable: {
    status: 503,
    title: 'The target does not answer',
    description: 'The outcome is unknown; Mayfly revokes any credential that the target made. Try again later.',
    oauth: 'temporarily_unavailable',
  },
  quarantined: {
    status: 503,
    title: 'The service is in quarantine',
    description:
      'The database is older than what this installation has seen, so Mayfly issues nothing; an operator has to confirm it.',
    oauth: 'temporarily_unavailable',
    retryAfterSeconds: 60,
  },
  unavailable: {
    status: 503,
    title: 'The service cannot decide now',
    description: 'Mayfly cannot read data that a decision needs, so it issues nothing; try again later.',
    oauth: 'temporarily_unavailable',
  },
  internal: {
    status: 500,
    title: 'The service failed',
    description: 'Mayfly failed; give the operator the request id in `instance`.',
    oauth: 'server_error',
  },
};

/** An HTTP answer that is ready to send. */
export interface RenderedProblem {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

/**
 * Returns the answer to an error as `application/problem+json` (RFC 9457), with `requestId` as `instance`. Answers any
 * error that is not a `Problem` with `internal` and hides its text. Never throws.
 */
export function renderProblem(error: unknown, requestId?: string): RenderedProblem {
  const problem = asProblem(error);
  const { status, title } = PROBLEM_TABLE[problem.code];
  return {
    status,
    headers: { 'content-type': 'application/problem+json', ...commonHeaders(problem) },
    body: {
      type: `urn:mayfly:problem:${problem.code}`,
      title,
      status,
      detail: problem.detail,
      ...(requestId === undefined ? {} : { instance: `urn:mayfly:request:${requestId}` }),
      ...problem.extensions,
    },
  };
}

/**
 * Returns the answer to an error of an OAuth endpoint (RFC 6749 §5.2): the same codes and rules in another form. Never
 * throws.
 */
export function renderOAuthError(error: unknown): RenderedProblem {
  const problem = asProblem(error);
  const { status, oauth } = PROBLEM_TABLE[problem.code];
  return {
    status,
    headers: { 'content-type': 'application/json', pragma: 'no-cache', ...commonHeaders(problem) },
    body: { error: oauth, error_description: describable(problem.detail) },
  };
}

/** True when the errors of a request target have the form of RFC 6749. */
export function isOAuthAddress(target: string): boolean {
  return target.startsWith('/oauth/');
}

/** Returns the answer to an error in the form of the request target. Never throws. */
export function renderErrorAt(target: string, error: unknown, requestId?: string): RenderedProblem {
  return isOAuthAddress(target) ? renderOAuthError(error) : renderProblem(error, requestId);
}

function asProblem(error: unknown): Problem {
  return error instanceof Problem
    ? error
    : new Problem('internal', 'Mayfly failed to answer this request; give the operator the id in `instance`');
}

function commonHeaders(problem: Problem): Record<string, string> {
  const retryAfterSeconds = problem.retryAfterSeconds ?? PROBLEM_TABLE[problem.code].retryAfterSeconds;
  return {
    'cache-control': 'no-store',
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfterSeconds))) }),
    ...(problem.code === 'unauthenticated' ? { 'www-authenticate': challenge(problem) } : {}),
  };
}

/** RFC 6750 §3: the answer to a request without a token names no error. */
function challenge({ detail, extensions }: Problem): string {
  if (extensions.reason === 'no_token') return 'Bearer';
  return `Bearer error="invalid_token", error_description="${describable(detail)}"`;
}

/** Replaces characters that RFC 6749 §5.2 forbids in a description: it allows printable ASCII without `"` and `\`. */
function describable(detail: string): string {
  return detail.replace(/["\\]/g, "'").replace(/[^\x20-\x7e]/g, '?');
}
