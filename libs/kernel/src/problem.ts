import type { ControlName } from './control-name.js';

/**
 * Every reason for a refusal or a failure. The HTTP edge renders each one (RFC 9457); a `switch` over the codes is
 * exhaustive.
 */
export type ProblemCode =
  | 'invalid_request'
  | 'unauthenticated'
  | 'forbidden'
  | 'policy_denied'
  | 'not_found'
  | 'method_not_allowed'
  | 'conflict'
  | 'precondition_failed'
  | 'precondition_required'
  | 'request_in_flight'
  | 'idempotency_key_reused'
  | 'request_timeout'
  | 'headers_too_large'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'invalid_parameters'
  | 'invalid_template'
  | 'invalid_declaration'
  | 'quota_exceeded'
  | 'provider_rejected'
  | 'provider_unavailable'
  | 'quarantined'
  | 'unavailable'
  | 'internal';

/** One fault in the input: a JSON Pointer (RFC 6901) and what to change there. */
export interface FieldError {
  readonly pointer: string;
  readonly detail: string;
}

/** Members of the problem document besides the code and the detail. The caller may read all of them. */
export interface ProblemExtensions {
  /** the control that refused (docs/controls.md) */
  readonly control?: ControlName;
  /** the next step for the caller, where the caller may know it */
  readonly help?: string;
  /** the exceeded limit, by its name in the template's `quota` */
  readonly limit?: { readonly name: string; readonly value: number };
  readonly errors?: readonly FieldError[];
  readonly taskId?: string;
  /** the record of the decision that refused (`GET /decisions/:id`) */
  readonly decisionId?: string;
  /** Mayfly's word for the target's answer or for the refused identity: `throttled`, `expired` … (docs/problems.md) */
  readonly reason?: string;
  /** the caller's proven identity, when an operator has to bind it to an agent */
  readonly identity?: { readonly issuer: string; readonly subject: string };
}

/** The members of a problem besides code and detail, and facts that the caller does not read. */
export interface ProblemOptions extends ProblemExtensions {
  readonly retryAfterSeconds?: number;
  /** true when the provider proved that it minted nothing; default: true for `provider_rejected`, else false */
  readonly nothingMinted?: boolean;
  readonly cause?: unknown;
}

/**
 * The one error that rooms throw. The caller reads `detail` as it is: it holds no secret, no policy text and no
 * configuration value, starts in lower case, has no final stop, and names the change to make.
 */
export class Problem extends Error {
  readonly retryAfterSeconds: number | undefined;
  readonly nothingMinted: boolean;
  readonly extensions: ProblemExtensions;

  constructor(
    readonly code: ProblemCode,
    readonly detail: string,
    options: ProblemOptions = {},
  ) {
    const { cause, retryAfterSeconds, nothingMinted, ...extensions } = options;
    super(`${code}: ${detail}`, cause === undefined ? undefined : { cause });
    this.name = 'Problem';
    this.retryAfterSeconds = retryAfterSeconds;
    this.nothingMinted = nothingMinted ?? code === 'provider_rejected';
    this.extensions = extensions;
  }
}

/** Returns the `Problem` that `act` throws, or undefined. Passes every other error on. */
export function problemThrownBy(act: () => unknown): Problem | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}
