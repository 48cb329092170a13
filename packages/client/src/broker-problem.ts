import { COMPONENTS } from './answer-shapes.js';
import { misfit } from './misfit.js';
import type { components } from './schema.js';
import type { Shape } from './shape.js';

/** A problem document (RFC 9457; docs/problems.md), as far as it was sent. */
export type ProblemDocument = Partial<components['schemas']['Problem']>;

/** What is needed of a document: an older or a later broker may send less or more than the others. */
const PROBLEM: Shape = { ...COMPONENTS.Problem, required: ['detail'] };

/** The broker answered, and the answer is no. Its message is the `detail` of the document. */
export class BrokerProblem extends Error {
  constructor(
    readonly status: number,
    /** the word of docs/problems.md; empty when what answered was no broker */
    readonly code: string,
    message: string,
    readonly document: ProblemDocument = {},
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
    this.name = 'BrokerProblem';
  }

  /** Reads a problem out of an answer, whatever stands in it. */
  static of(status: number, body: unknown, retryAfter: string | undefined): BrokerProblem {
    const seconds = retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : undefined;
    if (!isDocument(body)) {
      return new BrokerProblem(status, '', `the broker answered ${String(status)} without saying why`, {}, seconds);
    }
    const code = (body.type ?? '').replace('urn:mayfly:problem:', '');
    return new BrokerProblem(status, code, body.detail, body, seconds);
  }

  /** What would help, in a sentence. */
  get help(): string | undefined {
    return this.document.help;
  }

  /** The control that refused. */
  get control(): string | undefined {
    return this.document.control;
  }

  /** Whether the same request may be answered otherwise in a moment, because the broker or a part of it was busy or away. */
  get isPassing(): boolean {
    if (this.code === 'provider_rejected' || this.code === 'quota_exceeded') return false;
    return this.status >= 500 || this.retryAfterSeconds !== undefined;
  }
}

function isDocument(body: unknown): body is ProblemDocument & { readonly detail: string } {
  return misfit(body, PROBLEM) === undefined;
}
