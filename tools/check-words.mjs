#!/usr/bin/env node
// Refuses words and phrases that the house has retired (CONTRIBUTING, "English"), in comments of sources and in documents.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { commentsOf, linesOf } from './comments.mjs';

/** Each with what to write in its place. */
const RETIRED = [
  [/\bcame of (one|closing|a write|the|that)\b/i, 'the outcome, the result'],
  [/\bcomes? to (nothing|an end at)\b/i, 'has no effect; ends at'],
  [/\ball the same\b/i, 'anyway, or nothing'],
  [/\bfor another's sake\b/i, 'by a cut-off that was aimed at other sessions'],
  [/\bthe innocent\b/i, 'the affected leases'],
  [/\bwhoever\b/i, 'name the role: the author, the caller, the operator'],
  [/\bin words that\b/i, 'a text that'],
  [/\bsomebody says who\b/i, 'name the role'],
  [/\bstanding denials?\b/i, 'the shared revocation'],
  [/\bStanding[A-Z]\w*/, 'SharedRevocation…'],
  [/\bthe time for it is over\b/i, 'the deadline passed'],
  [/\bleft its skeleton\b/i, 'does not match the structure of the template'],
  [/\bstops breathing\b/i, 'misses its heartbeat'],
];

/** A docstring says what the code does; it does not open as a riddle. */
const RIDDLE = /^(What|Whether|Who|Whoever|Whatever)\b(?! is (new|next)\b)/;

/** The title of a test is a whole sentence with its subject, so that a red line says which behaviour failed. */
const FRAGMENT =
  /^(what|whether|who|whoever|where|when|while|how|of|with|without|in|into|to|and|or|as|by|from|for|on|at|under|also|but|nor|not|never|because|since|than|that|which|is|are|was|has|have|had|does|do|can|cannot|may|must|needs?|refuses?|takes?|gives?|says?|keeps?|shows?|names?|tells?|holds?|makes?|reads?|writes?)\b/i;
const FEWEST_WORDS = 3;

const OURS = ['apps', 'libs', 'packages', 'tools', 'docs', 'test', 'README.md', 'CONTRIBUTING.md'];
const GENERATED = /(^|\/)(generated\/|schema\.ts$|answer-shapes\.ts$|check-words\.mjs$|openapi\.json$)/;

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', ...OURS], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => /\.(ts|mjs|md)$/.test(file) && !GENERATED.test(file));

const faults = files.flatMap((file) => {
  const text = readFileSync(file, 'utf8');
  const passages = file.endsWith('.md') ? linesOf(text) : commentsOf(text);
  return passages.flatMap(({ line, words, opens }) => [
    ...(opens && RIDDLE.test(words) ? [`${file}:${line}: begin with what the code does: ${words.slice(0, 60)}`] : []),
    ...RETIRED.filter(([pattern]) => pattern.test(words)).map(
      ([pattern, instead]) => `${file}:${line}: \`${pattern.exec(words)[0]}\`; write ${instead}`,
    ),
  ]);
});

faults.push(...testFiles().flatMap((file) => titlesOf(file, readFileSync(file, 'utf8')).flatMap(titleFaults)));

if (faults.length > 0) {
  console.error(
    `${faults.join('\n')}\n${faults.length} places have retired words, open as a riddle, or are no sentence`,
  );
  process.exit(1);
}

function testFiles() {
  const listed = execFileSync(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard', 'apps', 'libs', 'packages', 'test'],
    {
      encoding: 'utf8',
    },
  );
  return listed.split('\n').filter((file) => /\.(spec|suite)\.ts$/.test(file));
}

function titleFaults({ place, title }) {
  if (FRAGMENT.test(title)) return [`${place}: begin with the subject of the sentence: ${title.slice(0, 60)}`];
  if (title.split(/\s+/).length < FEWEST_WORDS) return [`${place}: say what happens in a whole sentence: ${title}`];
  return RETIRED.filter(([pattern]) => pattern.test(title)).map(
    ([pattern, instead]) => `${place}: \`${pattern.exec(title)[0]}\`; write ${instead}`,
  );
}

/** The titles of `it(…)`, of its tables, and of names that stand for `it` under a condition, such as `withPsql`. */
function titlesOf(file, text) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const tests = new Set(['it', ...conditionalTests(source)]);
  const titles = [];
  const visit = (node) => {
    const [first] = ts.isCallExpression(node) ? node.arguments : [];
    const isTitle = first !== undefined && (ts.isStringLiteralLike(first) || ts.isTemplateExpression(first));
    if (isTitle && tests.has(calledName(node.expression)) && node.arguments.length > 1) {
      const { line } = source.getLineAndCharacterOfPosition(first.getStart());
      titles.push({ place: `${file}:${line + 1}`, title: first.getText(source).slice(1, -1) });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return titles;
}

/** The names of constants like `const withPsql = hasPsql ? it : it.skip`. */
function conditionalTests(source) {
  const names = [];
  const visit = (node) => {
    const isChoice = ts.isVariableDeclaration(node) && node.initializer && ts.isConditionalExpression(node.initializer);
    if (isChoice && [node.initializer.whenTrue, node.initializer.whenFalse].some((one) => calledName(one) === 'it')) {
      names.push(node.name.getText(source));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}

/** `it` for `it`, `it.each` and `it.each(…)`. */
function calledName(node) {
  if (ts.isIdentifier(node)) return node.text;
  if (ts.isTaggedTemplateExpression(node)) return calledName(node.tag);
  return ts.isCallExpression(node) || ts.isPropertyAccessExpression(node) ? calledName(node.expression) : '';
}
