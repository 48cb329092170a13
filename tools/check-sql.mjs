#!/usr/bin/env node
// Checks every SQL text of libs/persistence, and the newest definition of every function in prisma/migrations, against the
// rules of docs/sql-rules.md. First proves on samples that each rule can fail.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { faultsOf, SAMPLES } from './sql-rules.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const SOURCES = 'libs/persistence/src';
const MIGRATIONS = 'prisma/migrations';
const IS_SQL = /\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|ON CONFLICT|RETURNING|NOTIFY|TRUNCATE)\b/;

const blind = SAMPLES.filter(([rule, text]) => {
  const rules = new Set(faultsOf(text).map((fault) => fault.rule));
  return rule === undefined ? rules.size > 0 : !rules.has(rule);
});
const texts = [...textsOfSources(), ...functionsOfMigrations()];
const faults = texts.flatMap((one) =>
  faultsOf(one.text, one).map(
    ({ index, found, rule, cure }) => `${one.file}:${one.lineAt(index)}: ${rule}: \`${found}\`; ${cure}`,
  ),
);

for (const [rule, text] of blind) console.error(`the check is blind: ${rule ?? 'no rule'} for \`${text}\``);
for (const fault of new Set(faults)) console.error(fault);
if (blind.length > 0 || faults.length > 0) process.exit(1);
if (texts.length < 100) {
  console.error(`the check is blind: it found ${texts.length} SQL texts only`);
  process.exit(1);
}

/** Each string and template literal that is SQL, with the constants of its file in place of their names. */
function textsOfSources() {
  const files = readdirSync(SOURCES, { recursive: true })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
    .map((file) => join(SOURCES, file));
  return files.flatMap((file) => {
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
    const constants = constantsOf(source);
    return literalsOf(source)
      .map((literal) => piecesOf(literal, constants))
      .filter((pieces) => IS_SQL.test(pieces.map(({ text }) => text).join('')))
      .map((pieces) => ({ file, ...textOf(pieces, source) }));
  });
}

function constantsOf(source) {
  const constants = new Map();
  visit(source, (node) => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer !== undefined)
      constants.set(node.name.text, node.initializer);
  });
  return constants;
}

function literalsOf(source) {
  const literals = [];
  visit(source, (node) => {
    if (ts.isImportDeclaration(node) || isLiteral(node.parent)) return;
    if (isLiteral(node)) literals.push(node);
  });
  return literals;
}

function isLiteral(node) {
  return node !== undefined && (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node));
}

/** The parts of a literal, each with its place in the file. An expression with an unknown value becomes the word `hole`. */
function piecesOf(node, constants) {
  if (ts.isStringLiteralLike(node)) return [{ text: node.text, start: node.getStart() + 1 }];
  if (!ts.isTemplateExpression(node)) {
    const constant = ts.isIdentifier(node) ? constants.get(node.text) : undefined;
    return isLiteral(constant) ? piecesOf(constant, constants) : [{ text: ' hole ', start: node.getStart() }];
  }
  return [
    { text: node.head.text, start: node.head.getStart() + 1 },
    ...node.templateSpans.flatMap(({ expression, literal }) => [
      ...piecesOf(expression, constants),
      { text: literal.text, start: literal.getStart() + 1 },
    ]),
  ];
}

function textOf(pieces, source) {
  const lineAt = (index) => {
    let rest = index;
    for (const { text, start } of pieces) {
      if (rest < text.length) return source.getLineAndCharacterOfPosition(start + rest).line + 1;
      rest -= text.length;
    }
    return 1;
  };
  return { text: pieces.map(({ text }) => text).join(''), lineAt };
}

function visit(node, see) {
  see(node);
  ts.forEachChild(node, (child) => visit(child, see));
}

/** The body of each function that the migrations leave in the database. */
function functionsOfMigrations() {
  const newest = new Map();
  for (const name of readdirSync(MIGRATIONS).sort()) {
    if (!/^\d/.test(name)) continue;
    const file = join(MIGRATIONS, name, 'migration.sql');
    const sql = readFileSync(file, 'utf8');
    const made =
      /CREATE (?:OR REPLACE )?FUNCTION (?:public\.)?"?(\w+)"?[\s\S]*?AS (\$\w*\$)([\s\S]*?)\2|DROP FUNCTION (?:public\.)?"?(\w+)/g;
    for (const match of sql.matchAll(made)) {
      const [whole, created, quote, body, dropped] = match;
      if (dropped !== undefined) newest.delete(dropped);
      else newest.set(created, { file, sql, body, start: match.index + whole.length - quote.length - body.length });
    }
  }
  return [...newest.values()].map(({ file, sql, body, start }) => ({
    file,
    text: body,
    inFunction: true,
    lineAt: (index) => sql.slice(0, start + index).split('\n').length,
  }));
}
