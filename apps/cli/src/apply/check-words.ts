import type { Finding } from '@mayfly/client';
import type { BrokerRefusal } from '../broker/broker-refusal.js';
import type { Checked } from './declarations.client.js';
import { titleOf } from './declared-file.js';
import type { Step } from './steps.js';

/** What the broker has said of the documents of a run, one text a line, in the order of the run. Pure. */
export function checkWords(steps: readonly Step[], checked: ReadonlyMap<string, Checked>): string[] {
  return steps.flatMap(({ declared, file, change }) => {
    const title = titleOf(declared);
    const { refusal, publication, findings = [] } = checked.get(title) ?? {};
    const lineOf = (state: string, text: string): string =>
      `${state}  ${title}  (${file}): ${withoutTitle(title, text)}`;
    const unpublished =
      change === 'unchanged' ? 'would not be published' : 'would be applied as a draft, not published';
    return [
      ...refused(refusal).map((text) => lineOf('would be refused', text)),
      ...refused(publication).map((text) => lineOf(unpublished, text)),
      ...findings
        .filter((found) => !isToldBy(publication, found))
        .map(({ severity, rule, pointer, detail }) => lineOf(severity, `${rule} at ${pointer}: ${detail}`)),
    ];
  });
}

/** What the broker says of a document starts with its name, which stands before it already. */
export function withoutTitle(title: string, text: string): string {
  return text.replaceAll(`${title}: `, '');
}

/** How a check that refuses something ends, in words; undefined where nothing is refused. Pure. */
export function refusedWords(checked: readonly Checked[], sent: number): string | undefined {
  const refused = checked.filter(({ refusal }) => refusal !== undefined).length;
  const unpublished = checked.filter(({ refusal, publication }) => refusal === undefined && publication !== undefined);
  const told = [
    ...(refused === 0 ? [] : [`${String(refused)} of ${String(sent)} would be refused`]),
    ...(unpublished.length === 0 ? [] : [`${String(unpublished.length)} of ${String(sent)} would not be published`]),
  ];
  return told.length === 0 ? undefined : told.join(', ');
}

/** The same for programs. */
export function checkAsJson(checked: Checked | undefined) {
  if (checked === undefined) return {};
  const { refusal, publication, findings } = checked;
  const problem = (of: BrokerRefusal | undefined) =>
    of === undefined ? undefined : { detail: of.message, help: of.help };
  return { check: { refusal: problem(refusal), publication: problem(publication), findings } };
}

function refused(problem: BrokerRefusal | undefined): string[] {
  if (problem === undefined) return [];
  return [problem.help === undefined ? problem.message : `${problem.message}\n  ${problem.help}`];
}

/** Errors of the linter are why a template is not published: they are told there. */
function isToldBy(publication: BrokerRefusal | undefined, { detail }: Finding): boolean {
  return publication?.message.includes(detail) === true;
}
