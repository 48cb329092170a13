#!/usr/bin/env node
// Refuses a citation of an invariant that docs/invariants.md does not define, a path in that page that does not exist,
// and an invariant of the page without a room and a test.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { commentsOf, linesOf } from './comments.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const PAGE = 'docs/invariants.md';
const CITATION = /\bI\d{1,2}\b/g;
/** Sources cite in comments; documents and SQL in any line. */
const CITING = /\.(ts|mjs|cjs|md|sql|prisma|yaml|yml)$/;
const GENERATED = /(^|\/)generated\//;

const page = readFileSync(PAGE, 'utf8');
const sections = page.split(/^## /m).slice(1);
const defined = new Set(sections.map((section) => /^I\d+/.exec(section)?.[0]));

const faults = [...sections.flatMap(sectionFaults), ...filesOfTheRepository().flatMap(unknownCitations)];
if (faults.length > 0) {
  console.error(`${faults.join('\n')}\n${faults.length} faults: compare with ${PAGE}`);
  process.exit(1);
}

function sectionFaults(section) {
  const [title] = section.split('\n');
  const paths = [...section.matchAll(/`((?:apps|libs|packages|test|prisma|docs)\/[^`]+)`/g)].map(([, path]) => path);
  return [
    ...paths.filter((path) => !existsSync(path)).map((path) => `${PAGE}, ${title}: there is no file \`${path}\``),
    ...(paths.some((path) => !isTest(path)) ? [] : [`${PAGE}, ${title}: name the file that keeps it`]),
    ...(paths.some(isTest) ? [] : [`${PAGE}, ${title}: name the test that proves it`]),
  ];
}

function isTest(path) {
  return /\.(spec|suite)\.ts$/.test(path);
}

function unknownCitations(file) {
  const text = readFileSync(file, 'utf8');
  const passages = /\.(ts|mjs|cjs)$/.test(file) ? commentsOf(text) : linesOf(text);
  return passages.flatMap(({ line, words }) =>
    (words.match(CITATION) ?? [])
      .filter((id) => !defined.has(id))
      .map((id) => `${file}:${line}: \`${id}\` is no invariant of ${PAGE}`),
  );
}

function filesOfTheRepository() {
  return execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
    .split('\n')
    .filter((file) => CITING.test(file) && !GENERATED.test(file) && existsSync(file));
}
