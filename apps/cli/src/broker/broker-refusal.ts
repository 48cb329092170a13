import type { BrokerProblem, ProblemDocument } from '@mayfly/client';
import { CommandFailure } from '../command-failure.js';
import { EXIT } from '../exit-codes.js';

/** Converts a problem that the broker answered to a sentence for people, with its exit code. */
export function refusalOf({ status, document }: BrokerProblem): CommandFailure {
  const { detail, help } = document;
  const sentence = detail === undefined ? wordless(status) : sentenceOf(status, { ...document, detail });
  return new CommandFailure(status >= 500 ? EXIT.unavailable : EXIT.refused, sentence, help);
}

type FieldFault = NonNullable<ProblemDocument['errors']>[number];

/** A problem document with `detail`. */
type Worded = ProblemDocument & { readonly detail: string };

/** Returns one sentence, then one line per field error that the sentence does not contain. */
function sentenceOf(status: number, { detail, control, reason, errors = [], instance }: Worded): string {
  const by = control === undefined ? '' : ` (control \`${control}\`)`;
  const why = reason === undefined ? '' : ` (${reason})`;
  const isForOperators = status >= 500 || (status === 401 && reason === undefined);
  const request = isForOperators && instance !== undefined ? ` [${instance}]` : '';
  const said = withoutCount(detail, errors);
  const places = errors.map((error) => placeOf(error, said));
  return `${said}${by}${why}${request}${places.join('')}`;
}

/** Removes the count of further errors from the detail, because all errors are listed. */
function withoutCount(detail: string, errors: readonly FieldFault[]): string {
  const [first] = errors;
  return first !== undefined && detail.startsWith(`${first.detail} (and ${String(errors.length - 1)} more`)
    ? first.detail
    : detail;
}

/** True when a detail contains its own path, as those of declarations do: `Connection/crm: spec.config.url: …`. */
function namesPlace({ pointer, detail }: FieldFault): boolean {
  const path = pointer.slice(1).replaceAll('/', '.');
  return detail.replace(/\[(\d+)\]/g, '.$1').includes(` ${path}: `);
}

/** Returns the path and text of a field error on its own line, without a text that the sentence contains. */
function placeOf(error: FieldFault, said: string): string {
  if (!said.startsWith(error.detail) && !said.endsWith(error.detail))
    return `\n  ${error.pointer === '' || namesPlace(error) ? '' : `${error.pointer}: `}${error.detail}`;
  return error.pointer === '' || namesPlace(error) ? '' : `\n  at ${error.pointer}`;
}

function wordless(status: number): string {
  const said = `the broker answered ${String(status)}`;
  if (status >= 300 && status < 400)
    return `${said}, a redirect, which the CLI does not follow; set MAYFLY_URL to the address of the broker`;
  return `${said} without saying why`;
}
