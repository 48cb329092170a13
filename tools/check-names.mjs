#!/usr/bin/env node
// Refuses a name that a room exports when one of its words is neither in docs/glossary.md nor in the list of ordinary
// words at the end of that page. Also refuses an ordinary word that no name uses, or that the glossary defines.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const PAGE = 'docs/glossary.md';
const [table, ordinary = ''] = readFileSync(PAGE, 'utf8').split(/^## Ordinary words$/m);
const defined = wordsIn([...table.matchAll(/^\| ([^|]+)\|/gm)].map(([, cell]) => cell).join(' '));
const listed = wordsIn([...ordinary.matchAll(/^- [^:]+:([^]*?)\.$/gm)].map(([, words]) => words).join(' '));

const names = execFileSync(
  'git',
  ['ls-files', 'libs/*/src/index.ts', 'libs/providers/*/src/index.ts', 'packages/*/src/index.ts'],
  {
    encoding: 'utf8',
  },
)
  .trim()
  .split('\n')
  .flatMap(exportedNames);
const used = new Set(names.flatMap(({ words }) => words.flatMap(formsOf)));
const faults = [
  ...names.flatMap(({ name, room, words }) =>
    words
      .filter((word) => !formsOf(word).some((form) => defined.has(form) || listed.has(form)))
      .map((word) => `${room}: \`${name}\`: define \`${word}\` in ${PAGE}, or use a word of the glossary`),
  ),
  ...[...listed].filter((word) => defined.has(word)).map((word) => `${PAGE}: \`${word}\` is defined; do not list it`),
  ...[...listed].filter((word) => !used.has(word)).map((word) => `${PAGE}: no name uses \`${word}\`; do not list it`),
];
if (faults.length > 0) {
  console.error(`${faults.join('\n')}\n${faults.length} faults in exported names or in the glossary`);
  process.exit(1);
}

/** Every name that an `index.ts` exports, with its words. */
function exportedNames(file) {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  return source.statements
    .filter((statement) => ts.isExportDeclaration(statement) && statement.exportClause !== undefined)
    .flatMap(({ exportClause }) => exportClause.elements.map((element) => element.name.text))
    .map((name) => ({ name, room: file.replace('/src/index.ts', ''), words: wordsOf(name) }));
}

/** `KeyHoldStore` is key, hold, store; `MAX_SCOPE_BYTES` is max, scope, bytes. */
function wordsOf(name) {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[ _]+/);
}

/** A plural counts as its singular. */
function formsOf(word) {
  return [word, word.replace(/ies$/, 'y'), word.replace(/s$/, '')];
}

function wordsIn(text) {
  return new Set(text.toLowerCase().match(/[a-z0-9]+/g));
}
