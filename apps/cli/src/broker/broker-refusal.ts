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

type FieldFault = NonNullable<ProblemDocument['errors']>[number];

/** A document that says something. */
type Worded = ProblemDocument & { readonly detail: string };

/** One sentence; what is wrong field by field follows in lines of its own, unless the sentence has said it. */
function sentenceOf(status: number, { detail, control, reason, errors = [], instance }: Worded): string {
  const by = control === undefined ? '' : ` (control \`${control}\`)`;
  const why = reason === undefined ? '' : ` (${reason})`;
  const isForOperators = status >= 500 || (status === 401 && reason === undefined);
  const request = isForOperators && instance !== undefined ? ` [${instance}]` : '';
  const said = withoutCount(detail, errors);
  const places = errors.map((error) => placeOf(error, said));
  return `${said}${by}${why}${request}${places.join('')}`;
}

/** The broker counts the errors beside the first one; where they are all listed, the list says how many. */
function withoutCount(detail: string, errors: readonly FieldFault[]): string {
  const [first] = errors;
  return first !== undefined && detail === `${first.detail} (and ${String(errors.length - 1)} more)`
    ? first.detail
    : detail;
}

/** Whether a detail names its place itself, as those of declarations do: `Connection/crm: spec.config.url: …`. */
function namesPlace({ pointer, detail }: FieldFault): boolean {
  const path = pointer.slice(1).replaceAll('/', '.');
  return detail.replace(/\[(\d+)\]/g, '.$1').includes(` ${path}: `);
}

/** Where something is wrong and what, on a line of its own; what the sentence has said is not said again. */
function placeOf(error: FieldFault, said: string): string {
  if (!said.startsWith(error.detail) && !said.endsWith(error.detail))
    return `\n  ${error.pointer === '' || namesPlace(error) ? '' : `${error.pointer}: `}${error.detail}`;
  return error.pointer === '' || namesPlace(error) ? '' : `\n  at ${error.pointer}`;
}

function wordless(status: number): string {
  const said = `the broker answered ${String(status)}`;
  if (status >= 300 && status < 400) return `${said}, and is not followed elsewhere; use its own address in MAYFLY_URL`;
  return `${said} without saying why`;
}
