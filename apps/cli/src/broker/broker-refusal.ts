import { BrokerProblem, type ProblemDocument } from '@mayfly/client';
import { CommandFailure } from '../command-failure.js';
import { EXIT } from '../exit-codes.js';

/** The broker answered, and the answer is no. */
export class BrokerRefusal extends CommandFailure {
  constructor(
    readonly status: number,
    /** the word of docs/problems.md; empty when what answered was no broker */
    readonly code: string,
    message: string,
    readonly document: ProblemDocument = {},
    readonly retryAfterSeconds?: number,
  ) {
    super(status >= 500 ? EXIT.unavailable : EXIT.refused, message, document.help);
    this.name = 'BrokerRefusal';
  }

  /** Reads a refusal out of an answer, whatever stands in it. */
  static of(status: number, body: unknown, retryAfter: string | undefined): BrokerRefusal {
    return BrokerRefusal.from(BrokerProblem.of(status, body, retryAfter));
  }

  /** A problem in the words that a person at a terminal reads. */
  static from({ status, code, document, retryAfterSeconds }: BrokerProblem): BrokerRefusal {
    const { detail } = document;
    const sentence = detail === undefined ? wordless(status) : sentenceOf(status, { ...document, detail });
    return new BrokerRefusal(status, code, sentence, document, retryAfterSeconds);
  }
}

/** A document that says something. */
type Worded = ProblemDocument & { readonly detail: string };

/** One sentence; what is wrong field by field follows in lines of its own, unless the sentence has said it. */
function sentenceOf(status: number, { detail, control, reason, errors = [], instance }: Worded): string {
  const by = control === undefined ? '' : ` (control \`${control}\`)`;
  const why = reason === undefined ? '' : ` (${reason})`;
  const isForOperators = status >= 500 || (status === 401 && reason === undefined);
  const request = isForOperators && instance !== undefined ? ` [${instance}]` : '';
  const places = errors.map((error) => placeOf(error, detail));
  return `${detail}${by}${why}${request}${places.join('')}`;
}

/** Where something is wrong and what, on a line of its own; what the sentence has said is not said again. */
function placeOf(error: NonNullable<ProblemDocument['errors']>[number], said: string): string {
  if (!said.startsWith(error.detail) && !said.endsWith(error.detail))
    return `\n  ${error.pointer === '' ? '' : `${error.pointer}: `}${error.detail}`;
  return error.pointer === '' ? '' : `\n  at ${error.pointer}`;
}

function wordless(status: number): string {
  const said = `the broker answered ${String(status)}`;
  if (status >= 300 && status < 400) return `${said}, and is not followed elsewhere; use its own address in MAYFLY_URL`;
  return `${said} without saying why`;
}
