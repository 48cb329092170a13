import { COMPONENTS } from './answer-shapes.js';
import { misfit } from './misfit.js';
import type { components } from './schema.js';
import type { Shape } from './shape.js';

/** A problem document (RFC 9457; docs/problems.md); any member may be missing. */
export type ProblemDocument = Partial<components['schemas']['Problem']>;

/** Requires only `detail`: an older or later broker may send fewer or more members. */
const PROBLEM: Shape = { ...COMPONENTS.Problem, required: ['detail'] };

/** A problem that the broker answered. Its message is the `detail` of the document. */
export class BrokerProblem extends Error {
  constructor(
    readonly status: number,
    /** a code of docs/problems.md; empty when the answer is not from a broker */
    readonly code: string,
    message: string,
    readonly document: ProblemDocument = {},
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
    this.name = 'BrokerProblem';
  }

  /** Builds a problem from any answer body. */
  static of(status: number, body: unknown, retryAfter: string | undefined): BrokerProblem {
    const seconds = retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : undefined;
    if (!isDocument(body)) {
      return new BrokerProblem(status, '', `the broker answered ${String(status)} without saying why`, {}, seconds);
    }
    const code = (body.type ?? '').replace('urn:mayfly:problem:', '');
    return new BrokerProblem(status, code, body.detail, body, seconds);
  }

  /** One sentence that says what would help. */
  get help(): string | undefined {
    return this.document.help;
  }

  /** The control that refused. */
  get control(): string | undefined {
    return this.document.control;
  }

  /** True when the same request may soon succeed, because the broker or a part of it was busy or unreachable. */
  get isPassing(): boolean {
    if (this.code === 'provider_rejected' || this.code === 'quota_exceeded') return false;
    return this.status >= 500 || this.retryAfterSeconds !== undefined;
  }
}

function isDocument(body: unknown): body is ProblemDocument & { readonly detail: string } {
  return misfit(body, PROBLEM) === undefined;
}
