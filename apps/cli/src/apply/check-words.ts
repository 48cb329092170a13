import type { Finding } from '@mayfly/client';
import type { CommandFailure } from '../command-failure.js';
import type { Checked } from './declarations.client.js';
import { titleOf } from './declared-file.js';
import type { ApplyStep } from './steps.js';

/** Returns the broker's refusals and findings, one text per line, in the order of the run. Pure. */
export function checkWords(steps: readonly ApplyStep[], checked: ReadonlyMap<string, Checked>): string[] {
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

/** Removes the document's title from a broker's text, because the line already starts with it. */
export function withoutTitle(title: string, text: string): string {
  return text.replaceAll(`${title}: `, '');
}

/** Returns the totals of a check that refuses something; undefined when nothing is refused. Pure. */
export function refusedWords(checked: readonly Checked[], sent: number): string | undefined {
  const refused = checked.filter(({ refusal }) => refusal !== undefined).length;
  const unpublished = checked.filter(({ refusal, publication }) => refusal === undefined && publication !== undefined);
  const told = [
    ...(refused === 0 ? [] : [`${String(refused)} of ${String(sent)} would be refused`]),
    ...(unpublished.length === 0 ? [] : [`${String(unpublished.length)} of ${String(sent)} would not be published`]),
  ];
  return told.length === 0 ? undefined : told.join(', ');
}

/** Returns a check result as JSON members. */
export function checkAsJson(checked: Checked | undefined) {
  if (checked === undefined) return {};
  const { refusal, publication, findings } = checked;
  const problem = (of: CommandFailure | undefined) =>
    of === undefined ? undefined : { detail: of.message, help: of.help };
  return { check: { refusal: problem(refusal), publication: problem(publication), findings } };
}

function refused(problem: CommandFailure | undefined): string[] {
  if (problem === undefined) return [];
  return [problem.help === undefined ? problem.message : `${problem.message}\n  ${problem.help}`];
}

/** True when the refused publication already contains this finding: linter errors are its reason. */
function isToldBy(publication: CommandFailure | undefined, { detail }: Finding): boolean {
  return publication?.message.includes(detail) === true;
}
