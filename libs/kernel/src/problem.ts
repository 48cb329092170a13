import type { ControlName } from './control-name.js';

/** Every way in which Mayfly refuses or fails. The edge renders each one (RFC 9457); `switch` over it is exhaustive. */
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
  | 'unavailable'
  | 'internal';

/** One wrong place in the input: a JSON Pointer (RFC 6901) and what to change there. */
export interface FieldError {
  readonly pointer: string;
  readonly detail: string;
}

/** Members added to the problem document; all of them are safe for the caller to read. */
export interface ProblemExtensions {
  /** the control that refused (docs/controls.md) */
  readonly control?: ControlName;
  /** what would help, where that may be known */
  readonly help?: string;
  /** the limit that is used up, as the template names it in `quota` */
  readonly limit?: { readonly name: string; readonly value: number };
  readonly errors?: readonly FieldError[];
  readonly taskId?: string;
  /** what a target said, or which rule refused an identity, as a word of ours: `throttled`, `expired` … (docs/problems.md) */
  readonly reason?: string;
  /** the proven identity of the caller, where that is what has to be bound to an agent */
  readonly identity?: { readonly issuer: string; readonly subject: string };
}

export interface ProblemOptions extends ProblemExtensions {
  readonly retryAfterSeconds?: number;
  /** of a provider's call: it is proven that nothing came of it, as `provider_rejected` always says */
  readonly nothingMinted?: boolean;
  readonly cause?: unknown;
}

/**
 * The one error that rooms throw. `detail` is shown to the caller as it is: it holds no secret, no policy text and no
 * configuration value; it starts in lower case, has no final stop, and says what to change.
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

/** The problem that `act` throws, if it throws one; every other error passes through. */
export function problemThrownBy(act: () => unknown): Problem | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}
