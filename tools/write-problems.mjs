#!/usr/bin/env node
// Writes docs/problem-texts.md from the sources: `node tools/write-problems.mjs`. With `--check` it writes nothing, and
// exits with status 1 when the page does not match the sources or a text names no change.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import './run-typescript.mjs';
import { collectProblemTexts } from './problem-texts.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const { PROBLEM_TABLE } = await import('../libs/http/src/problem-table.ts');
const { CONTROL_FACTS } = await import('../libs/policy/src/control-facts.ts');
const { PROVEN_REASONS } = await import('../libs/identity/src/refusal-reasons.ts');

const PAGE = 'docs/problem-texts.md';

/** Places that pass on a text of a provider, of a schema or of another problem; that text is listed where it is made. */
const PASSED_ON = new Set([
  'declaration-checks.ts: error.detail',
  'catalog.source.ts: fault',
  'decision.ts: detail',
  'judged.ts: detail',
  'outside-decision.ts: detail',
  'task-issuance.ts: detail',
  'signed-token.provider.ts: detail',
  'aws-sts.provider.ts: fault.detail',
  'failures.ts: cause.message',
  'scope-roles.ts: `${fault} (docs/connect-postgres.md)`',
  'vault.provider.ts: objection.detail',
  'wrapped-keys.ts: `${FILE}: ${cause.detail}`',
  'start-faults.ts: `${variable}: ${fact} (${codeOf(cause)})`',
]);

/** Codes whose sentence in docs/problems.md names the change for every text: the caller can only try again or report. */
const CHANGE_IN_TABLE = new Set(['internal', 'not_found', 'provider_unavailable', 'unavailable']);

const VERBS = [
  'add|allow|apply|ask|bind|change|check|close|compare|complete|correct|create|declare|drop|enable|end|get|give|grant',
  'keep|leave|let|list|look|lower|make|merge|name|nest|provide|publish|raise|read|renew|repair|report|restore|revoke|rotate',
  'run|send|set|shorten|start|stop|test|try|unseal|use|wait|write',
].join('|');
const CHANGE = new RegExp(`(^|[;:,] |\\b(and|or|then) )(${VERBS})\\b|\\{(detail|why)\\}$`);

const { found, unread } = collectProblemTexts();
const unknown = unread.filter((place) => !PASSED_ON.has(place));
if (unknown.length > 0)
  fail(`the text of these problems cannot be read; state it, or list them in PASSED_ON:\n${unknown.join('\n')}`);

/** Each text once, with all codes and controls that the sources allow for it. */
const byText = new Map();
for (const { codes, controls, text, help } of found) {
  // The usage of a command line is no problem that the API gives.
  if (text.includes(';  ') || text.startsWith('usage:')) continue;
  const known = controls.filter((name) => name in CONTROL_FACTS);
  const all = codes.length > 0 ? codes : known.map((name) => CONTROL_FACTS[name].problem);
  const before = byText.get(shown(text)) ?? { text: shown(text), codes: new Set(), controls: new Set(), help: '' };
  all.filter((code) => code in PROBLEM_TABLE).forEach((code) => before.codes.add(code));
  known.forEach((name) => before.controls.add(name));
  byText.set(shown(text), { ...before, help: before.help || helpOf(text, help) });
}
const texts = [...byText.values()]
  .filter(({ codes }) => codes.size > 0)
  .sort((one, other) => (one.text < other.text ? -1 : 1));

const changeless = texts
  .filter(
    ({ text, codes, help }) =>
      ![...codes].every((code) => CHANGE_IN_TABLE.has(code)) && help === '' && !CHANGE.test(text),
  )
  .map(({ text, codes }) => `${[...codes].join(', ')}: ${text}`);
if (changeless.length > 0) fail(`these texts name no change; add it, or a \`help\`:\n${changeless.join('\n')}`);

const formatted = await format(page(), { ...(await resolveConfig(PAGE)), filepath: PAGE });
if (!process.argv.includes('--check')) writeFileSync(PAGE, formatted);
else if (readFileSync(PAGE, 'utf8') !== formatted) {
  fail(`${PAGE} differs from the sources: run \`node tools/write-problems.mjs\` and commit the result`);
}

/** On one line, for a cell of a table. */
function shown(text) {
  return text.replaceAll(/\s*\n\s*/g, ' ');
}

/** The help of a refused identity belongs to its reason. */
function helpOf(text, help) {
  const reason = Object.values(PROVEN_REASONS).find(({ meaning }) => text.startsWith(meaning));
  return reason === undefined ? help : reason.help;
}

function page() {
  const sections = Object.keys(PROBLEM_TABLE).map((code) =>
    section(
      code,
      texts.filter(({ codes }) => codes.size === 1 && codes.has(code)),
    ),
  );
  const several = texts.filter(({ codes }) => codes.size > 1);
  return `<!-- Written by \`node tools/write-problems.mjs\` from the sources. -->

# Texts of problems

The texts of \`detail\` with their \`help\`, by code. \`{name}\` stands for an inserted value. Where a cell has several values, one of them is in the
answer. A text that comes with several codes is in the last table. [problems.md](problems.md) explains the codes, and the sentence under each code names
the change for texts that name none. Details in \`errors\` are not listed here: they name the place and the change, and
[template-rules.md](template-rules.md) lists the rules of templates.

${sections.join('\n')}
## Several codes

The code depends on the cause, which the text states: a wrong request, a refusal or an outage of a back end.

${table('detail | code | control | help', several, ({ text, codes, controls, help }) => [text, names(codes), names(controls), help])}`;
}

function section(code, own) {
  const { status, description } = PROBLEM_TABLE[code];
  const rows = table('detail | control | help', own, ({ text, controls, help }) => [text, names(controls), help]);
  return `## \`${code}\` (${status})\n\n${description.replace(' See below.', '')}\n\n${rows}`;
}

function table(columns, rows, cellsOf) {
  if (rows.length === 0) return '';
  const lines = rows.map((row) => `| ${cellsOf(row).map(escaped).join(' | ')} |`);
  return `| ${columns} |\n|${' --- |'.repeat(columns.split('|').length)}\n${lines.join('\n')}\n`;
}

function names(set) {
  return [...set].map((name) => `\`${name}\``).join(', ');
}

function escaped(cell) {
  return cell
    .replaceAll('|', '\\|')
    .replaceAll('<', '\\<')
    .replaceAll('*', '\\*')
    .replaceAll('_', '\\_')
    .replace(/`[^`]*`/g, (code) => code.replaceAll('\\_', '_').replaceAll('\\*', '*').replaceAll('\\<', '<'));
}

function fail(message) {
  console.error(`problems: ${message}`);
  process.exit(1);
}
